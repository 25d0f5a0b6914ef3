//! A service of a profile as `env.json` says it: the same words, with what the profile left out.

use std::collections::BTreeSet;

use super::manifest::{Logs, Ready, Service};
use crate::profile::model::{self, Probe, Restart};
use crate::profile::template::{Reference, Template};

/// A service as `env.json` says it.
pub(super) fn declare(service: &model::Service) -> Service {
    // Destructured, so that a new field cannot be forgotten here.
    let model::Service {
        command,
        env,
        cwd,
        ready,
        after,
        restart,
        stop,
        listen,
        secrets,
        required,
        logs,
    } = service;
    let listen = if listen.is_empty() { named_ports(service) } else { listen.clone() };
    Service {
        command: command.clone(),
        env: env.clone(),
        cwd: cwd.clone(),
        ready: ready.as_ref().map(|ready| {
            let (mut http, mut tcp, mut log) = (None, None, None);
            match &ready.probe {
                Probe::Http(url) => http = Some(url.clone()),
                Probe::Tcp(address) => tcp = Some(address.clone()),
                Probe::Log(text) => log = Some(text.clone()),
            }
            Ready { http, tcp, log, timeout_ms: millis(ready.timeout) }
        }),
        after: after.clone(),
        restart: match restart {
            Restart::Always => "always",
            Restart::OnFailure => "on-failure",
            Restart::Never => "never",
        }
        .to_owned(),
        stop_signal: stop.signal.clone(),
        stop_grace_ms: millis(stop.grace),
        listen,
        secrets: secrets.clone(),
        required: *required,
        logs: Logs {
            size: logs.size,
            age_ms: logs.age.map(millis),
            keep: logs.keep,
            compress: logs.compress,
        },
    }
}

/// The ports that a service's command and readiness check name.
fn named_ports(service: &model::Service) -> BTreeSet<String> {
    let templates = service.command.iter().chain(service.ready.as_ref().and_then(probe_template));
    let ports = templates.flat_map(Template::references).filter_map(|reference| match reference {
        Reference::Port(name) => Some(name.clone()),
        _ => None,
    });
    ports.collect()
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The template that a readiness check looks at.
pub(super) fn probe_template(ready: &model::Ready) -> Option<&Template> {
    match &ready.probe {
        Probe::Http(template) | Probe::Tcp(template) => Some(template),
        Probe::Log(_) => None,
    }
}
