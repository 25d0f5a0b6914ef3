//! A running stack goes on as another generation.
//!
//! Owns how a plan becomes inputs of the machines. Invariant: whatever is refused has changed
//! nothing.

use super::times::Times;
use super::{Event, Manager, Unit, report};
use crate::base::ServiceName;
use crate::supervise::confined::Sandboxes;
use crate::supervise::control::Refusal;
use crate::supervise::plan::{self, Plan, Step, Wanted};
use crate::supervise::ports;
use crate::supervise::spec::Stack;
use crate::supervise::state::{Input, Rules};
use crate::supervise::status::Action as Deed;

impl Manager {
    /// What would have to change.
    pub(super) fn plan(&self, wanted: &Wanted) -> Plan {
        plan::compare(Some(&self.wanted), wanted)
    }

    /// Goes on as another stack: stops what is gone, restarts what changed, starts what is new.
    pub(super) fn change(
        &mut self,
        mut stack: Stack,
        mut wanted: Wanted,
        by: Option<u32>,
    ) -> Result<Plan, Refusal> {
        if self.fleet.is_stopping() {
            return Err(Refusal::new("the stack is stopping"));
        }
        if stack.data != self.stack.data {
            let (old, new) = (self.stack.data.display(), stack.data.display());
            return Err(Refusal {
                error: format!("the data directory changed from `{old}` to `{new}`"),
                hints: vec!["`infra runtime down`, then `infra runtime up`".to_owned()],
            });
        }
        if let Some(name) = stack.services.keys().find(|n| self.gone.contains(*n)) {
            return Err(Refusal::new(format!(
                "{name} is still being stopped: try again in a moment"
            )));
        }
        // The program of a running process is not swapped under it: ports and logs come first.
        let plan = self.plan(&wanted);
        self.check_ports(&stack, &plan)?;
        let mut added = Vec::new();
        for name in plan.with(Step::Start) {
            let Some(spec) = stack.services.get(name) else { continue };
            let log = self.logs.add(name, spec.logs).map_err(|e| Refusal::new(e.to_string()))?;
            let (run, news) = (self.run_path.clone(), self.news.clone());
            let groups = self.groups.clone();
            added.push(Unit::new(spec.clone(), log, run, &self.mark, news, groups));
        }
        let after = stack.services.iter().map(|(n, s)| (n.clone(), s.after.clone())).collect();
        let rules = stack.services.iter().map(|(n, s)| (n.clone(), Rules::from(s))).collect();
        self.fleet.reshape(rules, after).map_err(|services| {
            let names: Vec<String> = services.iter().map(ToString::to_string).collect();
            Refusal::new(format!("services wait for each other: {}", names.join(", ")))
        })?;

        self.groups.add(&stack);
        self.reports.tell(Event::Asked { action: Deed::Apply, services: Vec::new(), by });
        for unit in added {
            unit.note(&format!("generation {}, {}", stack.generation, stack.digest));
            self.units.insert(unit.name().clone(), unit);
        }
        for (name, spec) in &stack.services {
            if let Some(unit) = self.units.get_mut(name) {
                unit.set_spec(spec.clone());
            }
        }
        let names = |step| plan.with(step).cloned().collect::<Vec<ServiceName>>();
        let (stop, mut start) = (names(Step::Stop), names(Step::Start));
        let mut restart = names(Step::Restart);
        // What was stopped by hand stays so; its next start is the new one.
        let stopped = self.desired.stopped();
        restart.retain(|n| !stopped.contains(n));
        start.retain(|n| !stopped.contains(n));
        self.gone.extend(stop.iter().cloned());
        std::mem::swap(&mut self.stack, &mut stack);
        std::mem::swap(&mut self.wanted, &mut wanted);
        self.times = Times::new(&self.stack);
        self.sandboxes = Sandboxes::open(&self.stack, &self.groups);
        drop(self.sandboxes.look(&self.stack, &self.logs));
        self.reports.tell(Event::Change(report::info(&self.stack)));
        let moment = self.clock.moment();
        let mut actions = self.fleet.ask(moment, &stop, &Input::Stop);
        actions.extend(self.fleet.ask(moment, &restart, &Input::Restart));
        actions.extend(self.fleet.ask(moment, &start, &Input::Start));
        self.perform(actions);
        Ok(plan)
    }

    /// Whether ports that nothing of ours has yet are free.
    fn check_ports(&self, stack: &Stack, plan: &Plan) -> Result<(), Refusal> {
        let ours: Vec<u16> =
            self.stack.services.values().flat_map(|s| s.ports.values().copied()).collect();
        let mut fresh = Vec::new();
        for planned in
            plan.services.iter().filter(|p| matches!(p.step, Step::Start | Step::Restart))
        {
            if let Some(spec) = stack.services.get(&planned.service) {
                let mut spec = spec.clone();
                spec.ports.retain(|_, port| !ours.contains(port));
                fresh.push(spec);
            }
        }
        ports::check(&fresh).map_err(|e| {
            use crate::base::Diagnose as _;
            let hints = e.hints().iter().map(ToString::to_string).collect();
            Refusal { error: e.to_string(), hints }
        })
    }

    /// Lets go of services that are no longer part of the stack and of which nothing is left.
    pub(super) fn drop_gone(&mut self) {
        if self.gone.is_empty() {
            return;
        }
        for name in self.fleet.forget(&self.gone) {
            self.gone.remove(&name);
            self.units.remove(&name);
            self.reports.forget(&name);
        }
    }
}
