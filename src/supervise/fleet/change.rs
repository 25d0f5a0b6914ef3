//! Changing which services there are, and asking single ones, while the rest runs.

use std::collections::{BTreeMap, BTreeSet};

use super::{Conditions, Fleet};
use crate::base::ServiceName;
use crate::supervise::order::{self, After};
use crate::supervise::state::{Machine, Rules};

impl Fleet {
    /// Takes another set of services: new ones rest until they are asked to start, those that stay
    /// get their new rules, and those that are gone stay, without edges, until [`Self::forget`].
    /// `Err` holds services that would wait for each other; nothing is changed then.
    pub fn reshape(
        &mut self,
        rules: BTreeMap<ServiceName, Rules>,
        conditions: Conditions,
    ) -> Result<(), Vec<ServiceName>> {
        let after: After =
            conditions.iter().map(|(n, c)| (n.clone(), c.keys().cloned().collect())).collect();
        order::layers(&after)?;
        (self.after, self.conditions) = (after, conditions);
        for (name, rules) in rules {
            match self.machines.get_mut(&name) {
                Some(machine) => machine.set_rules(rules),
                None => drop(self.machines.insert(name, Machine::new(rules))),
            }
        }
        for name in self.machines.keys() {
            self.after.entry(name.clone()).or_default();
        }
        self.dependents = order::dependents(&self.after);
        Ok(())
    }

    /// Forgets those of `gone` of which nothing is alive; gives their names.
    pub fn forget(&mut self, gone: &BTreeSet<ServiceName>) -> Vec<ServiceName> {
        let rests = |n: &&ServiceName| self.machines.get(*n).is_some_and(Machine::is_at_rest);
        let forgotten: Vec<ServiceName> = gone.iter().filter(rests).cloned().collect();
        for name in &forgotten {
            self.machines.remove(name);
            self.after.remove(name);
            self.conditions.remove(name);
            self.followed.remove(name);
            self.unwanted.remove(name);
        }
        self.dependents = order::dependents(&self.after);
        forgotten
    }

    /// Those of these services, and of all that they come after, that have to be started: what
    /// runs is left alone, and what ended for good with success runs again only when it is named.
    pub fn to_start(&self, names: &[ServiceName]) -> Vec<ServiceName> {
        let idle = |n: &ServiceName| {
            self.machines
                .get(n)
                .is_some_and(|m| !m.may_be_alive() && (names.contains(n) || !m.is_finished()))
        };
        order::closure(&self.after, names).into_iter().filter(idle).collect()
    }
}
