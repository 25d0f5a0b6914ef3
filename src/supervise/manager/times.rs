//! The clock on the wall, for what runs by schedule.
//!
//! The machines hear only that a time came. Invariant: the clock is looked at when the next time is
//! near, and at least every [`schedule::LOOK`](crate::supervise::schedule), so that a clock that was
//! set, or a machine that slept, is noticed.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::Manager;
use super::unit::Unit;
use crate::base::ServiceName;
use crate::supervise::schedule::{LOOK, Timer};
use crate::supervise::spec::Stack;
use crate::supervise::state::Input;
use crate::supervise::status::State;

/// The timers of a stack.
pub(super) struct Times {
    timers: BTreeMap<ServiceName, Timer>,
}

impl Times {
    pub(super) fn new(stack: &Stack) -> Self {
        let now = Timestamp::now();
        let timer = |s: &crate::supervise::spec::ServiceSpec| {
            Some((s.name.clone(), Timer::new(s.schedule.clone()?, now)))
        };
        Self { timers: stack.services.values().filter_map(timer).collect() }
    }

    /// Each schedule's position, as text.
    pub(super) fn pack(&self) -> BTreeMap<ServiceName, (Option<String>, String)> {
        let text = |timer: &Timer| {
            let (next, seen) = timer.position();
            (next.map(|t| t.to_string()), seen.to_string())
        };
        self.timers.iter().map(|(name, timer)| (name.clone(), text(timer))).collect()
    }

    /// Goes on from these; a text that is no time leaves a schedule at its next time from now on.
    pub(super) fn go_on(&mut self, positions: &BTreeMap<ServiceName, (Option<String>, String)>) {
        for (name, (next, seen)) in positions {
            let next = next.as_ref().map(|t| t.parse()).transpose();
            if let (Some(timer), Ok(next), Ok(seen)) =
                (self.timers.get_mut(name), next, seen.parse())
            {
                timer.go_on((next, seen));
            }
        }
    }

    /// How long until the clock must be looked at; `None` when nothing is scheduled.
    pub(super) fn wait(&self) -> Option<Duration> {
        let now = Timestamp::now();
        let soonest = self.timers.values().filter_map(|t| t.until(now)).min();
        (!self.timers.is_empty()).then(|| soonest.unwrap_or(LOOK).min(LOOK))
    }

    /// Lets every unit know how long it is until its time.
    pub(super) fn tell(&self, units: &mut BTreeMap<ServiceName, Unit>) {
        let now = Timestamp::now();
        for (name, timer) in &self.timers {
            if let Some(unit) = units.get_mut(name) {
                unit.set_next_run(timer.until(now));
            }
        }
    }
}

impl Manager {
    /// Starts what is due. What still runs is left alone: its time is skipped.
    pub(super) fn look_at_clock(&mut self) {
        let now = Timestamp::now();
        let mut due = Vec::new();
        for (name, timer) in &mut self.times.timers {
            if timer.look(now) {
                due.push(name.clone());
            }
        }
        for name in due {
            let idle = |m: &crate::supervise::state::Machine| m.state() == State::Scheduled;
            if !self.fleet.get(&name).is_some_and(idle)
                && let Some(unit) = self.units.get(&name)
            {
                unit.note("its time came while it was not waiting for it; skipped");
            }
            let actions = self.fleet.apply(self.clock.moment(), &name, Input::Due);
            self.perform(actions);
        }
    }
}
