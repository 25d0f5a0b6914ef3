//! The life of one service, as a pure machine: inputs and the time go in, orders come out.
//!
//! Owns every decision about starting, readiness, liveness, reloading, stopping and restarting.
//! Knows no process, no clock and no randomness. Invariants: a start is ordered only when nothing
//! of the service is alive (the last process was reported ended *and* swept, and the command
//! before a start has ended); an input that carries an old generation changes nothing; once a stop
//! is asked, no start is ordered.

mod change;
mod end;
mod running;
mod view;
mod words;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::words::{Generation, Input, Moment, Notice, Output, Rules, Time};
use super::backoff::Backoff;
use super::spec::{Follow, RestartRule};
use super::status::{Cause, Exit};

/// What follows the end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Then {
    /// It ends by its rule: whatever the exit calls for.
    ByRule,
    /// It counts as failed.
    Fail,
    Start,
    Stop,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Waits for its time.
    Idle,
    Waiting,
    /// A command before the start cannot be taken back at once: what is asked meanwhile is kept.
    Gating {
        then: Then,
    },
    /// A stranger has its port.
    Held,
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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    rules: Rules,
    phase: Phase,
    generation: Generation,
    deps: bool,
    backoff: Backoff,
    /// Why it is in its phase.
    why: Cause,
    /// Why it starts again, while it ends for that.
    again: Cause,
    /// When the visible state changed.
    since: Time,
    /// When the process was started.
    spawned_at: Time,
    /// From start to readiness, of the last start that became ready.
    ready_after: Option<Duration>,
    /// When it must be ready.
    ready_by: Option<Time>,
    pid: Option<u32>,
    probe_error: Option<String>,
    /// Failed looks in a row since readiness.
    alive_failures: u32,
    /// How often a sign of life is due, and when the last came.
    watchdog: Option<Duration>,
    seen_alive: Time,
    /// What it says of itself.
    says: Option<String>,
    /// When it was asked to end, and the last signal.
    asked: Option<(Time, i32)>,
    /// When it is killed at the latest: the end of all has a limit.
    end_by: Option<Time>,
    starts: u64,
    reloads: u64,
    last_exit: Option<Exit>,
    /// The start whose process ended last.
    ended: Generation,
    /// How long the last process ran, when it ended by itself and never became ready.
    unready: Option<Duration>,
    /// Whether the last run ended by itself with success.
    finished: bool,
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
            again: Cause::RestartAsked,
            since: Time::ZERO,
            spawned_at: Time::ZERO,
            ready_after: None,
            ready_by: None,
            pid: None,
            probe_error: None,
            alive_failures: 0,
            watchdog: None,
            seen_alive: Time::ZERO,
            says: None,
            asked: None,
            end_by: None,
            starts: 0,
            reloads: 0,
            last_exit: None,
            ended: 0,
            unready: None,
            finished: false,
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
            (Input::Start, Phase::Stopped | Phase::Blocked) if self.rules.scheduled => {
                self.phase = Phase::Idle;
                self.why = Cause::Boot;
            }
            (Input::Start, Phase::Stopped | Phase::Blocked) => self.begin(Cause::Boot, out),
            (Input::StartAsked, _) => self.start_asked(out),
            (Input::Due, Phase::Idle) => self.begin(Cause::Due, out),

            (Input::GatePassed(g), Phase::Gating { then }) if g == current => {
                self.gate_passed(then, out);
            }
            (Input::GateRefused(g, why), Phase::Gating { then }) if g == current => {
                self.not_gated(then, Cause::GateRefused(why), Phase::Blocked, out);
            }
            (Input::PortTaken(g, why), Phase::Gating { then }) if g == current => {
                self.not_gated(then, Cause::PortTaken(why), Phase::Held, out);
                if self.phase == Phase::Held {
                    out.push(Output::AwaitPorts(g));
                }
            }
            (Input::PreStartFailed(g, why), Phase::Gating { then }) if g == current => {
                let next = match self.rules.restart {
                    _ if then != Then::ByRule => Phase::Stopped,
                    RestartRule::Never => self.rest(),
                    _ => Phase::Backoff { until: self.backoff.failed(at, None, false) },
                };
                self.not_gated(then, Cause::PreStart(why), next, out);
            }
            (Input::PortFree(g), Phase::Held) if g == current => self.begin(Cause::Retry, out),

            (Input::Spawned(g, pid), Phase::Spawning { then, kill }) if g == current => {
                self.spawned(at, pid, then, kill, out);
            }
            (Input::SpawnFailed(g, why, retry), Phase::Spawning { then, .. }) if g == current => {
                let next = if retry && then == Then::ByRule {
                    Phase::Backoff { until: self.backoff.failed(at, None, false) }
                } else {
                    Phase::Blocked
                };
                self.not_gated(then, Cause::CannotStart(why), next, out);
            }

            (Input::ProbeOk(g), Phase::Running { ready: None }) if g == current => {
                self.ready(at.now, out);
            }
            (Input::ProbeFailed(g, why), Phase::Running { ready: None }) if g == current => {
                self.probe_error = Some(why);
            }
            (Input::Alive(g, seen), Phase::Running { ready: Some(_) }) if g == current => {
                self.looked(at, seen, out);
            }
            (Input::Notice(g, notice), _) if g == current => self.notice(at, notice, out),
            (Input::StopCommandFailed(g), Phase::Stopping { kill_at: Some(_), .. })
                if g == current =>
            {
                self.asked = Some((at.now, self.rules.stop_signal));
                out.push(Output::Signal(self.rules.stop_signal));
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
            (Input::Restart, _) => {
                self.backoff = Backoff::default();
                self.restart(at, Cause::RestartAsked, out);
            }
            (Input::Reload, Phase::Running { .. }) if self.rules.reloads => {
                self.reload(Cause::ReloadAsked, out);
            }
            (Input::Follow(name), Phase::Running { .. }) => match self.rules.follow {
                Follow::Keep => {}
                Follow::Reload => self.reload(Cause::ReloadAfter(name), out),
                Follow::Restart => self.restart(at, Cause::RestartAfter(name), out),
            },
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
            self.phase = Phase::Gating { then: Then::ByRule };
            self.ready_after = None;
            self.probe_error = None;
            self.says = None;
            self.asked = None;
            self.finished = false;
            self.unready = None;
            out.push(Output::Gate(self.generation));
        }
    }

    fn gate_passed(&mut self, then: Then, out: &mut Vec<Output>) {
        match then {
            Then::Stop => self.stopped(Cause::StopAsked),
            Then::Start => self.begin(self.again.clone(), out),
            // What it comes after may have gone while the gate looked.
            Then::ByRule | Then::Fail if !self.deps => self.phase = Phase::Waiting,
            Then::ByRule | Then::Fail => {
                self.phase = Phase::Spawning { then: Then::ByRule, kill: false };
                out.push(Output::Spawn(self.generation));
            }
        }
    }

    /// It did not come to a process: what was asked meanwhile, or else `next`.
    fn not_gated(&mut self, then: Then, why: Cause, next: Phase, out: &mut Vec<Output>) {
        match then {
            Then::Stop => self.stopped(Cause::StopAsked),
            Then::Start => self.begin(self.again.clone(), out),
            Then::ByRule | Then::Fail => {
                self.phase = next;
                self.why = why;
            }
        }
    }

    fn start_asked(&mut self, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Stopped | Phase::Blocked | Phase::Held | Phase::Backoff { .. } => {
                if self.phase == Phase::Held {
                    out.push(Output::EndGate);
                }
                self.backoff = Backoff::default();
                if self.rules.scheduled {
                    self.phase = Phase::Idle;
                    self.why = Cause::StartAsked;
                } else {
                    self.begin(Cause::StartAsked, out);
                }
            }
            // A stop asked before is taken back.
            Phase::Stopping { then, .. }
            | Phase::Sweeping { then, .. }
            | Phase::Spawning { then, .. }
            | Phase::Gating { then }
                if *then == Then::Stop =>
            {
                *then = Then::Start;
                self.again = Cause::StartAsked;
            }
            _ => {}
        }
    }

    fn restart(&mut self, at: Moment, why: Cause, out: &mut Vec<Output>) {
        match &mut self.phase {
            Phase::Waiting => {}
            // It is being started already; only a stop asked meanwhile is taken back.
            Phase::Spawning { then, .. } => {
                if *then != Then::ByRule {
                    *then = Then::ByRule;
                    self.why = why;
                }
            }
            Phase::Gating { then } => {
                if *then == Then::Stop {
                    *then = Then::Start;
                    self.again = why;
                }
            }
            Phase::Held => {
                out.push(Output::EndGate);
                self.begin(why, out);
            }
            Phase::Backoff { .. } | Phase::Blocked | Phase::Stopped | Phase::Idle => {
                self.begin(why, out);
            }
            Phase::Running { .. } | Phase::Stopping { .. } | Phase::Sweeping { .. } => {
                self.again = why;
                self.stop(at, Then::Start, out);
            }
        }
    }

    fn stopped(&mut self, why: Cause) {
        self.phase = Phase::Stopped;
        self.why = why;
    }

    /// Where it goes when it is not started again: to the next time, if it has one.
    fn rest(&self) -> Phase {
        if self.rules.scheduled { Phase::Idle } else { Phase::Stopped }
    }
}

#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod world;
