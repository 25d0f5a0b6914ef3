//! A service of a profile as `env.json` says it: the same words, with what the profile left out.

use std::collections::BTreeSet;

use super::manifest::{Alive, Logs, Ready, Service};
use crate::profile::model::{self, Probe, Reload, Restart};
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
        conditions,
        on_dependency_restart,
        kind,
        schedule,
        replicas,
        pre_start,
        alive,
        success_exit_codes,
        on_exit,
        reload,
        restart,
        stop,
        listen,
        secrets,
        required,
        group,
        forward_signals,
        env_file,
        confine,
        logs,
    } = service;
    let listen = if listen.is_empty() { named_ports(service) } else { listen.clone() };
    Service {
        command: command.clone(),
        env: env.clone(),
        cwd: cwd.clone(),
        ready: ready.as_ref().map(|ready| {
            let (mut http, mut tcp, mut log, mut exec) = (None, None, None, None);
            match &ready.probe {
                Probe::Http(url) => http = Some(url.clone()),
                Probe::Tcp(address) => tcp = Some(address.clone()),
                Probe::Log(text) => log = Some(text.clone()),
                Probe::Exec(words) => exec = Some(words.clone()),
                Probe::Notify | Probe::Watchdog(_) => {}
            }
            let notify = matches!(ready.probe, Probe::Notify);
            Ready { http, tcp, log, exec, notify, timeout_ms: millis(ready.timeout) }
        }),
        after: after.clone(),
        conditions: conditions.clone(),
        on_dependency_restart: *on_dependency_restart,
        kind: *kind,
        schedule: schedule.clone(),
        replicas: *replicas,
        pre_start: pre_start.clone(),
        alive: alive.as_ref().map(declare_alive),
        success_exit_codes: success_exit_codes.clone(),
        on_exit: *on_exit,
        reload_signal: match reload {
            Some(Reload::Signal(signal)) => Some(signal.clone()),
            _ => None,
        },
        reload_command: match reload {
            Some(Reload::Command(words)) => Some(words.clone()),
            _ => None,
        },
        stop_command: stop.command.clone(),
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
        group: group.clone(),
        forward_signals: forward_signals.clone(),
        env_file: env_file.clone(),
        confine: confine.clone(),
        logs: Logs {
            size: logs.size,
            age_ms: logs.age.map(millis),
            keep: logs.keep,
            compress: logs.compress,
        },
    }
}

fn declare_alive(alive: &model::Alive) -> Alive {
    let (mut http, mut tcp, mut exec, mut watchdog_ms) = (None, None, None, None);
    match &alive.probe {
        Probe::Http(url) => http = Some(url.clone()),
        Probe::Tcp(address) => tcp = Some(address.clone()),
        Probe::Exec(words) => exec = Some(words.clone()),
        Probe::Watchdog(period) => watchdog_ms = Some(millis(*period)),
        Probe::Log(_) | Probe::Notify => {}
    }
    let model::Alive { probe: _, interval, timeout, failures } = alive;
    Alive {
        http,
        tcp,
        exec,
        watchdog_ms,
        interval_ms: millis(*interval),
        timeout_ms: millis(*timeout),
        failures: *failures,
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

pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The template that a readiness check looks at.
pub(super) fn probe_template(ready: &model::Ready) -> Option<&Template> {
    match &ready.probe {
        Probe::Http(template) | Probe::Tcp(template) => Some(template),
        Probe::Log(_) | Probe::Exec(_) | Probe::Notify | Probe::Watchdog(_) => None,
    }
}
