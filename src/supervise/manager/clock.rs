//! The time and the chance that the machines are handed.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

use super::later;
use crate::supervise::state::{Moment, Time};

/// The time that tokio's and the standard library's instants count on.
fn monotonic() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    Duration::try_from(now).unwrap_or_default()
}

/// Monotonic time since the run started; the wall clock may jump as it likes.
pub(super) struct Clock {
    start: Instant,
    random: RandomState,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), random: RandomState::new() }
    }

    /// When the run began, on the system's monotonic clock, which other programs have, too.
    pub(super) fn began(&self) -> Duration {
        monotonic().saturating_sub(self.now())
    }

    /// Goes on with a run that began then.
    pub(super) fn go_on(began: Duration) -> Self {
        let age = monotonic().saturating_sub(began);
        let now = Instant::now();
        Self { start: now.checked_sub(age).unwrap_or(now), random: RandomState::new() }
    }

    pub(super) fn now(&self) -> Time {
        self.start.elapsed()
    }

    pub(super) fn moment(&self) -> Moment {
        let now = self.now();
        let mut hasher = self.random.build_hasher();
        hasher.write_u128(now.as_nanos());
        // Eight bits of chance are enough to spread restarts by ±10 %.
        let share = f64::from((hasher.finish() & 0xff) as u8) / 255.0;
        Moment { now, jitter: 0.9 + 0.2 * share }
    }

    pub(super) fn instant(&self, at: Time) -> Instant {
        later(self.start, at)
    }
}
