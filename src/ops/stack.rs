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
use super::secrets::Secrets;
use super::{Context, Error, Result};
use crate::base::{DepName, Problem, ServiceName, suggest};
use crate::env::activate::{Purity, process_environment};
use crate::env::manifest::{Ready, Service};
use crate::env::ports::InUse;
use crate::env::{Values, program};
use crate::profile::Profiles;
use crate::profile::model::Port;
use crate::profile::template::{Reference, Template};
use crate::store::{CheckLevel, ObjectPath, Store};
use crate::supervise::spec::{
    Gate, ProbeSpec, ReadySpec, RestartRule, ServiceSpec, Stack,
};
use crate::supervise::{ports, signal_number};

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
    let values = super::print::expand(context, environment, in_use)?;
    let secrets = Secrets::load(context)?;
    let store = context.store();
    let mut objects = BTreeMap::new();
    let mut services = BTreeMap::new();
    for name in wanted {
        let Some(service) = manifest.services.get(&name) else { continue };
        let (spec, dep) = service_spec(context, environment, &values, &secrets, &name, service)?;
        let dep = match dep {
            Some(dep) => store.get(&manifest.deps[&dep].object)?,
            None => None,
        };
        objects.insert(name.clone(), [Some(environment.object.clone()), dep].into_iter().flatten().collect());
        services.insert(name, spec);
    }
    Ok(Stack {
        env: manifest.name.clone(),
        digest: environment.digest.to_string(),
        generation: environment.generation,
        project: context.project().to_owned(),
        data: values.data().to_owned(),
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

fn service_spec(
    context: &Context,
    environment: &Environment,
    values: &Values,
    secrets: &Secrets,
    name: &ServiceName,
    service: &Service,
) -> Result<(ServiceSpec, Option<DepName>)> {
    let manifest = &environment.manifest;
    let expand = |template: &Template| values.expand(template);
    let mut words = service.command.iter();
    let command = words.next().map(expand).transpose()?.unwrap_or_default();
    let program = program::find(environment.object.path(), manifest, &command)?;
    let args: Vec<OsString> =
        words.map(|w| expand(w).map(OsString::from)).collect::<std::result::Result<_, _>>()?;
    let mut env = process_environment(values, context.environ(), Purity::Pure);
    for (variable, template) in &service.env {
        env.insert(variable.into(), expand(template)?.into());
    }
    for variable in &service.secrets {
        let Some(value) = secrets.get(variable) else {
            let (variable, service) = (variable.clone(), name.to_string());
            return Err(Error::NoSecret { variable, service }.into());
        };
        env.insert(variable.into(), value.expose().into());
    }
    let cwd = match &service.cwd {
        Some(cwd) => context.project().join(expand(cwd)?),
        None => context.project().to_owned(),
    };
    let ready = match &service.ready {
        Some(ready) => Some(ready_spec(values, name, ready)?),
        None => None,
    };
    let restart = match service.restart.as_str() {
        "never" => RestartRule::Never,
        "on-failure" => RestartRule::OnFailure,
        _ => RestartRule::Always,
    };
    let wrong = |what, value: &str, why: &str| Error::ServiceValue {
        service: name.to_string(),
        what,
        value: value.to_owned(),
        why: why.to_owned(),
    };
    let stop_signal = signal_number(&service.stop_signal)
        .ok_or_else(|| wrong("stop signal", &service.stop_signal, "is not a signal"))?;
    let spec = ServiceSpec {
        name: name.clone(),
        program,
        args,
        env,
        cwd,
        ready,
        after: service.after.clone(),
        restart,
        stop_signal,
        stop_grace: Duration::from_millis(service.stop_grace_ms),
        ports: service_ports(service, values),
        required: service.required,
    };
    Ok((spec, manifest.commands.get(command.as_str()).cloned()))
}

/// The ports a service opens: those it says, else those its command and its check name.
fn service_ports(service: &Service, values: &Values) -> BTreeMap<String, u16> {
    let mut names: BTreeSet<&str> = service.listen.iter().map(String::as_str).collect();
    if names.is_empty() {
        let ready = service.ready.iter().flat_map(|r| r.http.iter().chain(&r.tcp));
        for reference in service.command.iter().chain(ready).flat_map(Template::references) {
            if let Reference::Port(port) = reference {
                names.insert(port);
            }
        }
    }
    let number = |name: &str| Some((name.to_owned(), *values.ports().get(name)?));
    names.into_iter().filter_map(number).collect()
}

fn ready_spec(values: &Values, name: &ServiceName, ready: &Ready) -> Result<ReadySpec> {
    let wrong = |what, value: String, why: String| Error::ServiceValue {
        service: name.to_string(),
        what,
        value,
        why,
    };
    let probe = if let Some(http) = &ready.http {
        let text = values.expand(http)?;
        ProbeSpec::Http(Url::parse(&text).map_err(|e| wrong("ready.http", text, e.to_string()))?)
    } else if let Some(tcp) = &ready.tcp {
        let text = values.expand(tcp)?;
        let address = text.to_socket_addrs().ok().and_then(|mut found| found.next());
        let why = "is not an address (HOST:PORT)".to_owned();
        ProbeSpec::Tcp(address.ok_or_else(|| wrong("ready.tcp", text, why))?)
    } else {
        ProbeSpec::Log(ready.log.clone().unwrap_or_default())
    };
    Ok(ReadySpec { probe, timeout: Duration::from_millis(ready.timeout_ms) })
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
