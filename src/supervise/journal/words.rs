//! Why something runs or does not, in words.
//!
//! Answers from the [`History`] alone, so that the answer is the same with and without a running
//! supervisor. Invariant: what a service waits for is explained along with it, however far the
//! chain goes, and each service once.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::History;
use super::history::Past;
use crate::base::ServiceName;
use crate::supervise::status::{Cause, State, StateChange};

/// The answer for one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Why {
    /// The service.
    pub service: ServiceName,
    /// Its state, or its last one when no supervisor runs; null when it never had one.
    pub state: Option<State>,
    /// Whether a supervisor runs.
    pub running: bool,
    /// When the state began, in UTC.
    pub since: Option<String>,
    /// The answer, a sentence each.
    pub because: Vec<String>,
    /// The same for each service that it waits for.
    pub waits_for: Vec<Self>,
    /// The last lines that it wrote, where it failed.
    pub log: Vec<String>,
}

/// Explains a service; `None` when the last run had none of that name. `now` is a time as records
/// have it; `last_words` gives the last lines of a service's log.
pub fn explain(
    history: &History,
    running: bool,
    service: &ServiceName,
    now: Timestamp,
    last_words: &dyn Fn(&ServiceName) -> Vec<String>,
) -> Option<Why> {
    let words = Words { history, running, now, last_words };
    words.service(service, &mut BTreeSet::new())
}

struct Words<'a> {
    history: &'a History,
    running: bool,
    now: Timestamp,
    last_words: &'a dyn Fn(&ServiceName) -> Vec<String>,
}

impl Words<'_> {
    fn service(&self, name: &ServiceName, seen: &mut BTreeSet<ServiceName>) -> Option<Why> {
        let past = self.history.services.get(name)?;
        if !seen.insert(name.clone()) {
            return None;
        }
        let mut because = Vec::new();
        if !self.running {
            because.push(self.no_supervisor());
        }
        let mut waits_for = Vec::new();
        match &past.last {
            None => because.push(format!("{name} was never started in this run")),
            Some((at, change)) => {
                because.push(self.state(name, past, at, change));
                if let Some(text) = self.started(past, change) {
                    because.push(text);
                }
                because.extend(self.upgraded(past));
                if change.to == State::Waiting {
                    waits_for = self
                        .unsatisfied(name)
                        .iter()
                        .filter_map(|dep| self.service(dep, seen))
                        .collect();
                }
            }
        }
        let failed = !past.failures.is_empty() && past.state() != Some(State::Ready);
        Some(Why {
            service: name.clone(),
            state: past.state(),
            running: self.running,
            since: past.last.as_ref().map(|(at, _)| at.clone()),
            because,
            waits_for,
            log: if failed { (self.last_words)(name) } else { Vec::new() },
        })
    }

    fn unsatisfied(&self, name: &ServiceName) -> Vec<ServiceName> {
        let after = self.history.stack.iter().flat_map(|s| s.services.get(name)).flatten();
        let lacks = |n: &&ServiceName| !self.history.services.get(*n).is_some_and(Past::satisfies);
        after.filter(lacks).cloned().collect()
    }

    fn no_supervisor(&self) -> String {
        let history = self.history;
        match (&history.ended, &history.down) {
            (Some((at, true)), Some((_, Some(pid)))) => {
                format!(
                    "no supervisor runs: pid {pid} asked the last one to end, which it did {}",
                    self.ago(at)
                )
            }
            (Some((at, true)), _) => {
                format!(
                    "no supervisor runs: the last one was told to end, which it did {}",
                    self.ago(at)
                )
            }
            (Some((at, false)), _) => {
                format!(
                    "no supervisor runs: the last one ended {}, when nothing was left to run",
                    self.ago(at)
                )
            }
            (None, _) => format!(
                "no supervisor runs: the last one ended without a word after {}; it was killed, or the machine went down",
                history.last_at
            ),
        }
    }

    fn state(&self, name: &ServiceName, past: &Past, at: &str, change: &StateChange) -> String {
        let verb = if self.running { "is" } else { "was" };
        let since = if self.running {
            format!("since {at} ({})", self.ago(at))
        } else {
            format!("from {at} on")
        };
        let head = format!("{name} {verb} {} {since}", word(change.to));
        match change.to {
            State::Ready => {
                let pid = change.pid.map(|p| format!(" with pid {p}")).unwrap_or_default();
                let after = change.ready_ms.map(|ms| format!(", {ms} ms after its start"));
                format!("{head}{pid}{}", after.unwrap_or_default())
            }
            State::Waiting => {
                let waits: Vec<String> =
                    self.unsatisfied(name).iter().map(ToString::to_string).collect();
                match waits.as_slice() {
                    [] => format!("{head}: for services that are ready by now"),
                    waits => format!("{head}: for {}", waits.join(", ")),
                }
            }
            State::Starting => match change.pid {
                Some(pid) => format!("{head}: pid {pid} runs and is not ready yet"),
                None => format!("{head}: {}", change.why),
            },
            State::Completed => format!("{head}: {}", change.why),
            State::Scheduled => format!("{head}: it runs again when its time comes"),
            State::Backoff | State::Failed => {
                let next = self.next(at, change);
                format!("{head}: {}{next}", self.failures(past, &change.why))
            }
            State::Stopped if change.why == Cause::StopAsked => match &past.asked {
                Some((_, action, Some(pid))) => {
                    format!("{head}: pid {pid} asked for `{}`", action.as_str())
                }
                _ => format!("{head}: that was asked"),
            },
            State::Stopped | State::Blocked | State::Stopping => {
                format!("{head}: {}", self.failures(past, &change.why))
            }
        }
    }

    /// Why the start before the current state was made, where that adds something.
    fn started(&self, past: &Past, change: &StateChange) -> Option<String> {
        let (at, why) = past.started.as_ref()?;
        let running = matches!(change.to, State::Ready) || change.pid.is_some();
        (running && self.running).then(|| {
            let why = match why {
                Cause::Exited(exit) => format!("it had ended by itself with {exit}"),
                other => other.to_string(),
            };
            let times = match change.start {
                0 | 1 => String::new(),
                n => format!(", for the {n}. time"),
            };
            format!("it was started {}{times}: {why}", self.ago(at))
        })
    }

    /// That the supervisor's program was replaced since the service was started, which it survived.
    fn upgraded(&self, past: &Past) -> Option<String> {
        let (at, upgrade) = self.history.upgraded.as_ref()?;
        let (started, _) = past.started.as_ref()?;
        let runs = past.last.as_ref().is_some_and(|(_, change)| change.pid.is_some());
        (self.running && runs && at >= started).then(|| {
            let (from, to) = (&upgrade.from, &upgrade.to);
            let ago = self.ago(at);
            format!("the supervisor's program was replaced {ago}, {from} → {to}; it ran on")
        })
    }

    fn failures(&self, past: &Past, why: &Cause) -> String {
        let same = past.failures.iter().filter(|f| same_kind(f, why)).count();
        let times = match (same, past.failures.len()) {
            (0 | 1, 0 | 1) => String::new(),
            (2, 2) => ", twice".to_owned(),
            (same, all) if same == all => format!(", {all} times"),
            (_, all) => format!("; it failed {all} times so far"),
        };
        match why {
            Cause::Exited(exit) => format!("it ended by itself with {}{times}", exit),
            other => format!("{other}{times}"),
        }
    }

    fn next(&self, at: &str, change: &StateChange) -> String {
        let (true, Some(wait), Some(past_ms)) = (self.running, change.retry_ms, self.age_ms(at))
        else {
            return String::new();
        };
        match wait.saturating_sub(past_ms) {
            0 => "; the next try is due now".to_owned(),
            left if left < 1000 => format!("; next try in {left} ms"),
            left => format!("; next try in {} s", left.div_ceil(1000)),
        }
    }

    fn age_ms(&self, at: &str) -> Option<u64> {
        let at: Timestamp = at.parse().ok()?;
        u64::try_from(self.now.as_millisecond() - at.as_millisecond()).ok()
    }

    fn ago(&self, at: &str) -> String {
        match self.age_ms(at).map(|ms| ms / 1000) {
            None => format!("at {at}"),
            Some(0) => "just now".to_owned(),
            Some(s @ 1..=119) => format!("{s} s ago"),
            Some(s @ 120..=7199) => format!("{} min ago", s / 60),
            Some(s) => format!("{} h ago", s / 3600),
        }
    }
}

fn same_kind(a: &Cause, b: &Cause) -> bool {
    match (a, b) {
        (Cause::Exited(a), Cause::Exited(b)) => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

fn word(state: State) -> &'static str {
    match state {
        State::Backoff => "in backoff",
        other => other.as_str(),
    }
}

#[cfg(test)]
mod tests;
