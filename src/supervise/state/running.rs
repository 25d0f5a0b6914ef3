//! While a process runs: readiness, liveness, what it says, reload, and time.

use super::{Cause, Input, Machine, Moment, Notice, Output, Phase, Then, Time};
use crate::supervise::spec::Kind;

impl Machine {
    pub(super) fn spawned(
        &mut self,
        at: Moment,
        pid: u32,
        then: Then,
        kill: bool,
        out: &mut Vec<Output>,
    ) {
        self.pid = Some(pid);
        self.starts += 1;
        self.spawned_at = at.now;
        self.phase = Phase::Running { ready: None };
        self.why = Cause::Spawned;
        self.watchdog = self.rules.watchdog;
        self.alive_failures = 0;
        self.ready_by = self.rules.ready_within.map(|within| at.now + within);
        match then {
            Then::ByRule | Then::Fail if self.ready_by.is_some() => {
                out.push(Output::Probe(self.generation));
            }
            // It is done when it has ended.
            Then::ByRule | Then::Fail if self.rules.kind == Kind::Task => {}
            Then::ByRule | Then::Fail => self.ready(at.now, out),
            Then::Start | Then::Stop => {
                self.stop(at, then, out);
                if kill {
                    self.kill(at.now, out);
                }
            }
        }
    }

    pub(super) fn ready(&mut self, now: Time, out: &mut Vec<Output>) {
        self.phase = Phase::Running { ready: Some(now) };
        self.ready_after = Some(now.saturating_sub(self.spawned_at));
        self.why = Cause::Ready;
        self.seen_alive = now;
        if self.rules.alive_failures.is_some() {
            out.push(Output::Watch(self.generation));
        }
    }

    /// One look after readiness.
    pub(super) fn looked(&mut self, at: Moment, seen: Result<(), String>, out: &mut Vec<Output>) {
        let Err(why) = seen else {
            self.alive_failures = 0;
            return;
        };
        self.alive_failures += 1;
        if self.rules.alive_failures.is_some_and(|limit| self.alive_failures >= limit) {
            self.why = Cause::NotAlive(why);
            self.stop(at, Then::Fail, out);
        }
    }

    pub(super) fn notice(&mut self, at: Moment, notice: Notice, out: &mut Vec<Output>) {
        let running = matches!(self.phase, Phase::Running { .. });
        match notice {
            Notice::Ready => {
                if self.phase == (Phase::Running { ready: None }) && self.rules.says_ready {
                    self.ready(at.now, out);
                }
                self.says = None;
            }
            Notice::Reloading => self.says = Some("reloading".to_owned()),
            Notice::Stopping => self.says = Some("stopping".to_owned()),
            Notice::Status(text) => self.says = (!text.is_empty()).then_some(text),
            Notice::Alive => self.seen_alive = at.now,
            Notice::WatchdogEvery(period) => {
                self.watchdog = (!period.is_zero()).then_some(period);
                self.seen_alive = at.now;
            }
            Notice::Trigger if running => {
                self.why = Cause::Watchdog;
                self.stop(at, Then::Fail, out);
            }
            Notice::Trigger => {}
            Notice::Extend(time) => {
                let until = at.now.saturating_add(time);
                let to_end = self.within(until);
                match &mut self.phase {
                    Phase::Running { ready: None } => {
                        self.ready_by = self.ready_by.map(|t| t.max(until));
                    }
                    Phase::Stopping { kill_at: Some(t), .. } => *t = (*t).max(to_end),
                    _ => {}
                }
            }
        }
    }

    pub(super) fn reload(&mut self, why: Cause, out: &mut Vec<Output>) {
        self.reloads += 1;
        if self.state() == crate::supervise::status::State::Ready {
            self.why = why;
        }
        out.push(Output::Reload(self.generation));
    }

    /// When a sign of life is overdue.
    pub(super) fn watchdog_due(&self) -> Option<Time> {
        let Phase::Running { ready: Some(_) } = self.phase else { return None };
        self.watchdog.map(|period| self.seen_alive.saturating_add(period))
    }

    pub(super) fn tick(&mut self, at: Moment, out: &mut Vec<Output>) {
        let overdue = |due: Option<Time>| due.is_some_and(|t| t <= at.now);
        match self.phase {
            Phase::Running { ready: None } if overdue(self.ready_by) => {
                let seen = self.probe_error.take();
                self.why = Cause::NotReady(seen.unwrap_or_else(|| "no answer".to_owned()));
                self.stop(at, Then::Fail, out);
            }
            Phase::Running { ready: Some(_) } if overdue(self.watchdog_due()) => {
                self.why = Cause::Watchdog;
                self.stop(at, Then::Fail, out);
            }
            Phase::Running { ready: Some(ready) } => self.backoff.settle(at.now, ready),
            Phase::Stopping { kill_at: Some(t), .. } if t <= at.now => self.kill(at.now, out),
            Phase::Backoff { until } if until <= at.now => self.begin(Cause::Retry, out),
            _ => {}
        }
    }

    /// Whether an input asks for a process; refused while a whole stack stops.
    pub fn asks_for_more(input: &Input) -> bool {
        matches!(
            input,
            Input::Start | Input::StartAsked | Input::Restart | Input::Due | Input::PortFree(_)
        )
    }
}
