//! Towards the end of a process, and from it to whatever follows.

use std::time::Duration;

use super::{Cause, Exit, Machine, Moment, Output, Phase, RestartRule, Then, Time};
use crate::supervise::spec::Kind;

/// How long what is left of a service may take after its leader ended on request.
const LINGER: Duration = Duration::from_millis(500);

impl Machine {
    pub(super) fn stop(&mut self, at: Moment, next: Then, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Gating { then } if self.rules.pre_start => {
                if *then == Then::ByRule && next == Then::Stop {
                    out.push(Output::EndGate);
                }
                *then = next;
                self.why = self.ends_for(next);
            }
            Phase::Gating { .. } | Phase::Held => {
                out.push(Output::EndGate);
                self.stopped(Cause::StopAsked);
            }
            Phase::Idle | Phase::Waiting | Phase::Backoff { .. } | Phase::Blocked => {
                self.stopped(Cause::StopAsked);
            }
            Phase::Spawning { then, .. } => {
                *then = next;
                self.why = self.ends_for(next);
            }
            Phase::Stopping { then, .. } | Phase::Sweeping { then, .. } => *then = next,
            Phase::Running { .. } => {
                let kill_at = self.within(at.now + self.rules.grace);
                self.phase = Phase::Stopping { then: next, kill_at: Some(kill_at) };
                self.asked = Some((at.now, self.rules.stop_signal));
                self.why = self.ends_for(next);
                if self.rules.is_watched() {
                    out.push(Output::EndProbe);
                }
                out.push(if self.rules.stop_command {
                    Output::StopCommand(self.generation)
                } else {
                    Output::Signal(self.rules.stop_signal)
                });
            }
            Phase::Stopped => {}
        }
    }

    /// A time that is not after the limit.
    pub(super) fn within(&self, time: Time) -> Time {
        self.end_by.map_or(time, |by| time.min(by))
    }

    /// It is killed at `by` at the latest, whatever its own time to end is.
    pub fn limit(&mut self, by: Time) {
        self.end_by = Some(by);
        if let Phase::Stopping { kill_at: Some(at), .. } = &mut self.phase {
            *at = by.min(*at);
        }
    }

    /// It has no limit until it gets another one; what was shortened stays so.
    pub fn unlimit(&mut self) {
        self.end_by = None;
    }

    /// Whether it has a limit.
    pub fn is_limited(&self) -> bool {
        self.end_by.is_some()
    }

    /// How long its end may still take by its own rules; `None` when nothing of it is alive.
    pub fn time_to_end(&self, now: Time) -> Option<Duration> {
        match self.phase {
            Phase::Running { .. } | Phase::Spawning { .. } => Some(self.rules.grace),
            Phase::Stopping { kill_at: Some(at), .. } => Some(at.saturating_sub(now)),
            Phase::Stopping { kill_at: None, .. } | Phase::Sweeping { .. } => Some(Duration::ZERO),
            Phase::Gating { .. } if self.rules.pre_start => Some(Duration::ZERO),
            _ => None,
        }
    }

    /// What it had to end and what it would have had, once its limit has cut that short.
    pub fn cut_short(&self, now: Time) -> Option<(Duration, Duration)> {
        let (asked, _) = self.asked?;
        let had = now.saturating_sub(asked);
        (self.end_by.is_some_and(|by| by <= now) && had < self.rules.grace)
            .then_some((had, self.rules.grace))
    }

    /// Why it ends, when that follows.
    fn ends_for(&self, next: Then) -> Cause {
        match next {
            Then::Fail | Then::ByRule => self.why.clone(),
            Then::Stop => Cause::StopAsked,
            Then::Start => self.again.clone(),
        }
    }

    pub(super) fn kill(&mut self, now: Time, out: &mut Vec<Output>) {
        if let Phase::Stopping { kill_at, .. } = &mut self.phase {
            *kill_at = None;
            self.asked = Some((self.asked.map_or(now, |(t, _)| t), libc::SIGKILL));
            out.push(Output::KillAll);
        }
    }

    pub(super) fn exited(
        &mut self,
        at: Moment,
        exit: Exit,
        then: Then,
        ready: Option<Time>,
        kill_at: Option<Time>,
        out: &mut Vec<Output>,
    ) {
        self.last_exit = Some(exit);
        self.ended = self.generation;
        let alone = then == Then::ByRule && ready.is_none();
        self.unready = alone.then(|| at.now.saturating_sub(self.spawned_at));
        if self.rules.is_watched() {
            out.push(Output::EndProbe);
        }
        let success = then == Then::ByRule && self.rules.is_success(exit);
        self.finished = success;
        let again = match self.rules.restart {
            // A task that has done its work is done.
            RestartRule::Always if self.rules.kind == Kind::Service => true,
            RestartRule::Always | RestartRule::OnFailure => !success,
            RestartRule::Never => false,
        };
        if then == Then::ByRule {
            self.why = Cause::Exited(exit);
        }
        let (then, retry) = match then {
            Then::ByRule | Then::Fail if again => {
                let proven = self.rules.ready_within.is_some();
                (then, Some(self.backoff.failed(at, ready, proven)))
            }
            other => (other, None),
        };
        // After a crash what is left only stands in the way of the next start. After a request
        // it was asked as well, so it gets the rest of the grace, within reason.
        let patience = kill_at.map_or(Duration::ZERO, |t| t.saturating_sub(at.now).min(LINGER));
        self.phase = Phase::Sweeping { then, retry };
        out.push(Output::Sweep(self.generation, patience));
    }

    pub(super) fn swept(
        &mut self,
        at: Moment,
        then: Then,
        retry: Option<Time>,
        out: &mut Vec<Output>,
    ) {
        match (then, retry) {
            (Then::Start, _) => self.begin(self.again.clone(), out),
            (Then::ByRule | Then::Fail, Some(until)) if until <= at.now => {
                let why = self.why.clone();
                self.begin(why, out);
            }
            (Then::ByRule | Then::Fail, Some(until)) => self.phase = Phase::Backoff { until },
            (Then::Stop, _) => self.stopped(Cause::StopAsked),
            (Then::ByRule | Then::Fail, None) => self.phase = self.rest(),
        }
    }
}
