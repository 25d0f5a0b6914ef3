//! What a machine looks like from outside. Changes nothing.

use std::time::Duration;

use super::{Generation, Machine, Output, Phase, Then, Time};
use crate::supervise::spec::{Condition, Follow, Kind};
use crate::supervise::status::{Cause, Exit, State};

impl Machine {
    /// When it wants the next [`Input::Tick`].
    pub fn wake_at(&self) -> Option<Time> {
        match self.phase {
            Phase::Running { ready: None } => self.ready_by,
            Phase::Running { ready: Some(ready) } => {
                [self.backoff.settles_at(ready), self.watchdog_due()].into_iter().flatten().min()
            }
            Phase::Stopping { kill_at, .. } => kill_at,
            Phase::Backoff { until } => Some(until),
            _ => None,
        }
    }

    /// The visible state.
    pub fn state(&self) -> State {
        let down = if self.backoff.is_degraded() { State::Failed } else { State::Backoff };
        match self.phase {
            Phase::Idle => State::Scheduled,
            Phase::Waiting => State::Waiting,
            Phase::Gating { then: Then::ByRule } | Phase::Spawning { then: Then::ByRule, .. } => {
                State::Starting
            }
            Phase::Running { ready: None } => State::Starting,
            Phase::Running { ready: Some(_) } => State::Ready,
            Phase::Sweeping { then: Then::ByRule | Then::Fail, retry: Some(_) } => down,
            Phase::Backoff { .. } => down,
            Phase::Gating { .. }
            | Phase::Spawning { .. }
            | Phase::Stopping { .. }
            | Phase::Sweeping { .. } => State::Stopping,
            Phase::Blocked | Phase::Held => State::Blocked,
            Phase::Stopped if self.is_finished() => State::Completed,
            Phase::Stopped if self.rules.kind == Kind::Task && self.ended_itself() => State::Failed,
            Phase::Stopped => State::Stopped,
        }
    }

    /// Whether something that comes after it on this condition may start.
    pub fn satisfies(&self, condition: Condition) -> bool {
        let done = self.is_finished() || (self.phase == Phase::Idle && self.finished);
        done || match condition {
            Condition::Started => matches!(self.phase, Phase::Running { .. }),
            Condition::Ready => self.state() == State::Ready,
            Condition::Completed => false,
        }
    }

    /// Ended by itself with success and is not started again.
    pub fn is_finished(&self) -> bool {
        self.phase == Phase::Stopped && self.finished && self.ended_itself()
    }

    /// Whether nobody asked for its end.
    fn ended_itself(&self) -> bool {
        !matches!(self.why, Cause::StopAsked | Cause::Boot)
    }

    /// Whether the stack is to end because this ended.
    pub fn ends_stack(&self) -> bool {
        self.rules.ends_stack && self.phase == Phase::Stopped && self.ended_itself()
    }

    /// What it does when something it comes after runs anew.
    pub fn follow(&self) -> Follow {
        self.rules.follow
    }

    /// Whether a process of it runs that nobody asked to end.
    pub fn is_running(&self) -> bool {
        matches!(self.phase, Phase::Running { .. })
    }

    /// Whether it waits for a port that a stranger has.
    pub fn is_held(&self) -> bool {
        self.phase == Phase::Held
    }

    /// Reloads so far.
    pub fn reloads(&self) -> u64 {
        self.reloads
    }

    /// What it says of itself.
    pub fn says(&self) -> Option<&str> {
        self.says.as_deref()
    }

    /// Whether nothing is under way that another program could not take over in the middle: no check,
    /// no start, no wait for readiness, no stop.
    pub fn is_quiet(&self) -> bool {
        match self.phase {
            Phase::Gating { .. }
            | Phase::Spawning { .. }
            | Phase::Stopping { .. }
            | Phase::Sweeping { .. } => false,
            Phase::Running { ready: None } => self.ready_by.is_none(),
            _ => true,
        }
    }

    /// What has to be ordered again where another program goes on with it.
    pub fn go_on(&self) -> Option<Output> {
        match self.phase {
            Phase::Running { ready: Some(_) } if self.rules.alive_failures.is_some() => {
                Some(Output::Watch(self.generation))
            }
            Phase::Held => Some(Output::AwaitPorts(self.generation)),
            _ => None,
        }
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

    /// The start whose process ended last; 0 before the first end.
    pub fn ended(&self) -> Generation {
        self.ended
    }

    /// How long its last process ran, when it ended by itself and never became ready.
    pub fn unready(&self) -> Option<Duration> {
        self.unready
    }

    /// When it was asked to end and the last signal, while it has not.
    pub fn asked(&self) -> Option<(Time, i32)> {
        matches!(self.phase, Phase::Stopping { .. }).then_some(self.asked).flatten()
    }
}
