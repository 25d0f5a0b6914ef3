//! Asking one place after the other.
//!
//! ```text
//! index 1: place ─ fails ─▶ place ─ "no such thing" ─▶ place      places of one index: mirrors
//!    │ every place that answered: "no such thing", and none failed
//!    ▼
//! index 2: …
//! ```
//!
//! A place that fails is warned of once and the next mirror is asked. Another *index* is only asked
//! when every place of the one before it says that there is no such thing: were a failure enough,
//! whoever can keep an index from answering could put a package of the same name into its place.
//! Invariant: what is found, is from the first place that has it.

use std::sync::PoisonError;

use super::access::Access;
use super::{Error, Result};
use crate::config::ecosystem::{Endpoint, Indexes};
use crate::http;

/// A place that is to be asked.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    /// Where it is, and as whom it is asked.
    pub(super) endpoint: &'a Endpoint,
    /// Whether no other place serves the same.
    pub(super) last: bool,
}

/// A round of questions, one place after the other; [`Access::first`] goes it.
pub(super) struct Round<'a> {
    access: &'a Access,
    indexes: &'a Indexes,
    /// Index and place that come next.
    at: (usize, usize),
    failed: Option<(&'a Endpoint, Error)>,
}

impl<'a> Round<'a> {
    /// Begins one.
    pub(super) fn new(access: &'a Access, indexes: &'a Indexes) -> Self {
        Self { access, indexes, at: (0, 0), failed: None }
    }

    /// The place to ask now.
    pub(super) fn next(&mut self) -> Option<Place<'a>> {
        loop {
            let mirrors = self.indexes.get(self.at.0)?;
            if let Some(endpoint) = mirrors.get(self.at.1) {
                self.at.1 += 1;
                return Some(Place { endpoint, last: self.at.1 == mirrors.len() });
            }
            if self.failed.is_some() {
                return None;
            }
            self.at = (self.at.0 + 1, 0);
        }
    }

    /// What a place said: found, or `None` when the round goes on.
    ///
    /// # Errors
    /// What no other place can mend.
    pub(super) fn heard<T>(
        &mut self,
        place: Place<'a>,
        said: Result<Option<T>>,
    ) -> Result<Option<T>> {
        match said {
            Ok(Some(found)) => {
                if let Some((endpoint, error)) = self.failed.take() {
                    self.access.passed_over(endpoint, &error);
                }
                Ok(Some(found))
            }
            Ok(None) => Ok(None),
            // One of several is the error in the end; the others are warned of.
            Err(error) if is_of_place(&error) => {
                match &self.failed {
                    Some((_, before)) if !is_silent(before) => {
                        self.access.passed_over(place.endpoint, &error);
                    }
                    _ => self.failed = Some((place.endpoint, error)),
                }
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The end of a round that found nothing.
    ///
    /// # Errors
    /// A place failed, so that nothing is known of what it has.
    pub(super) fn end(self) -> Result<()> {
        match self.failed {
            Some((_, error)) => Err(error),
            None => Ok(()),
        }
    }
}

/// Every place but one, for when that one's proved wrong.
pub(super) fn others<'a>(
    indexes: &'a Indexes,
    but: &'a Endpoint,
) -> impl Iterator<Item = Place<'a>> + Send {
    let others = indexes.iter().flatten().filter(|e| e.base.value != but.base.value);
    others.map(|endpoint| Place { endpoint, last: false })
}

impl Access {
    /// What the first place that has it answers; `None` when every place says that there is no such
    /// thing.
    pub(super) async fn first<'a, T, F>(
        &'a self,
        indexes: &'a Indexes,
        ask: impl Fn(Place<'a>) -> F,
    ) -> Result<Option<T>>
    where
        F: Future<Output = Result<Option<T>>>,
    {
        let mut round = Round::new(self, indexes);
        while let Some(place) = round.next() {
            let said = ask(place).await;
            if let Some(found) = round.heard(place, said)? {
                return Ok(Some(found));
            }
        }
        round.end().map(|()| None)
    }

    /// What one of [`others`] said. One that fails has nothing, and is warned of.
    pub(super) fn tolerated<T>(
        &self,
        place: Place<'_>,
        said: Result<Option<T>>,
    ) -> Result<Option<T>> {
        match said {
            Err(error) if is_of_place(&error) => {
                self.passed_over(place.endpoint, &error);
                Ok(None)
            }
            said => said,
        }
    }

    /// Warns of a place that another stands in for, once for each place and kind of failure.
    pub(super) fn passed_over(&self, endpoint: &Endpoint, error: &Error) {
        if is_silent(error) {
            return;
        }
        let what = match error {
            Error::Fetch { source, .. } | Error::RateLimit { source, .. } => source.to_string(),
            other => other.to_string(),
        };
        let kind = std::mem::discriminant(error);
        let key = format!("{} {kind:?}", endpoint.base.value);
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(key) {
            self.reporter.warn(&format!("{what}; another place is asked"));
        }
    }
}

/// Every base of an ecosystem, for messages.
pub(super) fn shown(indexes: &Indexes, url: impl Fn(&Endpoint) -> String) -> String {
    indexes.iter().flatten().map(url).collect::<Vec<_>>().join("`, `")
}

/// Whether another place may do better.
fn is_of_place(error: &Error) -> bool {
    match error {
        Error::Fetch { source, .. } => !matches!(**source, http::Error::File(_)),
        Error::RateLimit { .. }
        | Error::Malformed { .. }
        | Error::Unsigned { .. }
        | Error::Expired { .. }
        | Error::IndexHash { .. }
        | Error::DefinitionHash { .. } => true,
        _ => false,
    }
}

/// Whether it was told before, or is no failure of the place.
fn is_silent(error: &Error) -> bool {
    matches!(error, Error::Fetch { source, .. } if source.is_skipped() || source.is_offline())
}
