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
use super::select::Selection;
use super::{Context, Error, Result, confine};
use crate::base::{DepName, ObjectName, Problem, RelPath, Secret, ServiceName};
use crate::env::activate::{Purity, process_environment};
use crate::env::manifest::{self, Service};
use crate::env::ports::InUse;
use crate::env::replicas;
use crate::env::service::{AliveValues, CommandValues, ProbeValues, ReadyValues, ServiceValues};
use crate::profile::Profiles;
use crate::profile::confine::Level;
use crate::profile::model::{OnDependencyRestart, OnExit, Port, ServiceKind, When};
use crate::profile::template::Template;
use crate::sandbox::plan::{Start, is_scrubbed};
use crate::store::{CheckLevel, ObjectPath, Store};
use crate::supervise::logs::Limits;
use crate::supervise::ports;
use crate::supervise::schedule::Schedule;
use crate::supervise::spec::{
    AliveProbe, AliveSpec, CommandSpec, Condition, EnvFile, Follow, Gate, Kind, ProbeSpec,
    ReadySpec, ReloadSpec, RestartRule, ServiceSpec, Stack,
};
use crate::supervise::status::{signal_name, signal_number};

/// Checks the objects a service starts from.
struct StoreGate {
    store: Store,
    objects: BTreeMap<ServiceName, Vec<ObjectPath>>,
    /// Objects that are not in the store any more.
    missing: BTreeMap<ServiceName, ObjectName>,
}

/// The gate of a stack that another program assembled, from what its own gate packed.
pub(super) fn gate(store: Store, packed: &serde_json::Value) -> Result<Arc<dyn Gate>> {
    let named: BTreeMap<ServiceName, Vec<ObjectName>> = serde_json::from_value(packed.clone())
        .map_err(|e| Error::HandedOver { why: e.to_string() })?;
    let (mut objects, mut missing) = (BTreeMap::new(), BTreeMap::new());
    for (service, names) in named {
        let mut found = Vec::new();
        for name in names {
            // One that cannot be had now keeps the service from its next start, not from running on.
            match store.get(&name) {
                Ok(Some(object)) => found.push(object),
                Ok(None) | Err(_) => _ = missing.insert(service.clone(), name),
            }
        }
        objects.insert(service, found);
    }
    Ok(Arc::new(StoreGate { store, objects, missing }))
}

impl Gate for StoreGate {
    fn check(&self, service: &ServiceName) -> std::result::Result<(), Problem> {
        if let Some(object) = self.missing.get(service) {
            return Err(crate::store::Error::Missing { object: object.clone() }.into());
        }
        for object in self.objects.get(service).into_iter().flatten() {
            self.store.check(object, CheckLevel::Quick)?;
        }
        Ok(())
    }

    fn pack(&self) -> serde_json::Value {
        let names = |objects: &Vec<ObjectPath>| -> Vec<String> {
            objects.iter().map(|object| object.name().to_string()).collect()
        };
        let mut named: BTreeMap<&ServiceName, Vec<String>> =
            self.objects.iter().map(|(service, objects)| (service, names(objects))).collect();
        for (service, object) in &self.missing {
            named.entry(service).or_default().push(object.to_string());
        }
        serde_json::json!(named)
    }
}

/// The stack of an environment, as far as it is selected.
pub fn assemble(
    context: &Context,
    environment: &Environment,
    select: &Selection,
    in_use: InUse,
) -> Result<Stack> {
    let manifest = &environment.manifest;
    if manifest.services.is_empty() {
        return Err(Error::NoServices(manifest.name.clone()).into());
    }
    let (wanted, copies) = select.of(&manifest.services)?;
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
        let mut starts_from = vec![environment.object.clone()];
        for dep in deps_of(environment, service) {
            starts_from.extend(store.get(&manifest.deps[&dep].object)?);
        }
        for (number, copy) in replicas::names(&name, service.replicas) {
            if copies.get(&name).is_some_and(|some| !some.contains(&copy)) {
                continue;
            }
            let one = Copy { number, name: copy.clone(), of: &name };
            let spec = service_spec(context, environment, &host, &secrets, &one, service)?;
            let mut from = starts_from.clone();
            // The interpreter of a script is executed, too.
            if let Some(Start::Interpreter(path, _)) = spec.confine.as_deref().map(|c| &c.start) {
                from.extend(object_of(&store, environment, path)?);
            }
            objects.insert(copy.clone(), from);
            services.insert(copy, spec);
        }
    }
    Ok(Stack {
        env: manifest.name.clone(),
        digest: environment.digest.to_string(),
        generation: environment.generation,
        project: context.project().to_owned(),
        object: environment.object.path().to_owned(),
        data: host.values.data().to_owned(),
        services,
        gate: Arc::new(StoreGate { store, objects, missing: BTreeMap::new() }),
    })
}

/// The environment's object that a path lies in.
fn object_of(store: &Store, environment: &Environment, path: &Path) -> Result<Option<ObjectPath>> {
    for object in environment.objects() {
        if let Some(object) = store.get(&object)?
            && path.starts_with(object.path())
        {
            return Ok(Some(object));
        }
    }
    Ok(None)
}

/// One of a service's copies.
struct Copy<'a> {
    number: u32,
    name: ServiceName,
    of: &'a ServiceName,
}

/// The deps whose objects a service's programs lie in.
fn deps_of(environment: &Environment, service: &Service) -> BTreeSet<DepName> {
    let commands = &environment.manifest.commands;
    let all = std::iter::once(&service.command).chain(service.helpers());
    let programs = all.filter_map(|words| words.first().map(Template::as_str));
    programs.filter_map(|program| commands.get(program).cloned()).collect()
}

/// What starting one copy needs.
fn service_spec(
    context: &Context,
    environment: &Environment,
    host: &Host,
    secrets: &Secrets<'_>,
    copy: &Copy<'_>,
    service: &Service,
) -> Result<ServiceSpec> {
    let manifest = &environment.manifest;
    let place = host.place(context, environment);
    let ports = replicas::ports_of(service, manifest, copy.number, place.ports);
    let values = host.values.for_replica(copy.number, ports);
    let found = ServiceValues::new(service, manifest, &values, &place)?;
    let name = copy.of;
    let mut env = process_environment(&host.values, context.environ(), Purity::Pure);
    env.extend(found.env.iter().map(|(k, v)| (OsString::from(k), OsString::from(v))));
    for variable in &service.secrets {
        env.insert(variable.into(), secret(secrets, name, variable)?.expose().into());
    }
    let env_file = match &service.env_file {
        Some(path) => Some(env_file(context, name, service, path)?),
        None => None,
    };
    let confine = |program: &Path| {
        let of = confine::Of { name: &copy.name, service, program };
        confine::spec(context, environment, host, &values, &of, &found.ports)
    };
    let confined = confine(&found.program)?;
    let command_spec = |command: CommandValues| beside(command, confine);
    // What is told `MAINPID` may signal it.
    let signalling = |command: CommandValues| {
        beside(command, |program| {
            let mut spec = confine(program)?;
            spec.plan.signals = true;
            Ok(spec)
        })
    };
    if confined.plan.level == Level::Strict {
        // The shared one is not for it.
        env.insert("TMPDIR".into(), host.values.data().join("tmp").join(copy.name.as_str()).into());
    }
    env.retain(|key, value| match (key.to_str(), value.to_str()) {
        (Some(key), Some(value)) => !is_scrubbed(key, value, &confined.plan),
        (Some(key), None) => !is_scrubbed(key, "", &confined.plan),
        (None, _) => true,
    });
    let ServiceValues { ready, alive, pre_start, reload, stop, .. } = found.clone();
    let reload = match (&service.reload_signal, reload) {
        (_, Some(command)) => Some(ReloadSpec::Command(signalling(command)?)),
        (Some(text), None) => Some(ReloadSpec::Signal(signal(name, "reload signal", text)?)),
        (None, None) => None,
    };
    let condition = |dep: &ServiceName| match service.conditions.get(dep) {
        Some(When::Started) => Condition::Started,
        Some(When::Completed) => Condition::Completed,
        Some(When::Ready) | None => Condition::Ready,
    };
    let after = service.after.iter().flat_map(|dep| {
        let copies = match manifest.services.get(dep) {
            Some(declared) => replicas::names(dep, declared.replicas),
            None => Vec::new(),
        };
        copies.into_iter().map(move |(_, copy)| (copy, condition(dep)))
    });
    let schedule = match &service.schedule {
        Some(text) => Some(text.parse::<Schedule>().map_err(|why| Error::ServiceValue {
            service: name.to_string(),
            what: "schedule",
            value: text.clone(),
            why,
        })?),
        None => None,
    };
    Ok(ServiceSpec {
        name: copy.name.clone(),
        program: found.program,
        args: found.args.into_iter().map(OsString::from).collect(),
        env,
        env_file,
        cwd: found.cwd,
        kind: match service.kind {
            ServiceKind::Service => Kind::Service,
            ServiceKind::Task => Kind::Task,
        },
        schedule,
        replica_of: (copy.name != *name).then(|| name.clone()),
        pre_start: pre_start.map(command_spec).transpose()?,
        ready: ready.map(|ready| ready_spec(name, ready, &command_spec)).transpose()?,
        alive: alive.map(|alive| alive_spec(name, alive, &command_spec)).transpose()?,
        after: after.collect(),
        follow: match service.on_dependency_restart {
            OnDependencyRestart::Keep => Follow::Keep,
            OnDependencyRestart::Reload => Follow::Reload,
            OnDependencyRestart::Restart => Follow::Restart,
        },
        restart: match service.restart.as_str() {
            "never" => RestartRule::Never,
            "on-failure" => RestartRule::OnFailure,
            _ => RestartRule::Always,
        },
        success: service.success_exit_codes.clone(),
        ends_stack: service.on_exit == OnExit::EndStack,
        reload,
        stop_command: stop.map(signalling).transpose()?,
        stop_signal: signal(name, "stop signal", &service.stop_signal)?,
        stop_grace: Duration::from_millis(service.stop_grace_ms),
        forward_signals: service.forward_signals.iter().filter_map(|s| passed_on(s)).collect(),
        ports: found.ports,
        required: service.required,
        confine: Some(Arc::new(confined)),
        logs: log_limits(&service.logs),
    })
}

/// Those that a profile may name.
fn passed_on(name: &str) -> Option<i32> {
    [libc::SIGUSR1, libc::SIGUSR2, libc::SIGWINCH]
        .into_iter()
        .find(|number| signal_name(*number) == Some(name))
}

fn signal(service: &ServiceName, what: &'static str, text: &str) -> Result<i32> {
    let error = || Error::ServiceValue {
        service: service.to_string(),
        what,
        value: text.to_owned(),
        why: "is not a signal".to_owned(),
    };
    signal_number(text).ok_or_else(|| error().into())
}

/// A command beside a service, under the service's own rules.
fn beside(
    command: CommandValues,
    confine: impl Fn(&Path) -> Result<crate::sandbox::Spec>,
) -> Result<CommandSpec> {
    let args = command.args.into_iter().map(OsString::from).collect();
    let confine = Some(Arc::new(confine(&command.program)?));
    Ok(CommandSpec { program: command.program, args, confine })
}

/// A file that is there; it is read at each start.
fn env_file(
    context: &Context,
    name: &ServiceName,
    service: &Service,
    path: &RelPath,
) -> Result<EnvFile> {
    let own = service.env.keys().chain(&service.secrets).cloned().collect();
    let file = EnvFile { path: path.under(context.project()), keeps: own };
    match crate::supervise::env_file::read(&file) {
        Ok(_) => Ok(file),
        Err(why) => Err(Error::EnvFile { service: name.to_string(), why }.into()),
    }
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

fn ready_spec(name: &ServiceName, ready: ReadyValues, command: Beside<'_>) -> Result<ReadySpec> {
    Ok(ReadySpec {
        probe: probe_spec(name, "ready", ready.probe, command)?,
        timeout: ready.timeout,
    })
}

fn alive_spec(name: &ServiceName, alive: AliveValues, command: Beside<'_>) -> Result<AliveSpec> {
    let probe = match alive.probe {
        Ok(probe) => AliveProbe::Probe(probe_spec(name, "alive", probe, command)?),
        Err(period) => AliveProbe::Watchdog(period),
    };
    let AliveValues { interval, timeout, failures, .. } = alive;
    Ok(AliveSpec { probe, interval, timeout, failures })
}

/// Makes a command beside a service.
type Beside<'a> = &'a dyn Fn(CommandValues) -> Result<CommandSpec>;

fn probe_spec(
    name: &ServiceName,
    key: &str,
    probe: ProbeValues,
    command_spec: Beside<'_>,
) -> Result<ProbeSpec> {
    let wrong = |what, value: String, why: String| Error::ServiceValue {
        service: name.to_string(),
        what,
        value,
        why,
    };
    let ready = key == "ready";
    Ok(match probe {
        ProbeValues::Http(text) => match Url::parse(&text) {
            Ok(url) => ProbeSpec::Http(url),
            Err(e) => {
                let what = if ready { "ready.http" } else { "alive.http" };
                return Err(wrong(what, text, e.to_string()).into());
            }
        },
        ProbeValues::Tcp(text) => match text.to_socket_addrs().ok().and_then(|mut a| a.next()) {
            Some(address) => ProbeSpec::Tcp(address),
            None => {
                let why = "is not an address (HOST:PORT)".to_owned();
                let what = if ready { "ready.tcp" } else { "alive.tcp" };
                return Err(wrong(what, text, why).into());
            }
        },
        ProbeValues::Log(text) => ProbeSpec::Log(text),
        ProbeValues::Exec(command) => ProbeSpec::Exec(command_spec(command)?),
        ProbeValues::Notify => ProbeSpec::Notify,
    })
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
