//! All machines of a stack, and what they owe each other.
//!
//! Pure like [`super::state`]: tells each machine when what it comes after is as it must be, and
//! when one of those runs anew or reloaded; and, when the stack stops, stops each service as soon as
//! nothing that comes after it is left. Invariants: a service starts only while all that it comes
//! after are satisfied; in a stop, a service is asked to end only when all that come after it rest;
//! who follows another does so once for each time that it ran anew, and only when it is up again.

mod change;
mod limit;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::order::{self, After};
use super::spec::{Condition, Follow};
use super::state::{Generation, Input, Machine, Moment, Output, Rules, Time};
use super::status::State;
use crate::base::ServiceName;

/// An output and the service it is for.
pub type Action = (ServiceName, Output);

/// What each service comes after, and on which condition.
pub type Conditions = BTreeMap<ServiceName, BTreeMap<ServiceName, Condition>>;

/// How often a service was started and reloaded.
type Age = (Generation, u64);

/// The machines.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fleet {
    machines: BTreeMap<ServiceName, Machine>,
    conditions: Conditions,
    after: After,
    dependents: After,
    /// How old what a service comes after was when that service was started or last followed it.
    followed: BTreeMap<ServiceName, BTreeMap<ServiceName, Age>>,
    /// Stopped by somebody; they stay so until somebody starts them.
    unwanted: BTreeSet<ServiceName>,
    stopping: bool,
    /// When the last one must have been killed.
    end_by: Option<Time>,
}

impl Fleet {
    /// `Err` holds services that wait for each other.
    pub fn new(
        rules: BTreeMap<ServiceName, Rules>,
        conditions: Conditions,
    ) -> Result<Self, Vec<ServiceName>> {
        let after: After =
            conditions.iter().map(|(n, c)| (n.clone(), c.keys().cloned().collect())).collect();
        order::layers(&after)?;
        let dependents = order::dependents(&after);
        let machines = rules.into_iter().map(|(name, r)| (name, Machine::new(r))).collect();
        let (followed, unwanted) = (BTreeMap::new(), BTreeSet::new());
        Ok(Self {
            machines,
            conditions,
            after,
            dependents,
            followed,
            unwanted,
            stopping: false,
            end_by: None,
        })
    }

    /// Wants everything up but what somebody stopped.
    pub fn start_all(&mut self, at: Moment, unwanted: &BTreeSet<ServiceName>) -> Vec<Action> {
        self.unwanted =
            unwanted.iter().filter(|n| self.machines.contains_key(*n)).cloned().collect();
        let names: Vec<ServiceName> =
            self.machines.keys().filter(|n| !self.unwanted.contains(*n)).cloned().collect();
        let mut out = Vec::new();
        for name in names {
            self.step(at, &name, Input::Start, &mut out);
        }
        self.settle(at, &mut out);
        out
    }

    /// Wants everything down, in order. There is no way back.
    pub fn stop_all(&mut self, at: Moment) -> Vec<Action> {
        self.stopping = true;
        let mut out = Vec::new();
        self.settle(at, &mut out);
        out
    }

    /// Ends everything at once.
    pub fn kill_all(&mut self, at: Moment) -> Vec<Action> {
        self.stopping = true;
        let names: Vec<ServiceName> = self.machines.keys().cloned().collect();
        let mut out = Vec::new();
        for name in names {
            self.step(at, &name, Input::Kill, &mut out);
        }
        out
    }

    /// Gives one service an input, and the others what follows from it.
    pub fn apply(&mut self, at: Moment, name: &ServiceName, input: Input) -> Vec<Action> {
        let mut out = Vec::new();
        // A restart asked during a stop would never end it.
        if !(self.stopping && Machine::asks_for_more(&input)) {
            self.step(at, name, input, &mut out);
        }
        self.settle(at, &mut out);
        out
    }

    /// Gives several services an input as one step. What is started or restarted is wanted again,
    /// what is stopped is not wanted any more.
    pub fn ask(&mut self, at: Moment, names: &[ServiceName], input: &Input) -> Vec<Action> {
        let mut out = Vec::new();
        if !self.stopping {
            for name in names {
                match input {
                    Input::Stop => _ = self.unwanted.insert(name.clone()),
                    Input::StartAsked | Input::Restart => _ = self.unwanted.remove(name),
                    _ => {}
                }
                self.step(at, name, input.clone(), &mut out);
            }
        }
        self.settle(at, &mut out);
        out
    }

    /// The services and all that they come after, however far.
    pub fn closure(&self, names: &[ServiceName]) -> BTreeSet<ServiceName> {
        order::closure(&self.after, names)
    }

    /// Tells every machine the time.
    pub fn tick(&mut self, at: Moment) -> Vec<Action> {
        let names: Vec<ServiceName> = self.machines.keys().cloned().collect();
        let mut out = Vec::new();
        for name in names {
            self.step(at, &name, Input::Tick, &mut out);
        }
        self.settle(at, &mut out);
        out
    }

    fn step(&mut self, at: Moment, name: &ServiceName, input: Input, out: &mut Vec<Action>) {
        let Some(machine) = self.machines.get_mut(name) else { return };
        let orders = machine.step(at, input);
        if orders.iter().any(|o| matches!(o, Output::Spawn(_))) {
            let ages = self.conditions.get(name).into_iter().flatten();
            let ages = ages.filter_map(|(dep, _)| Some((dep.clone(), self.age(dep)?))).collect();
            self.followed.insert(name.clone(), ages);
        }
        out.extend(orders.into_iter().map(|o| (name.clone(), o)));
    }

    fn age(&self, name: &ServiceName) -> Option<Age> {
        self.machines.get(name).map(|m| (m.generation(), m.reloads()))
    }

    /// What a service must follow now: it comes after it, and it is up and older than when it was
    /// followed last.
    fn next_to_follow(&mut self, name: &ServiceName) -> Option<ServiceName> {
        let machine = self.machines.get(name)?;
        if machine.follow() == Follow::Keep || !machine.is_running() {
            return None;
        }
        let news: Vec<(ServiceName, Age)> = self
            .conditions
            .get(name)?
            .iter()
            .filter(|(dep, on)| self.machines.get(*dep).is_some_and(|m| m.satisfies(**on)))
            .filter_map(|(dep, _)| Some((dep.clone(), self.age(dep)?)))
            .filter(|(dep, age)| self.followed.get(name).and_then(|f| f.get(dep)) != Some(age))
            .collect();
        let first = news.first().map(|(dep, _)| dep.clone());
        self.followed.entry(name.clone()).or_default().extend(news);
        first
    }

    fn settle(&mut self, at: Moment, out: &mut Vec<Action>) {
        let names: Vec<ServiceName> = self.machines.keys().cloned().collect();
        loop {
            let before = out.len();
            let states: Vec<State> = self.machines.values().map(Machine::state).collect();
            for name in &names {
                let input = if self.stopping {
                    let held = self.dependents[name]
                        .iter()
                        .filter_map(|d| self.machines.get(d))
                        .any(|m| !m.is_at_rest());
                    self.limit(at, name, held);
                    if held {
                        // It must not start any more, but is needed until they have ended.
                        Input::Deps(false)
                    } else if self.machines[name].asked().is_none() {
                        Input::Stop
                    } else {
                        continue;
                    }
                } else {
                    Input::Deps(self.waits_for(name).next().is_none())
                };
                self.step(at, name, input, out);
                if !self.stopping
                    && let Some(dep) = self.next_to_follow(name)
                {
                    self.step(at, name, Input::Follow(dep), out);
                }
            }
            let after: Vec<State> = self.machines.values().map(Machine::state).collect();
            if out.len() == before && after == states {
                return;
            }
        }
    }

    /// What a service still waits for.
    pub fn waits_for(&self, name: &ServiceName) -> impl Iterator<Item = &ServiceName> {
        self.conditions
            .get(name)
            .into_iter()
            .flatten()
            .filter(|(d, on)| self.machines.get(*d).is_some_and(|m| !m.satisfies(**on)))
            .map(|(d, _)| d)
    }

    /// Whether nobody stopped it, or something that it comes after.
    pub fn is_wanted(&self, name: &ServiceName) -> bool {
        self.unwanted.is_empty()
            || self.closure(std::slice::from_ref(name)).is_disjoint(&self.unwanted)
    }

    /// Whether the stack is to end because one of its services ended.
    pub fn has_reason_to_end(&self) -> bool {
        !self.stopping && self.machines.values().any(Machine::ends_stack)
    }

    /// When the next [`Self::tick`] is due.
    pub fn wake_at(&self) -> Option<Time> {
        self.machines.values().filter_map(Machine::wake_at).min()
    }

    /// One machine.
    pub fn get(&self, name: &ServiceName) -> Option<&Machine> {
        self.machines.get(name)
    }

    /// All machines.
    pub fn iter(&self) -> impl Iterator<Item = (&ServiceName, &Machine)> {
        self.machines.iter()
    }

    /// Whether a stop was asked.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether nothing runs and nothing will run without being asked. What somebody stopped can be
    /// asked for again, so a stack with such a service goes on until it is stopped itself.
    pub fn is_at_rest(&self) -> bool {
        if !self.unwanted.is_empty() && !self.stopping {
            return false;
        }
        // Waiting for something that rests without being ready lasts for ever, too.
        self.machines.iter().all(|(name, m)| {
            m.is_at_rest() || (m.state() == State::Waiting && self.is_held_for_good(name))
        })
    }

    /// Whether it waits for something that will not become ready without help.
    pub fn is_held_for_good(&self, name: &ServiceName) -> bool {
        self.machines.get(name).is_some_and(|m| m.state() == State::Waiting)
            && self.waits_for(name).any(|dep| {
                self.machines.get(dep).is_some_and(|m| {
                    m.is_at_rest() || (m.state() == State::Waiting && self.is_held_for_good(dep))
                })
            })
    }
}
