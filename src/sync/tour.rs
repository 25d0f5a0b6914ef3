//! The places where a file may lie, one after the other.
//!
//! Those that are known come first; others are looked for only when all of them failed. A place that
//! fails or lies is warned of as soon as another is asked, unless it was not asked at all because
//! its host had failed before. Invariant: no place is asked twice.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use super::error::{Error, Result};
use crate::base::{Diagnose as _, Kind, Reporter, chain};
use crate::source::Location;

/// Looks for other places.
pub(super) type Elsewhere<'a> = Pin<Box<dyn Future<Output = Result<Vec<Location>>> + Send + 'a>>;

/// A tour of places.
pub(super) struct Tour<'a> {
    reporter: &'a dyn Reporter,
    /// Dep, version and platform, for messages.
    shown: &'a str,
    ahead: VecDeque<Location>,
    seen: Vec<Location>,
    elsewhere: Option<Elsewhere<'a>>,
    failures: Vec<(String, Error)>,
    /// How many of the failures were warned of.
    told: usize,
}

/// A place to try.
pub(super) struct Stop {
    /// Where.
    pub(super) location: Location,
    /// Whether no other is known now.
    pub(super) last: bool,
}

impl<'a> Tour<'a> {
    /// Begins one.
    pub(super) fn new(
        reporter: &'a dyn Reporter,
        shown: &'a str,
        known: Vec<Location>,
        elsewhere: Elsewhere<'a>,
    ) -> Self {
        let mut tour = Self {
            reporter,
            shown,
            ahead: VecDeque::new(),
            seen: Vec::new(),
            elsewhere: Some(elsewhere),
            failures: Vec::new(),
            told: 0,
        };
        tour.add(known);
        tour
    }

    fn add(&mut self, locations: Vec<Location>) {
        for location in locations {
            if !self.seen.iter().any(|seen| seen.url == location.url) {
                self.seen.push(location.clone());
                self.ahead.push_back(location);
            }
        }
    }

    /// The place to try now; `None` when all were.
    pub(super) async fn next(&mut self) -> Option<Stop> {
        if self.ahead.is_empty()
            && let Some(elsewhere) = self.elsewhere.take()
            // What fails there says less than the failures that made it be asked.
            && let Ok(found) = elsewhere.await
        {
            self.add(found);
        }
        let location = self.ahead.pop_front()?;
        for (from, error) in &self.failures[self.told..] {
            if !matches!(error, Error::Fetch { source, .. } if source.is_skipped()) {
                self.reporter.warn(&format!("{from}: {}", chain(error)));
            }
        }
        self.told = self.failures.len();
        Some(Stop { location, last: self.ahead.is_empty() })
    }

    /// How a place did: what it gave, or `None` when the next is to be tried.
    ///
    /// # Errors
    /// What is no fault of the place.
    pub(super) fn heard<T>(&mut self, stop: &Stop, said: Result<T>) -> Result<Option<T>> {
        match said {
            Ok(found) => Ok(Some(found)),
            Err(error) if is_of_place(&error) => {
                self.failures.push((stop.location.shown(), error));
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The error to show in the end: a lie only when all lied, else the last that failed otherwise.
    pub(super) fn end(mut self) -> Error {
        let otherwise = |skipped: bool| {
            self.failures.iter().rposition(|(_, e)| {
                let is_skipped = matches!(e, Error::Fetch { source, .. } if source.is_skipped());
                e.kind() != Kind::Integrity && is_skipped == skipped
            })
        };
        let last = self.failures.len().saturating_sub(1);
        let index = otherwise(false).or_else(|| otherwise(true)).unwrap_or(last);
        if self.failures.is_empty() {
            return Error::NoLocation { shown: self.shown.to_owned() };
        }
        let (_, error) = self.failures.remove(index);
        match error {
            Error::Fetch { shown, source, .. } => {
                let others = self.failures.iter();
                let attempts = others.map(|(from, e)| format!("{from}: {}", chain(e))).collect();
                Error::Fetch { shown, attempts, source }
            }
            other => other,
        }
    }
}

/// Whether another place may do better: a full disk is no fault of a server.
fn is_of_place(error: &Error) -> bool {
    match error {
        Error::Fetch { source, .. } => !source.is_offline(),
        _ => error.kind() == Kind::Integrity,
    }
}
