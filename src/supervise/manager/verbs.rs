//! What is asked over the control socket.
//!
//! Owns the way from a name to services: a service's own, or the name that its replicas share.

use super::Manager;
use crate::base::ServiceName;
use crate::supervise::control::server::Ask;
use crate::supervise::state::Input;

impl Manager {
    pub(super) fn answer(&mut self, ask: Ask) {
        match ask {
            Ask::Status(reply) => {
                let _ = reply.send(self.status());
            }
            Ask::Stop => self.stop(),
            Ask::Restart(names, reply) => {
                let _ = reply.send(self.verb(&names, &Input::Restart));
            }
            Ask::StopServices(names, reply) => {
                let _ = reply.send(self.verb(&names, &Input::Stop));
            }
            Ask::StartServices(names, reply) => {
                let _ = reply.send(self.verb(&names, &Input::StartAsked));
            }
            Ask::Reload(names, reply) => {
                let _ = reply.send(self.reload_asked(&names));
            }
        }
    }

    /// Gives services an input, all when none is named, and remembers what is to stay stopped.
    fn verb(&mut self, names: &[ServiceName], input: &Input) -> Result<(), String> {
        let all = names.is_empty();
        let mut names = self.services(names)?;
        if all && matches!(input, Input::Restart) {
            // What somebody stopped is restarted only by its name.
            names.retain(|name| !self.desired.stopped().contains(name));
        }
        match input {
            Input::Stop => self.remember(&names, true)?,
            Input::StartAsked => {
                // Without what it comes after it would wait for ever.
                names = self.fleet.closure(&names).into_iter().collect();
                self.remember(&names, false)?;
            }
            Input::Restart => self.remember(&names, false)?,
            _ => {}
        }
        let actions = self.fleet.ask(self.clock.moment(), &names, input);
        self.perform(actions);
        Ok(())
    }

    fn reload_asked(&mut self, names: &[ServiceName]) -> Result<(), String> {
        let services = self.services(names)?;
        let can = |name: &&ServiceName| self.stack.services[*name].reload.is_some();
        if !names.is_empty()
            && let Some(cannot) = services.iter().find(|n| !can(n))
        {
            return Err(format!("service `{cannot}` has no `reload`; restart it instead"));
        }
        if let Some(down) =
            services.iter().filter(can).find(|n| !self.fleet.get(n).is_some_and(|m| m.is_running()))
            && !names.is_empty()
        {
            return Err(format!("service `{down}` does not run"));
        }
        let actions = self.fleet.ask(self.clock.moment(), &services, &Input::Reload);
        self.perform(actions);
        Ok(())
    }

    fn remember(&mut self, names: &[ServiceName], stopped: bool) -> Result<(), String> {
        self.desired.set(names, stopped).map_err(|e| format!("{e}; nothing was done"))
    }

    /// The services that are meant; all when none is named.
    fn services(&self, names: &[ServiceName]) -> Result<Vec<ServiceName>, String> {
        if self.fleet.is_stopping() {
            return Err("the stack is stopping".to_owned());
        }
        if names.is_empty() {
            return Ok(self.units.keys().cloned().collect());
        }
        let mut found = Vec::new();
        for name in names {
            let before = found.len();
            let meant = |s: &&crate::supervise::spec::ServiceSpec| {
                s.name == *name || s.replica_of.as_ref() == Some(name)
            };
            found.extend(self.stack.services.values().filter(meant).map(|s| s.name.clone()));
            if found.len() == before {
                return Err(format!("there is no service `{name}`"));
            }
        }
        Ok(found)
    }
}
