//! The life of one service, as a pure machine: inputs and the time go in, orders come out.
//!
//! Owns every decision about starting, readiness, stopping and restarting. Knows no process, no
//! clock and no randomness. Invariants: a start is ordered only when nothing of the service is
//! alive (the last process was reported ended *and* swept); an input that carries an old
//! generation changes nothing; once a stop is asked, no start is ordered.

mod change;
mod view;
mod words;

use std::time::Duration;

pub use self::words::{Generation, Input, Moment, Output, Rules, Time};
use super::backoff::Backoff;
use super::spec::RestartRule;
use super::status::{Cause, Exit};

/// How long what is left of a service may take after its leader ended on request.
const LINGER: Duration = Duration::from_millis(500);

/// What follows the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// It ends by its rule: whatever the exit calls for.
    ByRule,
    /// It counts as failed.
    Fail,
    Start,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Waiting,
    Gating,
    /// A start cannot be taken back: what is asked meanwhile is kept for its answer.
    Spawning {
        then: Then,
        kill: bool,
    },
    Running {
        ready: Option<Time>,
    },
    Stopping {
        then: Then,
        kill_at: Option<Time>,
    },
    /// The leader ended; `retry` is when the next start is due.
    Sweeping {
        then: Then,
        retry: Option<Time>,
    },
    Backoff {
        until: Time,
    },
    Blocked,
    Stopped,
}

/// The machine of one service.
#[derive(Clone, Debug)]
pub struct Machine {
    rules: Rules,
    phase: Phase,
    generation: Generation,
    deps: bool,
    backoff: Backoff,
    /// Why it is in its phase.
    why: Cause,
    /// When the visible state changed.
    since: Time,
    /// When the process was started.
    spawned_at: Time,
    /// From start to readiness, of the last start that became ready.
    ready_after: Option<Duration>,
    pid: Option<u32>,
    probe_error: Option<String>,
    /// When it was asked to end, and the last signal.
    asked: Option<(Time, i32)>,
    starts: u64,
    last_exit: Option<Exit>,
}

impl Machine {
    /// A service that is not wanted yet.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            phase: Phase::Stopped,
            generation: 0,
            deps: false,
            backoff: Backoff::default(),
            why: Cause::Boot,
            since: Time::ZERO,
            spawned_at: Time::ZERO,
            ready_after: None,
            pid: None,
            probe_error: None,
            asked: None,
            starts: 0,
            last_exit: None,
        }
    }

    /// Takes one input; gives what is to be done, in order.
    pub fn step(&mut self, at: Moment, input: Input) -> Vec<Output> {
        let before = self.state();
        let mut out = Vec::new();
        self.take(at, input, &mut out);
        if self.state() != before {
            self.since = at.now;
        }
        out
    }

    fn take(&mut self, at: Moment, input: Input, out: &mut Vec<Output>) {
        let current = self.generation;
        match (input, self.phase) {
            (Input::Deps(ready), _) => {
                self.deps = ready;
                self.proceed(out);
            }
            (Input::Start, Phase::Stopped | Phase::Blocked) => {
                self.begin(Cause::Boot, out);
            }

            // What it comes after may have gone while the gate looked.
            (Input::GatePassed(g), Phase::Gating) if g == current && !self.deps => {
                self.phase = Phase::Waiting;
            }
            (Input::GatePassed(g), Phase::Gating) if g == current => {
                self.phase = Phase::Spawning { then: Then::ByRule, kill: false };
                out.push(Output::Spawn(g));
            }
            (Input::GateRefused(g, why), Phase::Gating) if g == current => {
                self.phase = Phase::Blocked;
                self.why = Cause::GateRefused(why);
            }

            (Input::Spawned(g, pid), Phase::Spawning { then, kill }) if g == current => {
                self.spawned(at, pid, then, kill, out);
            }
            (Input::SpawnFailed(g, why, retry), Phase::Spawning { then, .. }) if g == current => {
                match then {
                    Then::Stop => self.stopped(Cause::StopAsked),
                    Then::Start => self.begin(Cause::RestartAsked, out),
                    Then::ByRule | Then::Fail => {
                        self.why = Cause::CannotStart(why);
                        self.phase = if retry {
                            Phase::Backoff { until: self.backoff.failed(at, None, false) }
                        } else {
                            Phase::Blocked
                        };
                    }
                }
            }

            (Input::ProbeOk(g), Phase::Running { ready: None }) if g == current => {
                self.ready(at.now);
            }
            (Input::ProbeFailed(g, why), Phase::Running { ready: None }) if g == current => {
                self.probe_error = Some(why);
            }

            (Input::Exited(g, exit), Phase::Running { ready }) if g == current => {
                self.exited(at, exit, Then::ByRule, ready, None, out);
            }
            (Input::Exited(g, exit), Phase::Stopping { then, kill_at }) if g == current => {
                self.exited(at, exit, then, None, kill_at, out);
            }
            (Input::Swept(g), Phase::Sweeping { then, retry }) if g == current => {
                self.pid = None;
                self.swept(at, then, retry, out);
            }

            (Input::Stop, _) => self.stop(at, Then::Stop, out),
            (Input::Restart, _) => self.restart(at, out),
            (Input::Kill, phase) => {
                self.stop(at, Then::Stop, out);
                match phase {
                    Phase::Running { .. } | Phase::Stopping { .. } => self.kill(at.now, out),
                    Phase::Spawning { .. } => {
                        self.phase = Phase::Spawning { then: Then::Stop, kill: true };
                    }
                    Phase::Sweeping { .. } => out.push(Output::KillAll),
                    _ => {}
                }
            }
            (Input::Tick, _) => self.tick(at, out),

            // Late news of an earlier generation, or what no longer matters.
            _ => {}
        }
    }

    /// Wants a start: the only way to one, for boot, restart and retry alike.
    fn begin(&mut self, why: Cause, out: &mut Vec<Output>) {
        self.phase = Phase::Waiting;
        self.why = why;
        self.proceed(out);
    }

    fn proceed(&mut self, out: &mut Vec<Output>) {
        if self.phase == Phase::Waiting && self.deps {
            self.generation += 1;
            self.phase = Phase::Gating;
            self.ready_after = None;
            self.probe_error = None;
            self.asked = None;
            out.push(Output::Gate(self.generation));
        }
    }

    fn spawned(&mut self, at: Moment, pid: u32, then: Then, kill: bool, out: &mut Vec<Output>) {
        self.pid = Some(pid);
        self.starts += 1;
        self.spawned_at = at.now;
        self.phase = Phase::Running { ready: None };
        self.why = Cause::Spawned;
        match then {
            Then::ByRule | Then::Fail if self.rules.ready_within.is_some() => {
                out.push(Output::Probe(self.generation));
            }
            Then::ByRule | Then::Fail => self.ready(at.now),
            Then::Start | Then::Stop => {
                self.stop(at, then, out);
                if kill {
                    self.kill(at.now, out);
                }
            }
        }
    }

    fn ready(&mut self, now: Time) {
        self.phase = Phase::Running { ready: Some(now) };
        self.ready_after = Some(now.saturating_sub(self.spawned_at));
        self.why = Cause::Ready;
    }

    fn exited(
        &mut self,
        at: Moment,
        exit: Exit,
        then: Then,
        ready: Option<Time>,
        kill_at: Option<Time>,
        out: &mut Vec<Output>,
    ) {
        self.last_exit = Some(exit);
        if self.rules.ready_within.is_some() {
            out.push(Output::EndProbe);
        }
        let again = match self.rules.restart {
            RestartRule::Always => true,
            RestartRule::OnFailure => then == Then::Fail || !exit.is_success(),
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

    fn swept(&mut self, at: Moment, then: Then, retry: Option<Time>, out: &mut Vec<Output>) {
        match (then, retry) {
            (Then::Start, _) => self.begin(Cause::RestartAsked, out),
            (Then::ByRule | Then::Fail, Some(until)) if until <= at.now => {
                let why = self.why.clone();
                self.begin(why, out);
            }
            (Then::ByRule | Then::Fail, Some(until)) => self.phase = Phase::Backoff { until },
            (Then::Stop, _) => self.stopped(Cause::StopAsked),
            (Then::ByRule | Then::Fail, None) => self.phase = Phase::Stopped,
        }
    }

    fn stopped(&mut self, why: Cause) {
        self.phase = Phase::Stopped;
        self.why = why;
    }

    fn stop(&mut self, at: Moment, next: Then, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Waiting | Phase::Gating | Phase::Backoff { .. } | Phase::Blocked => {
                self.stopped(Cause::StopAsked);
            }
            Phase::Spawning { then, .. }
            | Phase::Stopping { then, .. }
            | Phase::Sweeping { then, .. } => *then = next,
            Phase::Running { .. } => {
                self.phase =
                    Phase::Stopping { then: next, kill_at: Some(at.now + self.rules.grace) };
                self.asked = Some((at.now, self.rules.stop_signal));
                if next != Then::Fail {
                    self.why =
                        if next == Then::Stop { Cause::StopAsked } else { Cause::RestartAsked };
                }
                if self.rules.ready_within.is_some() {
                    out.push(Output::EndProbe);
                }
                out.push(Output::Signal(self.rules.stop_signal));
            }
            Phase::Stopped => {}
        }
    }

    fn restart(&mut self, at: Moment, out: &mut Vec<Output>) {
        self.backoff = Backoff::default();
        match &mut self.phase {
            Phase::Waiting | Phase::Gating => {}
            // It is being started already; only a stop asked meanwhile is taken back.
            Phase::Spawning { then, .. } => *then = Then::ByRule,
            Phase::Backoff { .. } | Phase::Blocked | Phase::Stopped => {
                self.begin(Cause::RestartAsked, out);
            }
            Phase::Running { .. } | Phase::Stopping { .. } | Phase::Sweeping { .. } => {
                self.stop(at, Then::Start, out);
            }
        }
    }

    fn kill(&mut self, now: Time, out: &mut Vec<Output>) {
        if let Phase::Stopping { kill_at, .. } = &mut self.phase {
            *kill_at = None;
            self.asked = Some((self.asked.map_or(now, |(t, _)| t), libc::SIGKILL));
            out.push(Output::KillAll);
        }
    }

    fn tick(&mut self, at: Moment, out: &mut Vec<Output>) {
        match self.phase {
            Phase::Running { ready: None }
                if self.probe_deadline().is_some_and(|t| t <= at.now) =>
            {
                let seen = self.probe_error.take();
                self.why = Cause::NotReady(seen.unwrap_or_else(|| "no answer".to_owned()));
                self.stop(at, Then::Fail, out);
            }
            Phase::Running { ready: Some(ready) } => self.backoff.settle(at.now, ready),
            Phase::Stopping { kill_at: Some(t), .. } if t <= at.now => self.kill(at.now, out),
            Phase::Backoff { until } if until <= at.now => self.begin(Cause::Retry, out),
            _ => {}
        }
    }

    fn probe_deadline(&self) -> Option<Time> {
        self.rules.ready_within.map(|within| self.spawned_at + within)
    }
}

#[cfg(test)]
mod tests;
