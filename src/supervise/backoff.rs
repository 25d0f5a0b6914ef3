//! How long a service that failed waits before its next start.
//!
//! Owns the arithmetic alone. The first failure of a service that had proved itself costs no
//! wait; then waits double from 100 ms to 30 s; a minute of readiness forgives everything; five
//! failures in a minute make it degraded: from then on it is tried at the longest wait. Invariant:
//! a wait is never longer than 33 s (the cap and its jitter).

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::{Moment, Time};

/// The first wait.
const BASE: Duration = Duration::from_millis(100);
/// The longest wait, before jitter.
const CAP: Duration = Duration::from_secs(30);
/// Ready for this long: the next failure costs no wait.
const STEADY: Duration = Duration::from_secs(10);
/// Without a readiness check, having run for this long proves as much as a check.
const PROVEN: Duration = Duration::from_secs(1);
/// Ready for this long: earlier failures are forgotten. Also the window in which they count.
const WINDOW: Duration = Duration::from_secs(60);
/// Failures in the window that make it degraded.
const BURST: usize = 5;

/// The failures of one service that still count.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Backoff {
    streak: u32,
    recent: VecDeque<Time>,
    degraded: bool,
}

impl Backoff {
    /// Counts a failure; gives when the next start is due. `ready` is since when it was ready;
    /// `probed` whether a check said so.
    pub fn failed(&mut self, at: Moment, ready: Option<Time>, probed: bool) -> Time {
        let ready_for = ready.map(|t| at.now.saturating_sub(t));
        if let Some(ready) = ready {
            self.settle(at.now, ready);
        }
        while self.recent.front().is_some_and(|t| at.now.saturating_sub(*t) > WINDOW) {
            self.recent.pop_front();
        }
        let first = self.recent.is_empty() && self.streak == 0;
        self.recent.push_back(at.now);
        if self.recent.len() >= BURST {
            self.degraded = true;
        }
        let steady = ready_for.is_some_and(|t| t >= STEADY);
        let proven = ready_for.is_some_and(|t| probed || t >= PROVEN);
        let wait = if self.degraded {
            CAP
        } else if steady || (first && proven) {
            Duration::ZERO
        } else {
            let doubled = BASE.saturating_mul(2u32.saturating_pow(self.streak)).min(CAP);
            self.streak += 1;
            doubled
        };
        if self.recent.len() > BURST {
            self.recent.pop_front();
        }
        at.now + wait.mul_f64(at.jitter.clamp(0.9, 1.1))
    }

    /// Forgives when it has been ready for long enough.
    pub fn settle(&mut self, now: Time, ready: Time) {
        if now.saturating_sub(ready) >= WINDOW {
            *self = Self::default();
        }
    }

    /// When [`Self::settle`] would forgive something.
    pub fn settles_at(&self, ready: Time) -> Option<Time> {
        (!self.recent.is_empty()).then_some(ready + WINDOW)
    }

    /// Whether it failed too often.
    pub fn is_degraded(&self) -> bool {
        self.degraded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment { now: Duration::from_millis(ms), jitter: 1.0 }
    }

    #[test]
    fn doubles_and_gives_up_politely() {
        let mut backoff = Backoff::default();
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..7 {
            let due = backoff.failed(at(now), None, true);
            let due = u64::try_from(due.as_millis()).unwrap();
            waits.push(due - now);
            now = due;
        }
        assert_eq!(waits, [100, 200, 400, 800, 30_000, 30_000, 30_000]);
        assert!(backoff.is_degraded());
        backoff.settle(Duration::from_secs(1000), Duration::from_secs(939));
        assert!(!backoff.is_degraded());
    }

    #[test]
    fn what_proved_itself_starts_again_at_once() {
        let ready = Some(Duration::ZERO);
        let mut probed = Backoff::default();
        assert_eq!(probed.failed(at(50), ready, true), Duration::from_millis(50));
        assert_eq!(
            probed.failed(at(60), Some(Duration::from_millis(55)), true),
            Duration::from_millis(160)
        );
        assert_eq!(Backoff::default().failed(at(50), ready, false), Duration::from_millis(150));
        assert_eq!(Backoff::default().failed(at(1000), ready, false), Duration::from_millis(1000));
    }

    #[test]
    fn flapping_after_being_steady_still_ends_degraded() {
        let mut backoff = Backoff::default();
        for n in 1..=5u64 {
            let ready = Some(Duration::from_millis((n - 1) * 11_000));
            backoff.failed(at(n * 11_000), ready, true);
        }
        assert!(backoff.is_degraded());
    }
}
