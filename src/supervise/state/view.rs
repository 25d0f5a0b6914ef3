//! What a machine looks like from outside. Changes nothing.

use std::time::Duration;

use super::{Generation, Machine, Phase, Then, Time};
use crate::supervise::status::{Cause, Exit, State};

impl Machine {
    /// When it wants the next [`Input::Tick`].
    pub fn wake_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Running { ready: None } => self.probe_deadline(),
            Phase::Running { ready: Some(ready) } => self.backoff.settles_at(ready),
            Phase::Stopping { kill_at, .. } => kill_at,
            Phase::Backoff { until } => Some(until),
            _ => None,
        }
    }

    /// The visible state.
    pub fn state(&self) -> State {
        let down = if self.backoff.is_degraded() { State::Failed } else { State::Backoff };
        match self.phase {
            Phase::Waiting => State::Waiting,
            Phase::Gating | Phase::Spawning { then: Then::ByRule, .. } => State::Starting,
            Phase::Running { ready: None } => State::Starting,
            Phase::Running { ready: Some(_) } => State::Ready,
            Phase::Sweeping { then: Then::ByRule | Then::Fail, retry: Some(_) } => down,
            Phase::Backoff { .. } => down,
            Phase::Spawning { .. } | Phase::Stopping { .. } | Phase::Sweeping { .. } => {
                State::Stopping
            }
            Phase::Blocked => State::Blocked,
            Phase::Stopped => State::Stopped,
        }
    }

    /// Whether services after it may start: it is ready, or ended for good with success.
    pub fn satisfies(&self) -> bool {
        self.state() == State::Ready || self.is_finished()
    }

    /// Ended by itself with code 0 and is not started again.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Stopped && self.why == Cause::Exited(Exit::Code(0))
    }

    /// Whether nothing of it is alive or will be without being asked.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.phase, Phase::Stopped | Phase::Blocked)
    }

    /// Whether a process of it may be alive.
    pub fn may_be_alive(&self) -> bool {
        matches!(
            self.phase,
            Phase::Spawning { .. }
                | Phase::Running { .. }
                | Phase::Stopping { .. }
                | Phase::Sweeping { .. }
        )
    }

    /// The start it is in.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Why it is in its state.
    pub fn why(&self) -> &Cause {
        &self.why
    }

    /// When it came into its state.
    pub fn since(&self) -> Time {
        self.since
    }

    /// From start to readiness.
    pub fn ready_after(&self) -> Option<Duration> {
        self.ready_after
    }

    /// Its process.
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }

    /// Starts after the first.
    pub fn restarts(&self) -> u64 {
        self.starts.saturating_sub(1)
    }

    /// How its last process ended.
    pub fn last_exit(&self) -> Option<Exit> {
        self.last_exit
    }

    /// When the next try is due, while it backs off.
    pub fn retry_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Backoff { until } => Some(until),
            Phase::Sweeping { retry, .. } => retry,
            _ => None,
        }
    }

    /// When it was asked to end and the last signal, while it has not.
    pub fn asked(&self) -> Option<(Time, i32)> {
        matches!(self.phase, Phase::Stopping { .. }).then_some(self.asked).flatten()
    }
}
