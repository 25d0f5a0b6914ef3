//! From a stack to a running loop, and from its end to nothing.
//!
//! Owns what stands around the loop: lock, listeners, threads that write. Invariant: the lock and
//! the socket are let go only when nothing of the run is alive.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use super::clock::Clock;
use super::outside::Outside;
use super::report::Reports;
use super::signals::Signals;
use super::times::Times;
use super::unit::Unit;
use super::{Inlets, Manager, Options, Outcome, Reset, Turn, face};
use crate::base::ServiceName;
use crate::fs::FileLock;
use crate::supervise::confined::{self, Groups, Sandboxes};
use crate::supervise::contain::RunMark;
use crate::supervise::control::server::{Access, Server};
use crate::supervise::control::tcp::Loopback;
use crate::supervise::desired::Desired;
use crate::supervise::fleet::Fleet;
use crate::supervise::guardian::Guardian;
use crate::supervise::host;
use crate::supervise::journal::JournalWriter;
use crate::supervise::lease::{LeaseWriter, RunDir};
use crate::supervise::logs::Logs;
use crate::supervise::plan::{self, Wanted};
use crate::supervise::spec::Stack;
use crate::supervise::state::Rules;
use crate::supervise::{Error, init, ports, reap};

pub(super) fn system(action: &'static str) -> impl FnOnce(std::io::Error) -> Error {
    move |source| Error::System { action, source }
}

/// Supervises a stack until it is told to end or nothing is left to run.
///
/// 1. Takes the data directory's lock and ends what an earlier run left.
/// 2. Checks that every port is free, before anything starts.
/// 3. Starts the guardian and serves the control socket.
/// 4. Starts services as what they come after becomes ready; restarts what ends.
/// 5. Ends all in reverse order; returns when nothing of the run is alive.
///
/// Needs a tokio runtime with time and I/O; one thread is enough.
pub async fn run(stack: Stack, mut options: Options) -> Result<Outcome, Error> {
    let after = stack.services.iter().map(|(n, s)| (n.clone(), s.after.clone())).collect();
    let rules = stack.services.iter().map(|(n, s)| (n.clone(), Rules::from(s))).collect();
    let fleet = Fleet::new(rules, after).map_err(|services| Error::Cycle { services })?;

    let dir = RunDir::of(&stack.data);
    let lock = dir.claim(&stack.env)?;
    reap::become_subreaper();
    let leftovers = dir.end_leftovers()?;
    let mut desired = Desired::read(dir.path())?;
    match &options.reset {
        Reset::Nothing => {}
        Reset::Named(names) => desired.set(names, false)?,
        Reset::All => {
            let all = desired.stopped().clone();
            desired.set(&all, false)?;
        }
    }
    ports::check(stack.services.values())?;

    let logs = Logs::open(&stack.data, stack.services.iter().map(|(n, s)| (n, s.logs)))?;
    let mark = RunMark::fresh();
    let loopback = loopback(&options).await?;
    let journal =
        JournalWriter::start(&stack.data, mark.as_str()).map_err(system("start a thread"))?;
    let groups = Arc::new(Groups::open(&mark, &stack));
    confined::warm(&stack, &groups);
    let guardian = if options.init && init::is_first() {
        // The kernel ends everything with us.
        None
    } else {
        let started = Guardian::start(&options.guardian, &mark, groups.run());
        Some(started.map_err(|source| Error::Guardian { source })?)
    };
    let server = Server::bind(dir.path())?;
    let lease = LeaseWriter::start(&dir).map_err(system("start a thread"))?;
    let surroundings = Surroundings::listen(options.signals, options.init)?;
    if options.signals {
        let _ = host::on_host(|| host::hold_signals(false)).await;
    }
    let sandboxes = Sandboxes::open(&stack, &groups);
    let wanted = plan::wanted(&stack);
    let logs = Arc::new(logs);
    let starting = Some(sandboxes.look(&stack, &logs));
    let init = options.init;
    let parts = Parts {
        desired,
        clock: Clock::start(),
        fleet,
        logs,
        mark,
        loopback,
        journal,
        groups,
        guardian,
        server,
        lease,
        surroundings,
        sandboxes,
        starting,
        wanted,
    };
    let stop = std::mem::take(&mut options.stop);
    let (mut manager, outside, inlets) = parts.assemble(stack, options, stop, dir.path());
    manager.watch_guardian();
    manager.open(leftovers);
    if init {
        manager.say_what_lacks();
    }
    drive(manager, outside, inlets, lock, &dir).await
}

/// Runs the loop, as long as this is the program that does, and ends what stands around it.
pub(super) async fn drive(
    mut manager: Manager,
    mut outside: Outside,
    mut inlets: Inlets,
    lock: FileLock,
    dir: &RunDir,
) -> Result<Outcome, Error> {
    loop {
        match manager.turn(&mut inlets).await {
            Turn::End => break,
            Turn::Late(why) => manager.refuse_upgrade(why),
            Turn::Quiet => manager.hand_over(&mut inlets, &mut outside, &lock, dir).await,
        }
    }
    manager.refuse_upgrade("the stack ended".to_owned());
    let outcome = manager.close().await;
    // Streams give what they have, then close; only then are the lock and the socket let go.
    outside.end().await;
    dir.clear()?;
    drop(lock);
    Ok(outcome)
}

/// Signals of the process.
pub(super) struct Surroundings {
    signals: Signals,
    /// Says that some child ended.
    children: tokio::signal::unix::Signal,
}

impl Surroundings {
    pub(super) fn listen(signals: bool, init: bool) -> Result<Self, Error> {
        let signals = Signals::listen(signals, init).map_err(system("listen to signals"))?;
        let children = face::children().map_err(system("listen to signals"))?;
        Ok(Self { signals, children })
    }
}

/// All that can fail to be had, had.
pub(super) struct Parts {
    pub(super) desired: Desired,
    pub(super) clock: Clock,
    pub(super) fleet: Fleet,
    pub(super) logs: Arc<Logs>,
    pub(super) mark: RunMark,
    pub(super) loopback: Vec<Loopback>,
    pub(super) journal: JournalWriter,
    pub(super) groups: Arc<Groups>,
    pub(super) guardian: Option<Guardian>,
    pub(super) server: Server,
    pub(super) lease: LeaseWriter,
    pub(super) surroundings: Surroundings,
    pub(super) sandboxes: Sandboxes,
    /// Held until the first services have been started.
    pub(super) starting: Option<std::sync::mpsc::Sender<()>>,
    pub(super) wanted: Wanted,
}

impl Parts {
    /// Puts them together; from here on requests are served.
    pub(super) fn assemble(
        self,
        stack: Stack,
        options: Options,
        stop: CancellationToken,
        run: &Path,
    ) -> (Manager, Outside, Inlets) {
        let (events, _) = broadcast::channel(1024);
        let (ask, asks) = mpsc::unbounded_channel();
        let (news, heard) = mpsc::unbounded_channel();
        let access = Access {
            ask,
            events: events.clone(),
            logs: self.logs.clone(),
            journal: self.journal.flusher(),
            data: stack.data.clone(),
            wishes: options.wishes,
            token: options.token.clone(),
            ended: CancellationToken::new(),
            patient: Arc::default(),
        };
        let strays = tokio::spawn(face::collect_strays(self.surroundings.children));
        let face = options.face.map(|face| (face, options.face_logs));
        let outside =
            Outside::open(self.server, self.loopback, access, face, options.showing, strays);
        let run_path: Arc<Path> = Arc::from(run);
        let units: BTreeMap<ServiceName, Unit> = stack
            .services
            .values()
            .filter_map(|spec| {
                let log = self.logs.get(&spec.name)?;
                let (run, news) = (run_path.clone(), news.clone());
                let unit = Unit::new(spec.clone(), log, run, &self.mark, news, self.groups.clone());
                Some((spec.name.clone(), unit))
            })
            .collect();
        let times = Times::new(&stack);
        let manager = Manager {
            desired: self.desired,
            times,
            run_path,
            sandboxes: self.sandboxes,
            starting: self.starting,
            first: 0,
            groups: self.groups,
            clock: self.clock,
            reports: Reports::new(events, self.journal),
            logs: self.logs,
            wanted: self.wanted,
            gone: std::collections::BTreeSet::new(),
            stack,
            fleet: self.fleet,
            units,
            guardian: self.guardian,
            guardian_command: options.guardian,
            mark: self.mark,
            lease: self.lease,
            news,
            down: None,
            luggage: options.luggage,
            token: options.token,
            pending: None,
            upgrade: None,
            stop_within: options.stop_within,
            init: options.init,
        };
        let signals = self.surroundings.signals;
        (manager, outside, Inlets { heard, asks, signals, stop })
    }
}

/// Binds the ports that the profile gives the supervisor itself.
async fn loopback(options: &Options) -> Result<Vec<Loopback>, Error> {
    let mut out = Vec::new();
    for (name, port) in [("control", options.control_port), ("metrics", options.metrics_port)] {
        if let Some(port) = port {
            out.push(Loopback::bind(name, port).await?);
        }
    }
    Ok(out)
}

/// [`run`] on a runtime of its own, of one thread. The calling thread starts the services, so it
/// has to last as long as they do.
pub fn run_blocking(stack: Stack, options: Options) -> Result<Outcome, Error> {
    let signals = options.signals;
    let work = move || on_runtime(async { run(stack, options).await });
    host::host(signals, work).map_err(system("start a thread"))?
}

pub(super) fn on_runtime(
    run: impl Future<Output = Result<Outcome, Error>>,
) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(256 * 1024)
        .thread_keep_alive(Duration::from_secs(1))
        .build()
        .map_err(system("start its event loop"))?;
    let outcome = runtime.block_on(run);
    // A gate that still looks at a large object must not hold the end up.
    runtime.shutdown_background();
    outcome
}
