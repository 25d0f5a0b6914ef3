//! The last run, as the journal tells it.
//!
//! Pure: records go in, what is known of each service comes out. Holds whether or not a supervisor
//! runs, since a running one writes down every change as it happens.

use std::collections::BTreeMap;

use crate::base::ServiceName;
use crate::supervise::status::{
    Action, Cause, Event, Record, StackInfo, State, StateChange, Upgrade,
};

/// A service that was ready for this long has a clean slate, as in the restart rules.
const CLEAN_MS: u64 = 60_000;

/// What is known of a service.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Its last change, and when.
    pub last: Option<(String, StateChange)>,
    /// Why it was last started, and when.
    pub started: Option<(String, Cause)>,
    /// How it failed since it was last ready for long, oldest first.
    pub failures: Vec<Cause>,
    /// What was last asked of it, by whom and when.
    pub asked: Option<(String, Action, Option<u32>)>,
    ready_at_ms: Option<u64>,
}

/// The last run.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// When it began.
    pub began: String,
    /// What runs, or ran last.
    pub stack: Option<StackInfo>,
    /// When it ended in order, and whether it was asked to.
    pub ended: Option<(String, bool)>,
    /// Who asked for its end, and when.
    pub down: Option<(String, Option<u32>)>,
    /// The last time that the supervisor's program was replaced.
    pub upgraded: Option<(String, Upgrade)>,
    /// When anything was last written.
    pub last_at: String,
    /// Each service of it.
    pub services: BTreeMap<ServiceName, Past>,
}

impl History {
    /// The last run that the records tell of.
    pub fn of<'a>(records: impl IntoIterator<Item = &'a Record>) -> Self {
        let mut history = Self::default();
        for record in records {
            history.take(record);
        }
        history
    }

    fn take(&mut self, record: &Record) {
        let at = || record.at.clone();
        self.last_at = at();
        match &record.event {
            Event::Begin(info) => {
                *self = Self { began: at(), last_at: at(), ..Self::default() };
                self.stack(info);
            }
            Event::Change(info) => self.stack(info),
            Event::Upgraded(upgrade) => self.upgraded = Some((at(), upgrade.clone())),
            Event::End { asked } => self.ended = Some((at(), *asked)),
            Event::Asked { action: Action::Down, by, .. } => self.down = Some((at(), *by)),
            Event::Asked { action, services, by } => {
                for (name, past) in &mut self.services {
                    if services.is_empty() || services.contains(name) {
                        past.asked = Some((at(), *action, *by));
                    }
                }
            }
            Event::State(change) => {
                self.services.entry(change.service.clone()).or_default().take(at(), change);
            }
            _ => {}
        }
    }

    fn stack(&mut self, info: &StackInfo) {
        self.services.retain(|name, _| info.services.contains_key(name));
        for name in info.services.keys() {
            self.services.entry(name.clone()).or_default();
        }
        self.stack = Some(info.clone());
    }
}

impl Past {
    fn take(&mut self, at: String, change: &StateChange) {
        let fell = |s: State| matches!(s, State::Backoff | State::Failed);
        let lasted = self.ready_at_ms.is_some_and(|t| change.at_ms.saturating_sub(t) >= CLEAN_MS);
        if change.from == State::Ready {
            self.ready_at_ms = None;
            if lasted {
                self.failures.clear();
            }
        }
        match change.to {
            State::Ready => self.ready_at_ms = Some(change.at_ms),
            State::Starting if change.pid.is_none() => {
                self.started = Some((at.clone(), change.why.clone()));
            }
            State::Backoff | State::Failed if !fell(change.from) => {
                self.failures.push(change.why.clone());
            }
            State::Stopped | State::Blocked => match &change.why {
                Cause::StopAsked | Cause::StartAsked | Cause::Boot => self.failures.clear(),
                why => self.failures.push(why.clone()),
            },
            State::Completed => self.failures.clear(),
            _ => {}
        }
        if matches!(change.why, Cause::RestartAsked) {
            self.failures.clear();
        }
        self.last = Some((at, change.clone()));
    }

    /// Its state, if it had one.
    pub fn state(&self) -> Option<State> {
        self.last.as_ref().map(|(_, change)| change.to)
    }

    /// Whether services after it may start.
    pub fn satisfies(&self) -> bool {
        self.last.as_ref().is_some_and(|(_, c)| match c.to {
            State::Ready | State::Completed => true,
            State::Stopped => c.why.is_success(),
            _ => false,
        })
    }
}
