//! Telling what changed: events, notes in the logs, the status.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::broadcast;

use super::unit::Unit;
use crate::base::ServiceName;
use crate::supervise::fleet::Fleet;
use crate::supervise::journal::JournalWriter;
use crate::supervise::metrics::Meter;
use crate::supervise::spec::Stack;
use crate::supervise::state::{Generation, Machine, Time};
use crate::supervise::status::{
    Cause, Event, Record, ServiceStatus, StackInfo, StackStatus, State, StateChange,
};
use crate::supervise::upgrade::state::ReportsState;

/// How long a service may take to end before it is said who is waited for, and how often.
const WAITS: Duration = Duration::from_secs(1);

/// Lines of a log that go into the reason of a failure.
const LAST_WORDS: usize = 8;

/// A process that ran for this long and ended before it was ready is told of at once: some such
/// failures in a row, as of one that ends quickly, would take longer than anybody waits.
const SLOW: Duration = Duration::from_secs(1);

/// What was told of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(in crate::supervise) struct Seen {
    state: State,
    start: Generation,
    reloads: u64,
    pid: Option<u32>,
    /// The start whose end was told last.
    ended: Generation,
}

impl Seen {
    fn of(machine: &Machine) -> Self {
        Self {
            state: machine.state(),
            start: machine.generation(),
            reloads: machine.reloads(),
            pid: machine.pid(),
            ended: machine.ended(),
        }
    }

    /// What a service is before anything is told of it.
    const NOTHING: Self = Self { state: State::Stopped, start: 0, reloads: 0, pid: None, ended: 0 };

    /// Whether what came after it is worth telling. The end of a process is told with the state
    /// that it leads to, not while the rest of it is being ended.
    fn tells(&self, now: &Self) -> bool {
        let started = now.pid.is_some() && now.pid != self.pid;
        self.state != now.state
            || self.start != now.start && now.state == State::Starting
            || self.start == now.start && self.reloads != now.reloads
            || started
    }
}

/// What was told already.
pub(super) struct Reports {
    events: broadcast::Sender<Record>,
    journal: JournalWriter,
    pub(super) meter: Meter,
    seen: BTreeMap<ServiceName, Seen>,
    stack_ready: bool,
    failed: Vec<ServiceName>,
    waits_told: Time,
}

impl Reports {
    pub(super) fn new(events: broadcast::Sender<Record>, journal: JournalWriter) -> Self {
        Self {
            events,
            journal,
            meter: Meter::default(),
            seen: BTreeMap::new(),
            stack_ready: false,
            failed: Vec::new(),
            waits_told: Time::ZERO,
        }
    }

    /// Writes an event into the journal and tells it to whoever follows.
    pub(super) fn tell(&mut self, event: Event) {
        // Nobody may be listening.
        let _ = self.events.send(self.journal.record(event));
    }

    /// What another program that goes on has to know.
    pub(super) fn pack(&self) -> ReportsState {
        ReportsState {
            meter: self.meter.clone(),
            seen: self.seen.clone(),
            stack_ready: self.stack_ready,
            failed: self.failed.clone(),
            waits_told: self.waits_told,
            next: self.journal.next(),
        }
    }

    /// Goes on where another program stopped.
    pub(super) fn go_on(&mut self, state: ReportsState) {
        let ReportsState { meter, seen, stack_ready, failed, waits_told, next } = state;
        (self.meter, self.seen, self.stack_ready) = (meter, seen, stack_ready);
        (self.failed, self.waits_told) = (failed, waits_told);
        self.journal.count_from(next);
    }

    /// Returns when everything that was told is in the journal.
    pub(super) async fn flush(&self) {
        if let Some(journal) = self.journal.flusher() {
            journal.done().await;
        }
    }

    /// Forgets a service that is no longer part of the stack.
    pub(super) fn forget(&mut self, name: &ServiceName) {
        self.seen.remove(name);
        self.failed.retain(|n| n != name);
        self.meter.forget(name);
    }

    /// The last event; returns when all of them are in the journal.
    pub(super) async fn close(mut self, last: Event) {
        self.tell(last);
        self.journal.close().await;
    }

    /// Tells every change since the last call.
    pub(super) fn changes(
        &mut self,
        stack: &Stack,
        fleet: &Fleet,
        units: &BTreeMap<ServiceName, Unit>,
        now: Time,
    ) {
        let mut changed = false;
        let mut told = Vec::new();
        for (name, machine) in fleet.iter() {
            let now_seen = Seen::of(machine);
            let before = self.seen.get(name).copied().unwrap_or(Seen::NOTHING);
            if before == now_seen {
                continue;
            }
            changed |= (before.state, before.start, before.pid)
                != (now_seen.state, now_seen.start, now_seen.pid);
            if !before.tells(&now_seen) {
                // What is not told now is told with the next change.
                let (start, ended) = (before.start, before.ended);
                self.seen.insert(name.clone(), Seen { start, ended, ..now_seen });
                continue;
            }
            let change = change(name, &before, machine, fleet, now);
            let ended = if change.exit.is_some() { now_seen.ended } else { before.ended };
            self.seen.insert(name.clone(), Seen { ended, ..now_seen });
            if let (State::Ready, Some(after)) = (change.to, machine.ready_after()) {
                self.meter.ready(name, after);
            }
            let reloaded = before.reloads != now_seen.reloads;
            if let Some(unit) = units.get(name).filter(|_| change.from != change.to || reloaded) {
                note(unit, machine, &change);
            }
            told.push(change);
        }
        // Causes before what follows from them: what became ready before what may start now.
        told.sort_by_key(|change| is_consequence(change.to));
        for change in told {
            self.tell(Event::State(change));
        }
        if changed && !fleet.is_stopping() {
            self.verdict(stack, fleet, units, now);
        }
    }

    /// Whether the stack became ready, or will not.
    fn verdict(
        &mut self,
        stack: &Stack,
        fleet: &Fleet,
        units: &BTreeMap<ServiceName, Unit>,
        now: Time,
    ) {
        let required = || {
            let needed = |n: &ServiceName| stack.services.get(n).is_some_and(|s| s.required);
            fleet.iter().filter(move |(n, _)| needed(n) && fleet.is_wanted(n))
        };
        if !self.stack_ready && required().all(|(_, m)| m.state().is_up()) {
            self.stack_ready = true;
            self.tell(Event::StackReady { at_ms: millis(now) });
        }
        // Those that failed themselves before those that wait for them: the first is the reason
        // that a start in the background gives.
        let (failed, held): (Vec<_>, Vec<_>) = required().partition(|(_, m)| is_hopeless(m));
        for (name, machine) in failed.into_iter().chain(held) {
            let hopeless = is_hopeless(machine) || fleet.is_held_for_good(name);
            let told = self.failed.contains(name);
            if hopeless && !told {
                self.failed.push(name.clone());
                let reason =
                    units.get(name).map_or_else(String::new, |u| reason(u, machine, fleet));
                self.tell(Event::StackFailed { service: name.clone(), reason });
            } else if told && machine.state().is_up() {
                self.failed.retain(|n| n != name);
            }
        }
    }

    /// When [`Self::waiting`] has something to tell.
    pub(super) fn wake_at(&self, fleet: &Fleet) -> Option<Time> {
        let first = fleet.iter().filter_map(|(_, m)| m.asked()).map(|(t, _)| t).min()?;
        Some((first + WAITS).max(self.waits_told + WAITS))
    }

    /// Says who is waited for.
    pub(super) fn waiting(&mut self, fleet: &Fleet, now: Time) {
        if self.wake_at(fleet).is_none_or(|t| t > now) {
            return;
        }
        self.waits_told = now;
        for (name, machine) in fleet.iter() {
            if let (Some((asked, signal)), Some(pid)) = (machine.asked(), machine.pid()) {
                let service = name.clone();
                let asked_ms = millis(now.saturating_sub(asked));
                self.tell(Event::StopWaits { service, pid, asked_ms, signal });
            }
        }
    }
}

fn change(
    name: &ServiceName,
    before: &Seen,
    machine: &Machine,
    fleet: &Fleet,
    now: Time,
) -> StateChange {
    let (from, to) = (before.state, machine.state());
    let ended = before.ended != machine.ended() && to != State::Stopping;
    StateChange {
        service: name.clone(),
        from,
        to,
        why: machine.why().clone(),
        pid: machine.pid(),
        retry_ms: retry(machine, now),
        at_ms: millis(now),
        start: machine.generation(),
        exit: if ended { machine.last_exit() } else { None },
        ready_ms: if to == State::Ready { machine.ready_after().map(millis) } else { None },
        waits_for: match to {
            State::Waiting => fleet.waits_for(name).cloned().collect(),
            _ => Vec::new(),
        },
    }
}

/// What runs, for the journal.
pub(super) fn info(stack: &Stack) -> StackInfo {
    let after = |s: &crate::supervise::spec::ServiceSpec| s.after.keys().cloned().collect();
    StackInfo {
        env: stack.env.clone(),
        digest: stack.digest.clone(),
        generation: stack.generation,
        supervisor: std::process::id(),
        services: stack.services.iter().map(|(n, s)| (n.clone(), after(s))).collect(),
    }
}

/// Whether a state may be what another service's change led to.
fn is_consequence(state: State) -> bool {
    matches!(state, State::Starting | State::Stopping | State::Waiting | State::Blocked)
}

/// Will not become ready without help, or has shown that it may never.
fn is_hopeless(machine: &Machine) -> bool {
    match machine.state() {
        State::Failed | State::Blocked => true,
        State::Stopped => *machine.why() != Cause::StopAsked,
        State::Stopping | State::Backoff => {
            matches!(machine.why(), Cause::NotReady(_) | Cause::PreStart(_))
                // Once its last lines are in its log.
                || machine.pid().is_none() && machine.unready().is_some_and(|ran| ran >= SLOW)
        }
        _ => false,
    }
}

fn reason(unit: &Unit, machine: &Machine, fleet: &Fleet) -> String {
    let mut text = match machine.state() {
        State::Waiting => {
            let one = |n: &ServiceName| match fleet.get(n) {
                Some(m) if is_hopeless(m) => format!("`{n}` ({})", m.why()),
                _ => format!("`{n}`"),
            };
            let waits: Vec<String> = fleet.waits_for(unit.name()).map(one).collect();
            format!("waits for {}", waits.join(", "))
        }
        _ => machine.why().to_string(),
    };
    // A gate's reason stands alone: nothing of this service ran.
    if machine.pid().is_some() || machine.last_exit().is_some() {
        for line in unit.last_words(LAST_WORDS) {
            text += "\n  ";
            text += &line;
        }
    }
    text
}

fn note(unit: &Unit, machine: &Machine, change: &StateChange) {
    let why = &change.why;
    let text = match change.to {
        State::Starting => return,
        State::Waiting => format!("waits; {why}"),
        State::Ready if matches!(why, Cause::ReloadAsked | Cause::ReloadAfter(_)) => {
            why.to_string()
        }
        State::Ready => {
            let after = machine.ready_after().map_or(0, millis);
            format!("ready {after} ms after its start, pid {}", change.pid.unwrap_or(0))
        }
        State::Backoff | State::Failed if change.retry_ms.is_some() => {
            let wait = change.retry_ms.unwrap_or(0);
            let word = if change.to == State::Failed { "failed" } else { "down" };
            format!("{word}: {why}; next start in {wait} ms")
        }
        state => format!("{state}: {why}"),
    };
    unit.note(&text);
}

fn retry(machine: &Machine, now: Time) -> Option<u64> {
    machine.retry_at().map(|t| millis(t.saturating_sub(now)))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The whole status, now.
pub(super) fn status(
    stack: &Stack,
    fleet: &Fleet,
    units: &BTreeMap<ServiceName, Unit>,
    now: Time,
) -> StackStatus {
    let one = |unit: &Unit| {
        let machine = fleet.get(unit.name())?;
        Some(ServiceStatus {
            name: unit.name().clone(),
            replica_of: unit.spec().replica_of.clone(),
            state: machine.state(),
            why: machine.why().clone(),
            required: unit.spec().required,
            pid: machine.pid(),
            since_ms: millis(now.saturating_sub(machine.since())),
            ready_ms: machine.ready_after().map(millis),
            retry_ms: retry(machine, now),
            next_ms: match machine.state() {
                State::Scheduled => unit.next_run().map(millis),
                _ => None,
            },
            wanted: fleet.is_wanted(unit.name()),
            says: machine.says().map(str::to_owned),
            restarts: machine.restarts(),
            last_exit: machine.last_exit(),
            waits_for: match machine.state() {
                State::Waiting => fleet.waits_for(unit.name()).cloned().collect(),
                _ => Vec::new(),
            },
            ports: unit.spec().ports.clone(),
            log: unit.log_path().to_owned(),
            logged: unit.logged(),
            start: machine.generation(),
            usage: None,
            sandbox: None,
        })
    };
    StackStatus {
        env: stack.env.clone(),
        digest: stack.digest.clone(),
        generation: stack.generation,
        project: stack.project.clone(),
        supervisor: std::process::id(),
        uptime_ms: millis(now),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        upgrade: None,
        stopping: fleet.is_stopping(),
        services: units.values().filter_map(one).collect(),
    }
}
