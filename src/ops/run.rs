//! Running a stack: in the foreground, in the background, and asking one that runs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::control::{self, Current, OwnPorts};
use super::environment;
use super::select::Selection;
use super::{Context, Error, Result, host_needs, stack};
use crate::base::{EnvName, ServiceName};
use crate::env::ports::InUse;
use crate::env::values;
use crate::env::{Generations, Manifest};
use crate::store::Lease;
use crate::supervise::control::Client;
use crate::supervise::detach::{self, Detached, Notifier};
use crate::supervise::spec::{Gate, Stack};
use crate::supervise::status::{Event, ServiceStatus, StackStatus, State, Upgrade};
use crate::supervise::upgrade::{self, Handed, Luggage};
use crate::supervise::{self, Options, Outcome, Reset, init};

/// The hidden subcommand of `infra runtime` that a detached supervisor runs.
pub const SUPERVISE: &str = "__supervise";

/// A stack that may start (everything checked, nothing started), or that another program in this
/// process handed over.
pub struct Prepared {
    what: What,
    digest: String,
    generation: u64,
    declared: Vec<ServiceName>,
    data: PathBuf,
    /// Keeps the generation from garbage collection, too.
    current: Arc<Current>,
    own: OwnPorts,
    reset: Reset,
    init: bool,
    stop_within: Option<Duration>,
}

/// What is to be supervised.
enum What {
    Stack(Box<Stack>),
    Handed(Box<Handed>, Arc<dyn Gate>),
}

/// Refuses a stack with a service whose sandbox is held to less than its level, as probed here.
pub fn require_sandbox(prepared: &Prepared) -> Result<()> {
    // One that is handed over was looked at when it started.
    let What::Stack(stack) = &prepared.what else { return Ok(()) };
    for (service, report) in crate::supervise::confined::look(stack) {
        if report.grade != crate::sandbox::Grade::Full {
            let (service, report) = (service.to_string(), Box::new(report));
            return Err(Error::Sandbox { service, report }.into());
        }
    }
    Ok(())
}

/// Builds the environment where needed, resolves the stack and checks every object it starts from.
pub fn prepare(context: &Context, name: &EnvName, select: &Selection) -> Result<Prepared> {
    let environment = environment::ensure(context, name)?;
    let data = values::data_dir(&environment.manifest, context.project());
    // Remembered ports that a stranger has are replaced, unless it is our own stack that has them.
    let in_use = if stack::running(&data) { InUse::Keep } else { InUse::Replace };
    let stack = stack::assemble(context, &environment, select, in_use)?;
    // Any of its commands may be started by a service: not only those that services start from.
    environment::check(&context.store(), &environment)?;
    for service in stack.services.keys() {
        stack.gate.check(service)?;
    }
    host_needs::check_services(context, &environment, &stack)?;
    let lease = context.store().hold(&environment.objects(), &format!("running {name}"))?;
    let current = Arc::new(Current::new(context, name, select));
    let own = control::own_ports(context, &environment)?;
    let reset = select.reset(&stack, &environment.manifest.services)?;
    current.keep(lease);
    Ok(Prepared {
        digest: stack.digest.clone(),
        generation: stack.generation,
        declared: environment.manifest.services.keys().cloned().collect(),
        data: stack.data.clone(),
        what: What::Stack(Box::new(stack)),
        current,
        own,
        reset,
        init: false,
        stop_within: environment.manifest.stop_within_ms.map(Duration::from_millis),
    })
}

/// The stack that another program in this process handed over, or one that is prepared here.
pub fn prepare_or_go_on(context: &Context, name: &EnvName, select: &Selection) -> Result<Prepared> {
    match upgrade::take() {
        Some(handed) => Prepared::go_on(context, name, select, handed),
        None => prepare(context, name, select),
    }
}

/// What goes from one program to the next beside the stack.
#[derive(Debug, Serialize, Deserialize)]
struct Packed {
    /// Leases of the store: names and descriptors.
    leases: Vec<(PathBuf, RawFd)>,
    /// Where `runtime up` waits to be told.
    notifier: Option<RawFd>,
}

/// Packs it.
#[derive(Debug)]
struct Bags {
    current: Arc<Current>,
    notifier: Option<Arc<Mutex<Notifier>>>,
}

impl Luggage for Bags {
    fn pack(&self) -> (serde_json::Value, Vec<RawFd>) {
        let leases = self.current.leases();
        let notifier = self.notifier.as_ref().and_then(|n| held(n).descriptor());
        let descriptors = leases.iter().map(|(_, fd)| *fd).chain(notifier).collect();
        (serde_json::json!(Packed { leases, notifier }), descriptors)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Prepared {
    fn go_on(
        context: &Context,
        name: &EnvName,
        select: &Selection,
        handed: Handed,
    ) -> Result<Self> {
        let wrong = |why: String| Error::HandedOver { why };
        let Packed { leases, .. } = packed(&handed)?;
        let current = Current::new(context, name, select);
        let gate = stack::gate(context.store(), handed.gate())?;
        for (stem, lock) in leases {
            let lock = upgrade::copy(lock).map_err(|e| wrong(e.to_string()))?;
            current.keep(Lease::adopt(stem, lock));
        }
        let (digest, generation) = handed.environment();
        let stop_within = handed.stop_within();
        Ok(Self {
            digest: digest.to_owned(),
            generation,
            declared: handed.services(),
            data: handed.data().to_owned(),
            what: What::Handed(Box::new(handed), gate),
            current: Arc::new(current),
            own: OwnPorts::default(),
            reset: Reset::Nothing,
            init: false,
            stop_within,
        })
    }

    /// The services of its environment.
    pub fn services(&self) -> &[ServiceName] {
        &self.declared
    }

    /// Its environment in a few words, where it is about to start.
    pub fn headline(&self) -> Option<String> {
        let fresh = matches!(self.what, What::Stack(_));
        fresh.then(|| format!("generation {}, {}", self.generation, self.digest))
    }

    /// Supervises it.
    fn run(self, options: Options) -> std::result::Result<Outcome, supervise::Error> {
        // The leases last as long as the run.
        let _current = self.current;
        match self.what {
            What::Stack(stack) => supervise::run_blocking(*stack, options),
            What::Handed(handed, gate) => supervise::go_on_blocking(*handed, gate, options),
        }
    }

    /// What the supervisor needs beside the stack.
    fn options(&self, notifier: Option<Arc<Mutex<Notifier>>>) -> Options {
        Options {
            luggage: Some(Arc::new(Bags { current: self.current.clone(), notifier })),
            signals: true,
            wishes: Some(self.current.clone()),
            control_port: self.own.control,
            metrics_port: self.own.metrics,
            token: self.own.token.clone(),
            reset: self.reset.clone(),
            init: self.init,
            stop_within: self.stop_within,
            ..Options::default()
        }
    }

    /// Runs as a container's init; its end has a limit even where nobody set one.
    pub fn as_init(mut self) -> Self {
        self.init = true;
        self.stop_within.get_or_insert(init::STOP_WITHIN);
        self
    }

    /// Limits the ordered end, whatever the profile says.
    pub fn stopping_within(mut self, limit: Option<Duration>) -> Self {
        self.stop_within = limit.or(self.stop_within);
        self
    }

    /// Where the environment keeps its data.
    pub fn data(&self) -> &Path {
        &self.data
    }
}

/// Supervises in this process until it is told to end. `show` gets every event, in order.
pub fn foreground(prepared: Prepared, mut show: impl FnMut(Event) + Send) -> Result<Outcome> {
    supervise::leave_signals();
    let (face, mut events) = mpsc::channel(4096);
    let options = Options { face: Some(face), face_logs: true, ..prepared.options(None) };
    let showing = options.showing.clone();
    Ok(std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Some(event) = events.blocking_recv() {
                show(event);
                showing.shown();
            }
        });
        prepared.run(options)
    })?)
}

/// Supervises as the background half of [`up`]: tells the other half what becomes of the stack.
pub fn background(
    context: &Context,
    name: &EnvName,
    select: &Selection,
    mut show: impl FnMut(&Event) + Send,
) -> Result<Outcome> {
    let (notifier, prepared) = match upgrade::take() {
        Some(handed) => {
            let copy = |e: std::io::Error| Error::HandedOver { why: e.to_string() };
            let pipe = packed(&handed)?.notifier.map(upgrade::copy).transpose().map_err(copy)?;
            (Notifier::adopt(pipe), Prepared::go_on(context, name, select, handed)?)
        }
        None => {
            let mut notifier = Notifier::from_stdin()?;
            match prepare(context, name, select) {
                Ok(prepared) => (notifier, prepared),
                Err(problem) => {
                    notifier.failed(problem.inner());
                    return Err(problem);
                }
            }
        }
    };
    let notifier = Arc::new(Mutex::new(notifier));
    supervise::leave_signals();
    let (face, mut events) = mpsc::channel(1024);
    let options = Options { face: Some(face), ..prepared.options(Some(notifier.clone())) };
    let showing = options.showing.clone();
    let outcome = std::thread::scope(|scope| {
        let told = notifier.clone();
        scope.spawn(move || {
            while let Some(event) = events.blocking_recv() {
                held(&told).see(&event);
                show(&event);
                showing.shown();
            }
        });
        prepared.run(options)
    });
    if let Err(error) = &outcome {
        held(&notifier).failed(error);
    }
    Ok(outcome?)
}

fn packed(handed: &Handed) -> Result<Packed> {
    let packed = serde_json::from_value(handed.luggage().clone());
    packed.map_err(|e| Error::HandedOver { why: e.to_string() }.into())
}

/// Puts another program in the supervisor's place while all services go on; `None` is the one that
/// lies where the running one was started from.
pub fn upgrade(context: &Context, name: &EnvName, program: Option<&Path>) -> Result<Upgrade> {
    let mut client = require(context, name)?;
    let bar = context.reporter().begin(name.as_str(), None);
    bar.stage("waiting for a quiet moment");
    let program = program.map(|p| context.cwd().join(p));
    Ok(client.upgrade(program)?)
}

/// What [`up`] found or did.
pub enum Up {
    /// A stack of this environment runs already.
    Running(Box<StackStatus>),
    /// It was started and is ready.
    Started(Box<StackStatus>),
}

/// Starts the stack in the background and waits until it is ready. `require_full` refuses sandboxes
/// that are held to less than their level.
pub fn up(context: &Context, name: &EnvName, select: &Selection, require_full: bool) -> Result<Up> {
    let prepared = prepare(context, name, select)?;
    if require_full {
        require_sandbox(&prepared)?;
    }
    let data = prepared.data.clone();
    if let Some(mut client) = Client::connect(&data)? {
        match client.status() {
            Ok(status) => return Ok(Up::Running(Box::new(status))),
            // It ended after it was found: nothing runs.
            Err(_) if client.is_gone() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let mut args: Vec<OsString> =
        ["runtime", SUPERVISE, "--env", name.as_str()].map(Into::into).into();
    for (flag, value) in [
        ("--project", &context.settings().project.value),
        ("--store", &context.settings().store.value),
    ] {
        args.extend([flag.into(), value.clone().into_os_string()]);
    }
    args.extend(select.words());
    let env = context.environ().all().clone();
    let detached: Detached = detach::spawn(args, env, context.project(), &data)?;
    let bar = context.reporter().begin(name.as_str(), None);
    bar.stage("waiting for the stack to be ready");
    detached.wait()?;
    match Client::connect(&data)? {
        Some(mut client) => Ok(Up::Started(Box::new(client.status()?))),
        None => Err(Error::NotRunning(name.clone()).into()),
    }
}

/// A connection to the running stack of an environment; `None` when nothing runs.
pub fn connect(context: &Context, name: &EnvName) -> Result<Option<Client>> {
    Ok(Client::connect(&data_dir(context, name)?)?)
}

/// Like [`connect`], but an error that says how to start it.
pub fn require(context: &Context, name: &EnvName) -> Result<Client> {
    connect(context, name)?.ok_or_else(|| Error::NotRunning(name.clone()).into())
}

/// Where an environment keeps its data, from its current generation or else from its profile.
pub(super) fn data_dir(context: &Context, name: &EnvName) -> Result<PathBuf> {
    let profile = crate::profile::Profiles::load_one(context.project(), name);
    match profile {
        Ok(profile) => Ok(context.project().join(profile.data)),
        // A profile that is broken now must not keep its running stack from being stopped.
        Err(error) => match built(context, name)? {
            Some(manifest) => Ok(values::data_dir(&manifest, context.project())),
            None => Err(error.into()),
        },
    }
}

fn built(context: &Context, name: &EnvName) -> Result<Option<Manifest>> {
    let current = Generations::new(context.project(), name).current()?;
    Ok(current.and_then(|generation| generation.manifest().ok()))
}

/// Stops the stack in order, within a time where one is given, and waits for its end, or ends what a
/// killed supervisor left of one; `false` when there was nothing.
pub fn down(context: &Context, name: &EnvName, within: Option<Duration>) -> Result<bool> {
    match connect(context, name)? {
        Some(client) => {
            let bar = context.reporter().begin(name.as_str(), None);
            bar.stage("stopping");
            let mut show = |event: &Event| match event {
                Event::StopWaits { service, pid, asked_ms, signal } => {
                    let seconds = asked_ms / 1000;
                    bar.stage(&format!(
                        "waiting for {service} (pid {pid}, signal {signal}, {seconds} s)"
                    ));
                }
                Event::Note { text } => context.reporter().note(text),
                _ => {}
            };
            client.down(within, Some(&mut show))?;
            Ok(true)
        }
        None => Ok(supervise::end_leftovers(&data_dir(context, name)?, name)?),
    }
}

/// The status of the running stack, and the generation that is current now.
pub fn status(context: &Context, name: &EnvName) -> Result<Option<(StackStatus, Option<u64>)>> {
    let Some(mut client) = connect(context, name)? else { return Ok(None) };
    let status = client.status_with_usage()?;
    let current = Generations::new(context.project(), name).current()?;
    Ok(Some((status, current.map(|g| g.number))))
}

/// Restarts services, all when none is named, and waits until they are up again. What could not
/// start again is not stopped: the running generation's objects are checked first.
pub fn restart(context: &Context, name: &EnvName, services: &[String]) -> Result<StackStatus> {
    let mut client = require(context, name)?;
    let before = client.status()?;
    check_generation(context, name, before.generation)?;
    let names = control::names(context, name, services, &before)?;
    client.restart(&names)?;
    let starts: BTreeMap<_, _> =
        before.services.iter().map(|s| (s.name.clone(), (s.pid, s.restarts))).collect();
    let asked = |s: &ServiceStatus| s.wanted && (names.is_empty() || names.contains(&s.name));
    wait(context, name, &mut client, |all, s| {
        // A task that ran anew has no process to tell it by.
        let before = starts.get(&s.name).copied().unwrap_or_default();
        let anew = s.pid != before.0 || s.restarts != before.1;
        !asked(s) || all.has_settled(s) && (anew || s.state != State::Ready)
    })
}

/// Stops services, which then stay stopped over runs, and waits until they rest.
pub fn stop(context: &Context, name: &EnvName, services: &[String]) -> Result<StackStatus> {
    let mut client = require(context, name)?;
    let names = control::names(context, name, services, &client.status()?)?;
    client.stop(&names)?;
    wait(context, name, &mut client, |all, s| !names.contains(&s.name) || all.has_settled(s))
}

/// Starts services with what they come after, and waits until they are up or will not be.
pub fn start(context: &Context, name: &EnvName, services: &[String]) -> Result<StackStatus> {
    let mut client = require(context, name)?;
    let before = client.status()?;
    check_generation(context, name, before.generation)?;
    let names = control::names(context, name, services, &before)?;
    client.start(&names)?;
    wait(context, name, &mut client, |all, s| !names.contains(&s.name) || all.has_settled(s))
}

/// Makes services take up changes; all that can when none is named.
pub fn reload(context: &Context, name: &EnvName, services: &[String]) -> Result<StackStatus> {
    let mut client = require(context, name)?;
    let names = control::names(context, name, services, &client.status()?)?;
    client.reload(&names)?;
    Ok(client.status()?)
}

/// Sends a signal to services; gives their names.
pub fn signal(
    context: &Context,
    name: &EnvName,
    services: &[String],
    signal: &str,
) -> Result<Vec<ServiceName>> {
    let mut client = require(context, name)?;
    let names = control::names(context, name, services, &client.status()?)?;
    Ok(client.signal(&names, signal)?.services)
}

/// Waits until every service is as it should be. Bounded by the supervisor itself: each ends up
/// ready, failed or blocked.
fn wait(
    context: &Context,
    name: &EnvName,
    client: &mut Client,
    done: impl Fn(&StackStatus, &ServiceStatus) -> bool,
) -> Result<StackStatus> {
    for _ in 0..12_000 {
        let now = status_or_end(context, name, client)?;
        if now.services.iter().all(|s| done(&now, s)) {
            return Ok(now);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    status_or_end(context, name, client)
}

/// The status, or that the supervisor has ended since.
fn status_or_end(context: &Context, name: &EnvName, client: &mut Client) -> Result<StackStatus> {
    match client.status() {
        Ok(status) => Ok(status),
        Err(_) if matches!(connect(context, name), Ok(None)) => {
            Err(Error::Ended(name.clone()).into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Checks every object of a generation. One that is not there any more is left to the gate, which
/// lets nothing of it start.
pub(super) fn check_generation(context: &Context, name: &EnvName, number: u64) -> Result<()> {
    let store = context.store();
    let all = Generations::new(context.project(), name).list().unwrap_or_default();
    let Some(running) = all.iter().find(|g| g.number == number) else { return Ok(()) };
    match environment::usable(&store, running)? {
        Some(environment) => environment::check(&store, &environment),
        None => Ok(()),
    }
}

/// A service as its profile declares it, with its state when it runs.
#[derive(Clone, Debug, Serialize)]
pub struct Declared {
    /// Its name.
    pub name: ServiceName,
    /// What is started, as declared.
    pub command: String,
    /// Services that must be ready first.
    pub after: Vec<String>,
    /// Whether the stack is down without it.
    pub required: bool,
    /// Its state; `-` when no stack runs.
    pub state: String,
    /// Its ports: name and number (`auto` until one is chosen).
    pub ports: Vec<String>,
}

/// The services of an environment.
pub fn list(context: &Context, name: &EnvName) -> Result<Vec<Declared>> {
    let profile = crate::profile::Profiles::load_one(context.project(), name)?;
    let status = match Client::connect(&context.project().join(&profile.data))? {
        Some(mut client) => Some(client.status()?),
        None => None,
    };
    let mut rows = Vec::new();
    for (service, declared) in &profile.services {
        let running = status.iter().flat_map(|s| &s.services).find(|s| s.name == *service);
        let ports = match running {
            Some(running) => running.ports.iter().map(|(n, p)| format!("{n}={p}")).collect(),
            None => declared
                .listen
                .iter()
                .map(|n| match profile.ports.get(n) {
                    Some(crate::profile::model::Port::Fixed(p)) => format!("{n}={p}"),
                    _ => format!("{n}=auto"),
                })
                .collect(),
        };
        let words: Vec<&str> = declared.command.iter().map(|w| w.as_str()).collect();
        rows.push(Declared {
            name: service.clone(),
            command: words.join(" "),
            after: declared.after.iter().map(ToString::to_string).collect(),
            required: declared.required,
            state: running.map_or_else(|| "-".to_owned(), |s| s.state.to_string()),
            ports,
        });
    }
    Ok(rows)
}
