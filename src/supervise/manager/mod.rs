//! The event loop: turns what happens into inputs of the machines, and their orders into deeds.
//!
//! Owns the run from the lock to the last sweep. Decides nothing about a service's life (that is
//! [`super::state`]) and blocks nowhere: gates, sweeps and scans run on blocking threads, starts on
//! the spawner. Invariant: everything that happens reaches the machines through this one loop, so
//! boot, crash, restart and stop take the same path.

mod change;
mod clock;
mod face;
mod limit;
mod report;
mod signals;
mod times;
mod unit;
mod verbs;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use self::clock::Clock;
use self::report::Reports;
use self::signals::Signals;
use self::times::Times;
use self::unit::Unit;
use super::Error;
use super::confined::{Groups, Sandboxes};
use super::contain::{self, RunMark};
use super::control::server::{Access, Ask, Server};
use super::control::tcp::Loopback;
use super::desired::Desired;
use super::fleet::{Action, Fleet};
use super::guardian::Guardian;
use super::init;
use super::journal::JournalWriter;
use super::lease::{Lease, LeaseWriter, Leased, RunDir};
use super::logs::Logs;
use super::plan::{self, Wanted};
use super::ports;
use super::process::StartError;
use super::procfs;
use super::reap::{self, Child};
use super::spec::{Stack, Wishes};
use super::state::{Generation, Input, Output, Rules};
use super::status::{Event, StackStatus};
use crate::base::{Secret, ServiceName};

/// How a stack is supervised.
#[derive(Debug, Default)]
pub struct Options {
    /// Ends the run in order when cancelled.
    pub stop: CancellationToken,
    /// Whether signals are obeyed: SIGINT, SIGTERM, SIGQUIT and SIGHUP end the run in order, a
    /// second one at once; SIGUSR1, SIGUSR2 and SIGWINCH are passed on to who asks for them.
    pub signals: bool,
    /// Whether this is a container's init: SIGHUP reloads, and what inits are sent is understood.
    pub init: bool,
    /// How long the ordered end may take; as long as the services may take when `None`.
    pub stop_within: Option<Duration>,
    /// Where events go; a full queue makes events be missed (and said so), never waited for.
    pub face: Option<mpsc::Sender<Event>>,
    /// Whether lines of logs are among them.
    pub face_logs: bool,
    /// Services that run even if somebody stopped them in an earlier run.
    pub reset: Reset,
    /// The guardian's program and arguments; ours with its hidden subcommand when empty.
    pub guardian: Vec<OsString>,
    /// Knows what should run, for `apply`; without it the stack stays as it is.
    pub wishes: Option<Arc<dyn Wishes>>,
    /// Port on loopback where the control interface is served, too.
    pub control_port: Option<u16>,
    /// Port on loopback where metrics are served, too.
    pub metrics_port: Option<u16>,
    /// Who sends it may change something over loopback.
    pub token: Option<Secret>,
}

/// Whose wish to stay stopped is forgotten at the start of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Reset {
    /// Nobody's.
    #[default]
    Nothing,
    /// These services'.
    Named(Vec<ServiceName>),
    /// Everybody's.
    All,
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Required services that were not up when the run was told to end, or ended by itself.
    pub down: Vec<ServiceName>,
    /// Whether it was told to end; otherwise nothing was left to run.
    pub asked: bool,
    /// The services at the end.
    pub last: StackStatus,
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
pub async fn run(stack: Stack, options: Options) -> Result<Outcome, Error> {
    let system = |action| move |source| Error::System { action, source };
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
    let logs = Arc::new(logs);
    let mark = RunMark::fresh();
    let loopback = loopback(&options).await?;
    let journal =
        JournalWriter::start(&stack.data, mark.as_str()).map_err(system("start a thread"))?;
    let groups = Arc::new(Groups::open(&mark, &stack));
    let guardian = if options.init && init::is_first() {
        // The kernel ends everything with us.
        None
    } else {
        let started = Guardian::start(&options.guardian, &mark, groups.run());
        Some(started.map_err(|source| Error::Guardian { source })?)
    };
    let server = Server::bind(dir.path())?;
    let lease = LeaseWriter::start(&dir).map_err(system("start a thread"))?;
    let signals =
        Signals::listen(options.signals, options.init).map_err(system("listen to signals"))?;

    let (events, _) = broadcast::channel(1024);
    let (ask, asks) = mpsc::unbounded_channel();
    let (news, heard) = mpsc::unbounded_channel();
    let ended = CancellationToken::new();
    let access = Access {
        ask,
        events: events.clone(),
        logs: logs.clone(),
        journal: journal.flusher(),
        data: stack.data.clone(),
        wishes: options.wishes,
        token: options.token,
        ended: ended.clone(),
    };
    let mut served = tokio::task::JoinSet::new();
    for listener in loopback {
        served.spawn(listener.serve(access.clone()));
    }
    served.spawn(server.serve(access));
    let face = options.face.map(|face| {
        let follow = options.face_logs.then(|| logs.clone());
        tokio::spawn(face::forward(events.subscribe(), follow, face, ended.clone()))
    });
    let strays = tokio::spawn(face::collect_strays().map_err(system("listen to signals"))?);

    let run_path: Arc<std::path::Path> = Arc::from(dir.path());
    let units = stack
        .services
        .values()
        .filter_map(|spec| {
            let log = logs.get(&spec.name)?;
            let (run, news) = (run_path.clone(), news.clone());
            let unit = Unit::new(spec.clone(), log, run, &mark, news, groups.clone());
            Some((spec.name.clone(), unit))
        })
        .collect();
    let times = Times::new(&stack);
    let wanted = plan::wanted(&stack);
    let sandboxes = Sandboxes::open(&stack, &groups);
    sandboxes.look(&stack, &logs);
    let mut manager = Manager {
        desired,
        times,
        run_path,
        sandboxes,
        groups,
        clock: Clock::start(),
        reports: Reports::new(events, journal),
        logs,
        wanted,
        gone: BTreeSet::new(),
        stack,
        fleet,
        units,
        guardian,
        guardian_command: options.guardian,
        mark,
        lease,
        news,
        down: None,
        stop_within: options.stop_within,
    };
    manager.watch_guardian();
    manager.open(leftovers);
    if options.init {
        manager.say_what_lacks();
    }
    manager.turn(heard, asks, signals, options.stop).await;
    let outcome = manager.close().await;

    // Streams give what they have, then close; only then are the lock and the socket let go.
    ended.cancel();
    strays.abort();
    while served.join_next().await.is_some() {}
    if let Some(face) = face {
        let _ = tokio::time::timeout(Duration::from_secs(2), face).await;
    }
    dir.clear()?;
    drop(lock);
    Ok(outcome)
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

/// [`run`] on a runtime of its own, of one thread.
pub fn run_blocking(stack: Stack, options: Options) -> Result<Outcome, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_stack_size(256 * 1024)
        .thread_keep_alive(Duration::from_secs(1))
        .build()
        .map_err(|source| Error::System { action: "start its event loop", source })?;
    let outcome = runtime.block_on(run(stack, options));
    // A gate that still looks at a large object must not hold the end up.
    runtime.shutdown_background();
    outcome
}

/// What the outside reports to the loop.
enum News {
    Input(ServiceName, Input),
    Started(ServiceName, Generation, Result<Child, StartError>),
    Swept(ServiceName, Generation, (usize, usize)),
    GuardianEnded,
}

struct Manager {
    desired: Desired,
    times: Times,
    run_path: Arc<std::path::Path>,
    stack: Stack,
    /// The fingerprints of `stack`.
    wanted: Wanted,
    /// Services that are no longer part of the stack, until nothing of them is alive.
    gone: BTreeSet<ServiceName>,
    logs: Arc<Logs>,
    clock: Clock,
    fleet: Fleet,
    units: BTreeMap<ServiceName, Unit>,
    guardian: Option<Guardian>,
    guardian_command: Vec<OsString>,
    mark: RunMark,
    groups: Arc<Groups>,
    sandboxes: Sandboxes,
    lease: LeaseWriter,
    reports: Reports,
    news: mpsc::UnboundedSender<News>,
    /// Required services that were down when the end was asked.
    down: Option<Vec<ServiceName>>,
    /// How long the ordered end may take.
    stop_within: Option<Duration>,
}

impl Manager {
    fn open(&mut self, leftovers: Option<(usize, usize)>) {
        let Stack { env, generation, digest, .. } = &self.stack;
        let header = format!("environment {env}, generation {generation}, {digest}");
        for unit in self.units.values() {
            unit.note(&header);
        }
        self.reports.tell(Event::Begin(report::info(&self.stack)));
        if let Some((killed, left)) = leftovers {
            let mut text = "the last supervisor here did not end in order".to_owned();
            if killed > 0 {
                text += &format!("; {killed} processes it left had to be killed");
            }
            if left > 0 {
                text += &format!("; {left} processes it left cannot be ended");
            }
            self.reports.tell(Event::Note { text });
        }
        self.write_lease();
        let stopped = self.desired.stopped();
        let actions = self.fleet.start_all(self.clock.moment(), stopped);
        self.perform(actions);
    }

    /// Runs until all rests.
    async fn turn(
        &mut self,
        mut heard: mpsc::UnboundedReceiver<News>,
        mut asks: mpsc::UnboundedReceiver<Ask>,
        mut signals: Signals,
        stop: CancellationToken,
    ) {
        while !self.fleet.is_at_rest() {
            let time = self.times.wait().map(|wait| self.clock.now() + wait);
            let due = [self.fleet.wake_at(), self.reports.wake_at(&self.fleet), time];
            let due = due.into_iter().flatten().min();
            let at =
                self.clock.instant(due.unwrap_or(Duration::from_secs(86_400) + self.clock.now()));
            tokio::select! {
                biased;
                wish = signals.next(|| self.clock.now()) => self.obey(wish),
                () = stop.cancelled(), if !self.fleet.is_stopping() => self.stop(),
                Some(news) = heard.recv() => self.hear(news),
                Some(ask) = asks.recv() => self.answer(ask),
                () = tokio::time::sleep_until(at), if due.is_some() => {
                    let actions = self.fleet.tick(self.clock.moment());
                    self.perform(actions);
                    self.look_at_clock();
                    self.reports.waiting(&self.fleet, self.clock.now());
                }
            }
        }
    }

    fn hear(&mut self, news: News) {
        let (name, input) = match news {
            News::Input(name, input) => (name, input),
            News::Started(name, generation, result) => {
                let Some(unit) = self.units.get_mut(&name) else { return };
                let input = match result {
                    Ok(child) => {
                        let child = unit.started(generation, child);
                        let pid = child.pid();
                        self.tell_guardian(|g| g.add(&child));
                        self.write_lease();
                        Input::Spawned(generation, pid)
                    }
                    Err(error) => {
                        unit.not_started();
                        Input::SpawnFailed(generation, error.line(), error.may_pass())
                    }
                };
                (name, input)
            }
            News::Swept(name, generation, (killed, left)) => {
                let Some(unit) = self.units.get_mut(&name) else { return };
                self.reports.meter.orphans += killed as u64;
                if let Some(child) = unit.swept(killed, left) {
                    if left == 0 {
                        self.tell_guardian(|g| g.remove(&child));
                    }
                    child.reap();
                    self.write_lease();
                }
                (name, Input::Swept(generation))
            }
            News::GuardianEnded => {
                self.replace_guardian();
                return;
            }
        };
        let moment = self.clock.moment();
        if let Some(machine) = self.fleet.get(&name) {
            let asked = machine.asked().map(|(at, _)| at);
            self.reports.meter.input(&name, moment.now, &input, machine.why(), asked);
        }
        let actions = self.fleet.apply(moment, &name, input);
        self.perform(actions);
    }

    fn stop(&mut self) {
        self.remember_down();
        let moment = self.clock.moment();
        let actions = match self.stop_within {
            Some(limit) if !self.fleet.is_stopping() => self.fleet.stop_within(moment, limit),
            _ => self.fleet.stop_all(moment),
        };
        self.perform(actions);
    }

    fn kill(&mut self) {
        self.remember_down();
        let actions = self.fleet.kill_all(self.clock.moment());
        self.perform(actions);
    }

    fn remember_down(&mut self) {
        if self.down.is_none() {
            self.down = Some(self.status().down().into_iter().cloned().collect());
        }
    }

    fn perform(&mut self, actions: Vec<Action>) {
        for (name, output) in actions {
            if output == Output::KillAll && self.fleet.get(&name).is_some_and(|m| m.pid().is_some())
            {
                self.reports.meter.killed(&name);
                self.say_if_cut(&name);
            }
            if let Some(unit) = self.units.get_mut(&name) {
                unit.perform(output, &self.stack.gate);
            }
        }
        self.reports.changes(&self.stack, &self.fleet, &self.units, self.clock.now());
        self.drop_gone();
        if self.fleet.has_reason_to_end() {
            self.stop();
        }
    }

    fn status(&mut self) -> StackStatus {
        self.times.tell(&mut self.units);
        let (stack, fleet, units) = (&self.stack, &self.fleet, &self.units);
        let mut status = report::status(stack, fleet, units, self.clock.now());
        self.sandboxes.tell(&mut status);
        status
    }

    fn tell_guardian(&mut self, tell: impl FnOnce(&mut Guardian) -> std::io::Result<()>) {
        // If it cannot be told it is ending; its successor is told of everything.
        if let Some(guardian) = &mut self.guardian {
            let _ = tell(guardian);
        }
    }

    fn watch_guardian(&self) {
        if let Some(guardian) = &self.guardian {
            let (child, news) = (guardian.child(), self.news.clone());
            tokio::spawn(async move {
                child.ended().await;
                child.reap();
                let _ = news.send(News::GuardianEnded);
            });
        }
    }

    /// Somebody ended the guardian: without one, our own death would leave orphans.
    fn replace_guardian(&mut self) {
        let started = Guardian::start(&self.guardian_command, &self.mark, self.groups.run())
            .and_then(|mut guardian| {
                for child in self.units.values().filter_map(Unit::child) {
                    guardian.add(child)?;
                }
                Ok(guardian)
            });
        let text = match started {
            Ok(guardian) => {
                self.guardian = Some(guardian);
                self.watch_guardian();
                "the guardian process was ended; another one took its place".to_owned()
            }
            Err(e) => {
                self.guardian = None;
                format!("the guardian process was ended and cannot be replaced: {e}")
            }
        };
        self.reports.tell(Event::Note { text });
    }

    fn write_lease(&self) {
        let us = std::process::id();
        let leased = |c: &Child| Leased { pid: c.pid(), start_time: c.start() };
        let running = |(n, u): (&ServiceName, &Unit)| Some((n.clone(), leased(u.child()?)));
        self.lease.write(Lease {
            version: 1,
            env: self.stack.env.clone(),
            supervisor: Leased { pid: us, start_time: procfs::start_time(us) },
            boot_id: procfs::boot_id(),
            run: self.mark.as_str().to_owned(),
            group: self.groups.run().map(Into::into),
            services: self.units.iter().filter_map(running).collect(),
        });
    }

    /// Nothing of a service is alive: ends what escaped all of them, and the guardian.
    async fn close(mut self) -> Outcome {
        let asked = self.fleet.is_stopping();
        let last = self.status();
        let down = self.down.take().unwrap_or_else(|| last.down().into_iter().cloned().collect());
        let mark = self.mark.clone();
        let strays = tokio::task::spawn_blocking(move || contain::end_strays(&mark)).await;
        if let Ok((killed, _)) = strays
            && killed > 0
        {
            let text = format!("{killed} processes had left their service and were ended");
            self.reports.tell(Event::Note { text });
        }
        if let Some(guardian) = self.guardian.take() {
            guardian.dismiss().await;
        }
        self.groups.remove();
        self.reports.close(Event::End { asked }).await;
        Outcome { down, asked, last }
    }
}

/// When a [`Duration`] since the start is, for a timer.
fn later(start: Instant, at: Duration) -> Instant {
    start.checked_add(at).unwrap_or(start)
}
