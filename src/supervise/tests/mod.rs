//! Real programs under the supervisor. Each test waits for what it expects; none sleeps and hopes.

mod control;
mod death;
mod follow;
mod hooks;
mod life;
mod notify;
mod roles;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::control::Client;
use super::logs::Limits;
use super::spec::{
    CommandSpec, Condition, Follow, Gate, Kind, ProbeSpec, ReadySpec, RestartRule, ServiceSpec,
    Stack,
};
use super::status::{Event, State, StateChange};
use super::{Error, Options, Outcome, Reset, end_leftovers, procfs, run_blocking};
use crate::base::{EnvName, Problem, ServiceName};

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

pub(super) fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

struct Open;

impl Gate for Open {
    fn check(&self, _service: &ServiceName) -> Result<(), Problem> {
        Ok(())
    }
}

/// A shell script as a service.
pub(super) fn script(service: &str, text: &str) -> ServiceSpec {
    ServiceSpec {
        name: name(service),
        program: PathBuf::from("/bin/sh"),
        args: vec!["-c".into(), text.into()],
        env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin:/usr/local/bin".into())]),
        env_file: None,
        cwd: PathBuf::from("/"),
        kind: Kind::Service,
        schedule: None,
        replica_of: None,
        pre_start: None,
        ready: None,
        alive: None,
        after: BTreeMap::new(),
        follow: Follow::Keep,
        restart: RestartRule::Always,
        success: BTreeSet::new(),
        ends_stack: false,
        reload: None,
        stop_command: None,
        stop_signal: libc::SIGTERM,
        stop_grace: Duration::from_secs(10),
        forward_signals: BTreeSet::new(),
        ports: BTreeMap::new(),
        required: true,
        confine: None,
        logs: Limits::default(),
    }
}

/// A shell script as a command beside a service.
fn command(text: &str) -> CommandSpec {
    CommandSpec {
        program: PathBuf::from("/bin/sh"),
        args: vec!["-c".into(), text.into()],
        confine: None,
    }
}

/// A shell script that runs to its end.
fn task(service: &str, text: &str) -> ServiceSpec {
    ServiceSpec { kind: Kind::Task, restart: RestartRule::Never, ..script(service, text) }
}

trait Tune {
    fn after(self, dep: &str) -> Self;
    fn on(self, dep: &str, condition: Condition) -> Self;
    fn ready(self, probe: ProbeSpec) -> Self;
}

impl Tune for ServiceSpec {
    fn after(mut self, dep: &str) -> Self {
        self.after.insert(name(dep), Condition::Ready);
        self
    }
    fn on(mut self, dep: &str, condition: Condition) -> Self {
        self.after.insert(name(dep), condition);
        self
    }
    fn ready(mut self, probe: ProbeSpec) -> Self {
        self.ready = Some(ReadySpec { probe, timeout: PATIENCE });
        self
    }
}

pub(super) fn stack(data: &Path, services: impl IntoIterator<Item = ServiceSpec>) -> Stack {
    Stack {
        env: EnvName::new("test").unwrap(),
        digest: "sha256-test".into(),
        generation: 7,
        project: data.to_owned(),
        object: data.join("environment"),
        data: data.to_owned(),
        services: services.into_iter().map(|s| (s.name.clone(), s)).collect(),
        gate: Arc::new(Open),
    }
}

/// A supervisor in a thread of the test.
struct Run {
    events: mpsc::Receiver<Event>,
    stop: CancellationToken,
    thread: JoinHandle<Result<Outcome, Error>>,
    /// What was received, for messages.
    seen: Vec<Event>,
}

impl Run {
    fn start(stack: Stack) -> Self {
        Self::start_with(stack, Reset::Nothing)
    }

    fn start_with(stack: Stack, reset: Reset) -> Self {
        let (face, events) = mpsc::channel(10_000);
        let stop = CancellationToken::new();
        let options = Options {
            stop: stop.clone(),
            face: Some(face),
            face_logs: true,
            guardian: roles::guardian_command(),
            reset,
            ..Options::default()
        };
        let thread = std::thread::spawn(move || run_blocking(stack, options));
        Self { events, stop, thread, seen: Vec::new() }
    }

    /// The first event from now on that is wanted.
    fn until<T>(&mut self, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.events.try_recv() {
                Ok(event) => {
                    self.seen.push(event);
                    if let Some(found) = self.seen.last().and_then(&mut wanted) {
                        return found;
                    }
                }
                Err(mpsc::error::TryRecvError::Empty) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(e) => panic!("{e}; so far: {:#?}", self.seen),
            }
        }
    }

    fn until_state(&mut self, service: &str, state: State) -> StateChange {
        self.until(|event| match event {
            Event::State(change) if change.service.as_str() == service && change.to == state => {
                Some(change.clone())
            }
            _ => None,
        })
    }

    fn until_line(&mut self, service: &str, text: &str) {
        self.until(|event| match event {
            Event::Log { service: s, text: t } => {
                (s.as_str() == service && t.contains(text)).then_some(())
            }
            _ => None,
        });
    }

    fn until_ready(&mut self) {
        self.until(|event| matches!(event, Event::StackReady { .. }).then_some(()));
    }

    /// Ends in order; gives the outcome and every event that came.
    fn stop(mut self) -> (Outcome, Vec<Event>) {
        self.stop.cancel();
        let outcome = self.thread.join().unwrap().unwrap();
        while let Ok(event) = self.events.try_recv() {
            self.seen.push(event);
        }
        (outcome, self.seen)
    }

    /// Waits for its own end.
    fn end(self) -> Result<Outcome, Error> {
        self.thread.join().unwrap()
    }
}

/// Waits until a condition holds.
fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Whether a process is there and not a zombie.
fn lives(pid: u32) -> bool {
    procfs::process(pid).is_some_and(|p| !p.zombie)
}

/// The pids that scripts wrote into files of a directory.
fn pids(dir: &Path, files: &[&str]) -> Vec<u32> {
    let read = |file: &&str| {
        let path = dir.join(file);
        wait(&format!("{file} is written"), || {
            crate::fs::read_to_string(&path).is_ok_and(|t| t.ends_with('\n'))
        });
        crate::fs::read_to_string(&path).unwrap().trim().parse().unwrap()
    };
    files.iter().map(read).collect()
}

fn kill(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// A port that was free a moment ago.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn os(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}
