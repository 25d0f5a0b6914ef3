//! What is to run: a stack of services, with every value resolved.
//!
//! Plain data made by an operation from an environment; nothing here is symbolic any more.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use url::Url;

use super::logs::Limits;
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
}

/// One service, ready to start.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Its name.
    pub name: ServiceName,
    /// Absolute path of the program, in the store.
    pub program: PathBuf,
    /// Arguments after the program.
    pub args: Vec<OsString>,
    /// The whole environment of the process.
    pub env: BTreeMap<OsString, OsString>,
    /// Working directory.
    pub cwd: PathBuf,
    /// Readiness; ready as soon as it runs when `None`.
    pub ready: Option<ReadySpec>,
    /// Must be ready first.
    pub after: BTreeSet<ServiceName>,
    /// When it is started again.
    pub restart: RestartRule,
    /// Signal number that asks it to end.
    pub stop_signal: i32,
    /// Time before SIGKILL.
    pub stop_grace: Duration,
    /// Ports it opens: name → number.
    pub ports: BTreeMap<String, u16>,
    /// Whether the stack is down without it.
    pub required: bool,
    /// How much of its log is kept.
    pub logs: Limits,
}

/// When a service that ended by itself is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartRule {
    /// Whenever it ends.
    Always,
    /// When it ends by a signal or with a non-zero code.
    OnFailure,
    /// Not.
    Never,
}

/// How readiness is seen.
#[derive(Clone, Debug)]
pub struct ReadySpec {
    /// What is looked at.
    pub probe: ProbeSpec,
    /// How long it may take from the start.
    pub timeout: Duration,
}

/// What a readiness check looks at.
#[derive(Clone, Debug)]
pub enum ProbeSpec {
    /// A GET answers 2xx or 3xx.
    Http(Url),
    /// A connection is accepted.
    Tcp(SocketAddr),
    /// A line of its output contains the text.
    Log(String),
}
