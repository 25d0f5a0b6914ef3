//! From an environment to a stack that can be supervised: every value resolved, every object known.
//!
//! Owns the gate: a service starts only from the store, after a check of the environment's object
//! and of the object its program lies in.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::ToSocketAddrs as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::environment::Environment;
use super::host::Host;
use super::secrets::Secrets;
use super::{Context, Error, Result};
use crate::base::{DepName, Problem, Secret, ServiceName, suggest};
use crate::env::activate::{Purity, process_environment};
use crate::env::manifest::{self, Service};
use crate::env::ports::InUse;
use crate::env::service::{ProbeValues, ReadyValues, ServiceValues};
use crate::profile::Profiles;
use crate::profile::model::Port;
use crate::profile::template::Template;
use crate::store::{CheckLevel, ObjectPath, Store};
use crate::supervise::logs::Limits;
use crate::supervise::ports;
use crate::supervise::spec::{Gate, ProbeSpec, ReadySpec, RestartRule, ServiceSpec, Stack};
use crate::supervise::status::signal_number;

/// Checks the objects a service starts from.
struct StoreGate {
    store: Store,
    objects: BTreeMap<ServiceName, Vec<ObjectPath>>,
}

impl Gate for StoreGate {
    fn check(&self, service: &ServiceName) -> std::result::Result<(), Problem> {
        for object in self.objects.get(service).into_iter().flatten() {
            self.store.check(object, CheckLevel::Quick)?;
        }
        Ok(())
    }
}

/// The stack of an environment; with `only`, those services and what they come after.
pub fn assemble(
    context: &Context,
    environment: &Environment,
    only: &[String],
    in_use: InUse,
) -> Result<Stack> {
    let manifest = &environment.manifest;
    if manifest.services.is_empty() {
        return Err(Error::NoServices(manifest.name.clone()).into());
    }
    let wanted = closure(&manifest.services, only)?;
    // Before ports are chosen: what is refused leaves nothing behind.
    let secrets = Secrets::load(context)?;
    for name in &wanted {
        for variable in manifest.services.get(name).iter().flat_map(|s| &s.secrets) {
            secret(&secrets, name, variable)?;
        }
    }
    let host = Host::new(context, environment, in_use)?;
    let store = context.store();
    let mut objects = BTreeMap::new();
    let mut services = BTreeMap::new();
    for name in wanted {
        let Some(service) = manifest.services.get(&name) else { continue };
        let (spec, dep) = service_spec(context, environment, &host, &secrets, &name, service)?;
        let dep = match dep {
            Some(dep) => store.get(&manifest.deps[&dep].object)?,
            None => None,
        };
        objects.insert(
            name.clone(),
            [Some(environment.object.clone()), dep].into_iter().flatten().collect(),
        );
        services.insert(name, spec);
    }
    Ok(Stack {
        env: manifest.name.clone(),
        digest: environment.digest.to_string(),
        generation: environment.generation,
        project: context.project().to_owned(),
        data: host.values.data().to_owned(),
        services,
        gate: Arc::new(StoreGate { store, objects }),
    })
}

/// The named services and everything they come after; all when none is named.
fn closure(
    services: &BTreeMap<ServiceName, Service>,
    only: &[String],
) -> Result<BTreeSet<ServiceName>> {
    if only.is_empty() {
        return Ok(services.keys().cloned().collect());
    }
    let mut wanted = BTreeSet::new();
    let mut open: Vec<ServiceName> = Vec::new();
    for name in only {
        match services.get_key_value(name.as_str()) {
            Some((name, _)) => open.push(name.clone()),
            None => {
                let nearest = suggest::nearest(name, services.keys().map(ServiceName::as_str));
                let nearest = nearest.map(str::to_owned);
                return Err(Error::UnknownService { name: name.clone(), nearest }.into());
            }
        }
    }
    while let Some(name) = open.pop() {
        if let Some(service) = services.get(&name)
            && wanted.insert(name)
        {
            open.extend(service.after.iter().cloned());
        }
    }
    Ok(wanted)
}

/// What starting needs, and the dep whose object the program lies in.
fn service_spec(
    context: &Context,
    environment: &Environment,
    host: &Host,
    secrets: &Secrets<'_>,
    name: &ServiceName,
    service: &Service,
) -> Result<(ServiceSpec, Option<DepName>)> {
    let manifest = &environment.manifest;
    let place = host.place(context, environment);
    let found = ServiceValues::new(service, manifest, &host.values, &place)?;
    let mut env = process_environment(&host.values, context.environ(), Purity::Pure);
    env.extend(found.env.into_iter().map(|(k, v)| (OsString::from(k), OsString::from(v))));
    for variable in &service.secrets {
        env.insert(variable.into(), secret(secrets, name, variable)?.expose().into());
    }
    let ready = match found.ready {
        Some(ready) => Some(ready_spec(name, ready)?),
        None => None,
    };
    let restart = match service.restart.as_str() {
        "never" => RestartRule::Never,
        "on-failure" => RestartRule::OnFailure,
        _ => RestartRule::Always,
    };
    let stop_signal = signal_number(&service.stop_signal).ok_or_else(|| Error::ServiceValue {
        service: name.to_string(),
        what: "stop signal",
        value: service.stop_signal.clone(),
        why: "is not a signal".to_owned(),
    })?;
    let spec = ServiceSpec {
        name: name.clone(),
        program: found.program,
        args: found.args.into_iter().map(OsString::from).collect(),
        env,
        cwd: found.cwd,
        ready,
        after: service.after.clone(),
        restart,
        stop_signal,
        stop_grace: Duration::from_millis(service.stop_grace_ms),
        ports: found.ports,
        required: service.required,
        logs: log_limits(&service.logs),
    };
    let command = service.command.first().map_or("", Template::as_str);
    Ok((spec, manifest.commands.get(command).cloned()))
}

fn log_limits(logs: &manifest::Logs) -> Limits {
    let usual = Limits::default();
    Limits {
        file_bytes: logs.size.unwrap_or(usual.file_bytes),
        max_age: logs.age_ms.map(Duration::from_millis).or(usual.max_age),
        keep: logs.keep.unwrap_or(usual.keep),
        compress: logs.compress.unwrap_or(usual.compress),
        ..usual
    }
}

fn secret(secrets: &Secrets<'_>, service: &ServiceName, variable: &str) -> Result<Secret> {
    let missing = || Error::NoSecret { variable: variable.into(), service: service.to_string() };
    secrets.get(variable).ok_or_else(|| missing().into())
}

fn ready_spec(name: &ServiceName, ready: ReadyValues) -> Result<ReadySpec> {
    let wrong = |what, value: String, why: String| Error::ServiceValue {
        service: name.to_string(),
        what,
        value,
        why,
    };
    let probe = match ready.probe {
        ProbeValues::Http(text) => match Url::parse(&text) {
            Ok(url) => ProbeSpec::Http(url),
            Err(e) => return Err(wrong("ready.http", text, e.to_string()).into()),
        },
        ProbeValues::Tcp(text) => match text.to_socket_addrs().ok().and_then(|mut a| a.next()) {
            Some(address) => ProbeSpec::Tcp(address),
            None => {
                let why = "is not an address (HOST:PORT)".to_owned();
                return Err(wrong("ready.tcp", text, why).into());
            }
        },
        ProbeValues::Log(text) => ProbeSpec::Log(text),
    };
    Ok(ReadySpec { probe, timeout: ready.timeout })
}

/// Ports of the default environment that somebody listens on, in words.
pub(super) fn taken_ports(context: &Context, profiles: &Profiles) -> Vec<String> {
    let Ok(profile) = profiles.get(&context.settings().env.value) else { return Vec::new() };
    if running(context.project().join(&profile.data).as_path()) {
        return Vec::new();
    }
    let fixed = profile.ports.iter().filter_map(|(name, port)| match port {
        Port::Fixed(number) => Some((name, *number)),
        Port::Auto => None,
    });
    fixed
        .filter_map(|(name, number)| {
            let holder = ports::taken_by(number)?;
            Some(format!("port {number} (`{name}`) is held by {holder}"))
        })
        .collect()
}

/// Whether a stack of ours runs on this data directory.
pub(super) fn running(data: &Path) -> bool {
    matches!(crate::supervise::control::Client::connect(data), Ok(Some(_)))
}
