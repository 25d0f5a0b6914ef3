//! The end of a whole stack within a time.
//!
//! Each service gets its share ([`budget::share`]) when it is asked to end, of the time that is left
//! then: what ended sooner than it might have leaves its time to those that follow.

use std::time::Duration;

use super::{Action, Fleet};
use crate::base::ServiceName;
use crate::supervise::budget;
use crate::supervise::state::{Machine, Moment, Time};
use crate::supervise::status::State;

impl Fleet {
    /// Wants everything down, in order, and over within `limit`. Asked again, a shorter time counts
    /// and a longer one does not.
    pub fn stop_within(&mut self, at: Moment, limit: Duration) -> Vec<Action> {
        let by = at.now.saturating_add(budget::usable(limit));
        if self.end_by.is_none_or(|earlier| by < earlier) {
            self.end_by = Some(by);
            // Shares of a longer time are worth nothing now.
            self.machines.values_mut().for_each(Machine::unlimit);
        }
        self.stop_all(at)
    }

    /// Gives a service its limit when it is about to end, or already does.
    pub(super) fn limit(&mut self, at: Moment, name: &ServiceName, held: bool) {
        let Some(end_by) = self.end_by else { return };
        let ends = |m: &Machine| !held || m.state() == State::Stopping;
        let open =
            self.machines.get(name).is_some_and(|m| ends(m) && !m.is_at_rest() && !m.is_limited());
        if !open {
            return;
        }
        let by = at.now.saturating_add(self.share_of(name, at.now, end_by));
        if let Some(machine) = self.machines.get_mut(name) {
            machine.limit(by);
        }
    }

    fn share_of(&self, name: &ServiceName, now: Time, end_by: Time) -> Duration {
        let left = |(name, m): (&ServiceName, &Machine)| Some((name.clone(), m.time_to_end(now)?));
        let wants = self.machines.iter().filter_map(left).collect();
        let shares = budget::share(&wants, &self.dependents, end_by.saturating_sub(now));
        shares.get(name).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
