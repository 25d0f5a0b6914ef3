//! What is to run: a stack of services, with every value resolved.
//!
//! Plain data made by an operation from an environment; nothing here is symbolic any more.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use url::Url;

use super::logs::Limits;
use super::schedule::Schedule;
use crate::base::{EnvName, Problem, ServiceName};

/// A stack to supervise.
#[derive(Clone)]
pub struct Stack {
    /// The environment's name.
    pub env: EnvName,
    /// The environment's digest, as `env digest` prints it.
    pub digest: String,
    /// The generation the stack runs.
    pub generation: u64,
    /// The project's directory.
    pub project: PathBuf,
    /// The environment's directory in the store.
    pub object: PathBuf,
    /// The environment's data directory; control socket, lease and logs lie in it.
    pub data: PathBuf,
    /// The services.
    pub services: BTreeMap<ServiceName, ServiceSpec>,
    /// Checked before each start of a service; an error keeps it down.
    pub gate: Arc<dyn Gate>,
}

/// Decides whether a service may start, each time before it does.
pub trait Gate: Send + Sync {
    /// Checks the objects the service starts from. Blocking; called off the event loop.
    fn check(&self, service: &ServiceName) -> Result<(), Problem>;

    /// What a successor of this program makes the same gate from.
    fn pack(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}

/// Knows what should run, while something runs.
pub trait Wishes: std::fmt::Debug + Send + Sync {
    /// The stack of the environment's current generation. Blocking; called off the event loop.
    /// Builds and fetches nothing.
    fn current(&self) -> Result<Stack, Problem>;
}

/// One service, ready to start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// Its name.
    pub name: ServiceName,
    /// Absolute path of the program, in the store.
    pub program: PathBuf,
    /// Arguments after the program.
    pub args: Vec<OsString>,
    /// The whole environment of the process.
    #[serde(with = "super::upgrade::forms::pairs")]
    pub env: BTreeMap<OsString, OsString>,
    /// Read before each start for more of it.
    pub env_file: Option<EnvFile>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Whether it keeps running or runs to its end.
    pub kind: Kind,
    /// When a task runs; once, with the stack, when `None`.
    pub schedule: Option<Schedule>,
    /// The service it is one of several copies of.
    pub replica_of: Option<ServiceName>,
    /// Run to its end before each start; a failure is a failed start.
    pub pre_start: Option<CommandSpec>,
    /// Readiness; ready as soon as it runs when `None`.
    pub ready: Option<ReadySpec>,
    /// Looked at from readiness on.
    pub alive: Option<AliveSpec>,
    /// What has to have happened to others first.
    pub after: BTreeMap<ServiceName, Condition>,
    /// What follows when one of those runs anew.
    pub follow: Follow,
    /// When it is started again.
    pub restart: RestartRule,
    /// Exit codes that are a success besides 0.
    pub success: BTreeSet<i32>,
    /// Whether the stack ends when this ended and is not started again.
    pub ends_stack: bool,
    /// How it takes up changes without a restart.
    pub reload: Option<ReloadSpec>,
    /// Asks it to end, instead of the signal.
    pub stop_command: Option<CommandSpec>,
    /// Signal number that asks it to end.
    pub stop_signal: i32,
    /// Time before SIGKILL.
    pub stop_grace: Duration,
    /// Signals that the supervisor passes on to its main process.
    pub forward_signals: BTreeSet<i32>,
    /// Ports it opens: name → number.
    pub ports: BTreeMap<String, u16>,
    /// Whether the stack is down without it.
    pub required: bool,
    /// Its sandbox, limits and identity; its program is held while it is checked and started.
    /// Started by path, as it is, when `None`.
    #[serde(with = "super::upgrade::forms::shared")]
    pub confine: Option<Arc<crate::sandbox::Spec>>,
    /// How much of its log is kept.
    pub logs: Limits,
}

/// A file of variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFile {
    /// Absolute path.
    pub path: PathBuf,
    /// Variables that it cannot change: what the service's own `env` and `secrets` say.
    pub keeps: BTreeSet<String>,
}

/// Whether a program keeps running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// It keeps running.
    #[default]
    Service,
    /// It runs to its end; what comes after waits for that.
    Task,
}

/// What has to have happened to a service before another may start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// Its process runs, or it ended with success.
    Started,
    /// It is ready, or ended with success.
    #[default]
    Ready,
    /// It ended with success.
    Completed,
}

/// What follows when something that a service comes after runs anew or reloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Follow {
    /// Nothing.
    #[default]
    Keep,
    /// It reloads.
    Reload,
    /// It restarts.
    Restart,
}

/// A program with arguments, run with the service's environment and directory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CommandSpec {
    /// Absolute path, in the store.
    pub program: PathBuf,
    /// Arguments after the program.
    pub args: Vec<OsString>,
    /// The service's own sandbox, limits and identity, for this program. Started by path, as it is,
    /// when `None`.
    #[serde(with = "super::upgrade::forms::shared")]
    pub confine: Option<Arc<crate::sandbox::Spec>>,
}

/// How a service is told to take up changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ReloadSpec {
    /// This signal, to its main process alone.
    Signal(i32),
    /// A command; a failure is noted, the service goes on.
    Command(CommandSpec),
}

/// How it is seen that a ready service still works.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AliveSpec {
    /// What is looked at.
    pub probe: AliveProbe,
    /// Time between two looks.
    pub interval: Duration,
    /// How long one look may take.
    pub timeout: Duration,
    /// Failed looks in a row that make it restart.
    pub failures: u32,
}

/// What a liveness check looks at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum AliveProbe {
    /// The same as for readiness.
    Probe(ProbeSpec),
    /// `WATCHDOG=1` comes at least once in this time.
    Watchdog(Duration),
}

/// When a service that ended by itself is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartRule {
    /// Whenever it ends.
    Always,
    /// When it ends by a signal or with a non-zero code.
    OnFailure,
    /// Not.
    Never,
}

/// How readiness is seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReadySpec {
    /// What is looked at.
    pub probe: ProbeSpec,
    /// How long it may take from the start.
    pub timeout: Duration,
}

/// What a readiness check looks at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ProbeSpec {
    /// A GET answers 2xx or 3xx.
    Http(Url),
    /// A connection is accepted.
    Tcp(SocketAddr),
    /// A line of its output contains the text.
    Log(String),
    /// A command ends with 0.
    Exec(CommandSpec),
    /// The service says `READY=1` on its notify socket.
    Notify,
}

impl ServiceSpec {
    /// Whether it is given a notify socket.
    pub fn notifies(&self) -> bool {
        let ready = self.ready.as_ref().is_some_and(|r| matches!(r.probe, ProbeSpec::Notify));
        ready || self.watchdog().is_some()
    }

    /// Time between two signs of life, where they are asked for.
    pub fn watchdog(&self) -> Option<Duration> {
        match self.alive.as_ref().map(|a| &a.probe) {
            Some(AliveProbe::Watchdog(period)) => Some(*period),
            _ => None,
        }
    }
}
