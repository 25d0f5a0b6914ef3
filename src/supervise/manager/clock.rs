//! The time and the chance that the machines are handed.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use tokio::time::Instant;

use super::later;
use crate::supervise::state::{Moment, Time};

/// Monotonic time since the run started; the wall clock may jump as it likes.
pub(super) struct Clock {
    start: Instant,
    random: RandomState,
}

impl Clock {
    pub(super) fn start() -> Self {
        Self { start: Instant::now(), random: RandomState::new() }
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
