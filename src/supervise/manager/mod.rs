//! The event loop: turns what happens into inputs of the machines, and their orders into deeds.
//!
//! Owns the run from the lock to the last sweep. Decides nothing about a service's life (that is
//! [`super::state`]) and blocks nowhere: gates, sweeps and scans run on blocking threads, starts on
//! the spawner. Invariant: everything that happens reaches the machines through this one loop, so
//! boot, crash, restart and stop take the same path.

mod begin;
mod change;
mod clock;
mod face;
mod go_on;
mod hand_over;
mod limit;
mod outside;
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

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub use self::begin::{run, run_blocking};
use self::clock::Clock;
pub use self::face::Showing;
pub use self::go_on::go_on_blocking;
use self::hand_over::Pending;
use self::report::Reports;
pub(super) use self::report::Seen;
use self::signals::Signals;
use self::times::Times;
use self::unit::Unit;
use super::confined::{Groups, Sandboxes};
use super::contain::{self, RunMark};
use super::control::server::Ask;
use super::desired::Desired;
use super::fleet::{Action, Fleet};
use super::guardian::Guardian;
use super::lease::{Lease, LeaseWriter, Leased};
use super::logs::Logs;
use super::plan::Wanted;
use super::process::StartError;
use super::procfs;
use super::reap::Child;
use super::spec::{Stack, Wishes};
use super::state::{Generation, Input, Output};
use super::status::{Event, StackStatus, Upgrade};
use super::upgrade::Luggage;
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
    /// What another program needs beside the stack to go on; without it none can take over.
    pub luggage: Option<Arc<dyn Luggage>>,
    /// What the face has shown, so that no program is replaced in the middle of an event.
    pub showing: Arc<Showing>,
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
    /// Held until the first services have been started.
    starting: Option<std::sync::mpsc::Sender<()>>,
    /// How many of those are left.
    first: usize,
    lease: LeaseWriter,
    reports: Reports,
    news: mpsc::UnboundedSender<News>,
    /// Required services that were down when the end was asked.
    down: Option<Vec<ServiceName>>,
    /// How long the ordered end may take.
    stop_within: Option<Duration>,
    /// Whether it is the init of a container.
    init: bool,
    luggage: Option<Arc<dyn Luggage>>,
    token: Option<Secret>,
    /// A program that is to take over as soon as nothing is under way.
    pending: Option<Pending>,
    /// The last upgrade.
    upgrade: Option<Upgrade>,
}

/// Where things come from.
struct Inlets {
    heard: mpsc::UnboundedReceiver<News>,
    asks: mpsc::UnboundedReceiver<Ask>,
    signals: Signals,
    stop: CancellationToken,
}

/// Why the loop stopped.
enum Turn {
    /// All rests.
    End,
    /// Nothing is under way: the program that waits can take over.
    Quiet,
    /// The program that waits has waited for too long, for this.
    Late(String),
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
        let starts = |(_, output): &&Action| matches!(output, Output::Gate(_));
        self.first = actions.iter().filter(starts).count();
        self.perform(actions);
    }

    /// Runs until all rests, or until it has to be left for another program's sake.
    async fn turn(&mut self, inlets: &mut Inlets) -> Turn {
        let Inlets { heard, asks, signals, stop } = inlets;
        while !self.fleet.is_at_rest() {
            if let Some(turn) = self.is_time_to_hand_over() {
                return turn;
            }
            let time = self.times.wait().map(|wait| self.clock.now() + wait);
            let look = self.next_look_at_quiet();
            let due = [self.fleet.wake_at(), self.reports.wake_at(&self.fleet), time, look];
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
        Turn::End
    }

    fn hear(&mut self, news: News) {
        let (name, input) = match news {
            News::Input(name, input) => (name, input),
            News::Started(name, generation, result) => {
                self.first -= usize::from(self.first > 0);
                self.starting.take_if(|_| self.first == 0);
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
        status.upgrade.clone_from(&self.upgrade);
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
