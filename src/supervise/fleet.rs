//! All machines of a stack, and what they owe each other.
//!
//! Pure like [`super::state`]: tells each machine when what it comes after is ready, and, when the
//! stack stops, stops each service as soon as nothing that comes after it is left. Invariants: a
//! service starts only while all that it comes after are satisfied; in a stop, a service is asked
//! to end only when all that come after it rest.

mod change;

use std::collections::BTreeMap;

use super::order::{self, After};
use super::state::{Input, Machine, Moment, Output, Rules, Time};
use super::status::State;
use crate::base::ServiceName;

/// An output and the service it is for.
pub type Action = (ServiceName, Output);

/// The machines.
#[derive(Debug)]
pub struct Fleet {
    machines: BTreeMap<ServiceName, Machine>,
    after: After,
    dependents: After,
    stopping: bool,
}

impl Fleet {
    /// `Err` holds services that wait for each other.
    pub fn new(
        rules: BTreeMap<ServiceName, Rules>,
        after: After,
    ) -> Result<Self, Vec<ServiceName>> {
        order::layers(&after)?;
        let dependents = order::dependents(&after);
        let machines = rules.into_iter().map(|(name, r)| (name, Machine::new(r))).collect();
        Ok(Self { machines, after, dependents, stopping: false })
    }

    /// Wants everything up.
    pub fn start_all(&mut self, at: Moment) -> Vec<Action> {
        let names: Vec<ServiceName> = self.machines.keys().cloned().collect();
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
        if !(self.stopping && matches!(input, Input::Start | Input::Restart)) {
            self.step(at, name, input, &mut out);
        }
        self.settle(at, &mut out);
        out
    }

    /// Restarts several services as one step.
    pub fn restart(&mut self, at: Moment, names: &[ServiceName]) -> Vec<Action> {
        let mut out = Vec::new();
        if !self.stopping {
            for name in names {
                self.step(at, name, Input::Restart, &mut out);
            }
        }
        self.settle(at, &mut out);
        out
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
        if let Some(machine) = self.machines.get_mut(name) {
            out.extend(machine.step(at, input).into_iter().map(|o| (name.clone(), o)));
        }
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
            }
            let after: Vec<State> = self.machines.values().map(Machine::state).collect();
            if out.len() == before && after == states {
                return;
            }
        }
    }

    /// What a service still waits for.
    pub fn waits_for(&self, name: &ServiceName) -> impl Iterator<Item = &ServiceName> {
        self.after
            .get(name)
            .into_iter()
            .flatten()
            .filter(|d| self.machines.get(*d).is_some_and(|m| !m.satisfies()))
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

    /// Whether nothing runs and nothing will run without being asked.
    pub fn is_at_rest(&self) -> bool {
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
