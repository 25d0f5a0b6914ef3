//! What looking at a service took and found.
//!
//! Shared between the tasks that look and the page. Invariant: every look that was begun and not
//! given up is counted once, under its kind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::histogram::Histogram;

/// Looks of one kind.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(in crate::supervise) struct Looks {
    /// How long they took, whatever they found.
    pub(super) took: Histogram,
    /// Those that found the service not ready, or not alive.
    pub(super) failures: u64,
}

/// The looks at one service, by kind (`exec`, `http`, `tcp`). Copies count together.
#[derive(Clone, Debug, Default)]
pub(in crate::supervise) struct ProbeCounts(Arc<Mutex<BTreeMap<&'static str, Looks>>>);

impl ProbeCounts {
    /// One more look.
    pub(in crate::supervise) fn add(&self, kind: &'static str, took: Duration, found: bool) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let looks = all.entry(kind).or_default();
        looks.took.add(took);
        looks.failures += u64::from(!found);
    }

    /// What another program goes on counting from.
    pub(in crate::supervise) fn kept(&self) -> BTreeMap<String, Looks> {
        self.now().into_iter().map(|(kind, looks)| (kind.to_owned(), looks)).collect()
    }

    /// Goes on counting; kinds that this program does not know are dropped.
    pub(in crate::supervise) fn go_on(&self, mut kept: BTreeMap<String, Looks>) {
        let known = ["exec", "http", "tcp"].into_iter();
        let all = known.filter_map(|kind| Some((kind, kept.remove(kind)?))).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// What was counted until now.
    pub(super) fn now(&self) -> BTreeMap<&'static str, Looks> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
