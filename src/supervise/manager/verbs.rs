//! What is asked over the control interface.
//!
//! Owns the way from a name to services (a service's own, or the name that its copies share) and
//! from an asking to inputs of the machines. Invariant: whatever is refused has changed nothing.

use super::Manager;
use crate::base::ServiceName;
use crate::supervise::control::server::Ask;
use crate::supervise::control::{Accepted, Refusal};
use crate::supervise::spec::ServiceSpec;
use crate::supervise::state::Input;
use crate::supervise::status::{Action as Deed, Event};

impl Manager {
    pub(super) fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Status(reply) => {
                let _ = reply.send(self.status());
            }
            Ask::Metrics(reply) => {
                let mut meter = self.reports.meter.clone();
                for unit in self.units.values() {
                    meter.probes(unit.name(), unit.probes());
                }
                let _ = reply.send((self.status(), meter));
            }
            Ask::Do(deed, services, signal, by, reply) => {
                let _ = reply.send(self.carry_out(deed, &services, signal, by));
            }
            Ask::Down(within, by, reply) => {
                let services = self.stack.services.keys().cloned().collect();
                let event = Event::Asked { action: Deed::Down, services: Vec::new(), by };
                self.reports.tell(event);
                self.stop_in(within);
                let _ = reply.send(Ok(Accepted { services }));
            }
            Ask::Plan(wanted, reply) => {
                let _ = reply.send(Ok(self.plan(&wanted)));
            }
            Ask::Upgrade(program, by, reply) => self.ask_upgrade(*program, by, reply),
            Ask::Apply(stack, wanted, by, reply) => {
                let _ = reply.send(self.change(*stack, *wanted, by));
            }
        }
    }

    /// Does something with the named services, with all when none are named.
    fn carry_out(
        &mut self,
        deed: Deed,
        asked: &[ServiceName],
        signal: Option<i32>,
        by: Option<u32>,
    ) -> Result<Accepted, Refusal> {
        let mut names = self.services(asked)?;
        if self.fleet.is_stopping() {
            return Err(Refusal::new("the stack is stopping"));
        }
        let event = Event::Asked { action: deed, services: asked.to_vec(), by };
        let input = match deed {
            Deed::Signal => {
                self.all_run(&names)?;
                self.reports.tell(event);
                for name in &names {
                    self.units.get(name).map(|unit| unit.send(signal.unwrap_or(0)));
                }
                return Ok(Accepted { services: names });
            }
            Deed::Reload => {
                names = self.reloadable(asked, names)?;
                Input::Reload
            }
            Deed::Start => {
                // Without what it comes after it would wait for ever.
                let all: Vec<ServiceName> = self.fleet.closure(&names).into_iter().collect();
                self.remember(&all, false)?;
                names = self.fleet.to_start(&names);
                Input::StartAsked
            }
            Deed::Stop => {
                self.remember(&names, true)?;
                Input::Stop
            }
            Deed::Restart | Deed::Apply | Deed::Down => {
                if asked.is_empty() {
                    // What somebody stopped is restarted only by its name.
                    names.retain(|name| !self.desired.stopped().contains(name));
                }
                self.remember(&names, false)?;
                Input::Restart
            }
        };
        self.reports.tell(event);
        let actions = self.fleet.ask(self.clock.moment(), &names, &input);
        self.perform(actions);
        Ok(Accepted { services: names })
    }

    fn all_run(&self, names: &[ServiceName]) -> Result<(), Refusal> {
        let runs = |n: &&ServiceName| self.units.get(*n).is_some_and(|u| u.child().is_some());
        match names.iter().find(|n| !runs(n)) {
            Some(name) => Err(Refusal::new(format!("{name} does not run"))),
            None => Ok(()),
        }
    }

    /// Those that can be reloaded; an error when one was named that cannot.
    fn reloadable(
        &self,
        asked: &[ServiceName],
        mut names: Vec<ServiceName>,
    ) -> Result<Vec<ServiceName>, Refusal> {
        let can = |n: &ServiceName| self.stack.services.get(n).is_some_and(|s| s.reload.is_some());
        if !asked.is_empty() {
            if let Some(cannot) = names.iter().find(|n| !can(n)) {
                return Err(Refusal {
                    error: format!("service `{cannot}` has no `reload`"),
                    hints: vec![format!("`infra runtime restart {cannot}`")],
                });
            }
            self.all_run(&names)?;
        }
        names.retain(can);
        Ok(names)
    }

    fn remember(&mut self, names: &[ServiceName], stopped: bool) -> Result<(), Refusal> {
        let failed = |e: crate::supervise::Error| Refusal::new(format!("{e}; nothing was done"));
        self.desired.set(names, stopped).map_err(failed)
    }

    /// The services that are meant; all when none is named.
    fn services(&self, asked: &[ServiceName]) -> Result<Vec<ServiceName>, Refusal> {
        let known = |s: &&ServiceSpec| !self.gone.contains(&s.name);
        let all = || self.stack.services.values().filter(known);
        if asked.is_empty() {
            return Ok(all().map(|s| s.name.clone()).collect());
        }
        let mut found = Vec::new();
        for name in asked {
            let before = found.len();
            let meant = |s: &&ServiceSpec| s.name == *name || s.replica_of.as_ref() == Some(name);
            found.extend(all().filter(meant).map(|s| s.name.clone()));
            if found.len() == before {
                return Err(Refusal::new(format!("there is no service `{name}`")));
            }
        }
        Ok(found)
    }
}
