//! What a stack looks like from outside, as plain data.
//!
//! Shared by the supervisor, the control socket and every face. Refuses any behaviour beyond
//! formatting. Invariant: everything here survives a trip through JSON.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::base::{EnvName, ServiceName};

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Held until the services it comes after are ready.
    Waiting,
    /// Being checked, started, or running without being ready yet.
    Starting,
    /// Running and ready.
    Ready,
    /// Asked to end, or its remains are being ended.
    Stopping,
    /// Not running and not wanted, or ended for good.
    Stopped,
    /// Ended by itself; starts again after a delay.
    Backoff,
    /// Ended too often, and still tried again at the longest delay; or a task that failed for good.
    Failed,
    /// Cannot start and is not tried again until asked, or until the port it needs is free.
    Blocked,
    /// Ran to its end with success and is not started again.
    Completed,
    /// A task that waits for its time.
    Scheduled,
}

impl State {
    /// Ready, ended for good with success, or waiting for its time.
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Ready | Self::Completed | Self::Scheduled)
    }

    /// The word shown to people and written in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Completed => "completed",
            Self::Scheduled => "scheduled",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Exit {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Exit {
    /// Whether it ended with code 0.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match signal_name(*number) {
                Some(name) => write!(f, "signal {number} ({name})"),
                None => write!(f, "signal {number}"),
            },
        }
    }
}

/// The name of a common signal.
pub const fn signal_name(number: i32) -> Option<&'static str> {
    Some(match number {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGQUIT => "SIGQUIT",
        libc::SIGILL => "SIGILL",
        libc::SIGTRAP => "SIGTRAP",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGUSR1 => "SIGUSR1",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGUSR2 => "SIGUSR2",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGALRM => "SIGALRM",
        libc::SIGTERM => "SIGTERM",
        libc::SIGSYS => "SIGSYS",
        libc::SIGWINCH => "SIGWINCH",
        _ => return None,
    })
}

/// The number of a signal by its name, with or without `SIG`; `None` for one that no service can be
/// asked to end with.
pub fn signal_number(name: &str) -> Option<i32> {
    let short = name.strip_prefix("SIG").unwrap_or(name);
    let found = [
        ("TERM", libc::SIGTERM),
        ("INT", libc::SIGINT),
        ("QUIT", libc::SIGQUIT),
        ("HUP", libc::SIGHUP),
        ("USR1", libc::SIGUSR1),
        ("USR2", libc::SIGUSR2),
        ("KILL", libc::SIGKILL),
    ];
    found.into_iter().find(|(n, _)| *n == short).map(|(_, number)| number)
}

/// Why a service is in the state it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "cause", content = "detail")]
pub enum Cause {
    /// The stack starts.
    Boot,
    /// Someone asked for a restart.
    RestartAsked,
    /// Someone asked it, or the whole stack, to stop.
    StopAsked,
    /// Someone asked for a start.
    StartAsked,
    /// Someone asked it to reload.
    ReloadAsked,
    /// It reloads because a service it comes after ran anew or reloaded.
    ReloadAfter(ServiceName),
    /// It restarts because a service it comes after ran anew or reloaded.
    RestartAfter(ServiceName),
    /// Its scheduled time came.
    Due,
    /// The delay after a failure is over, or the port it needs is free again.
    Retry,
    /// The process runs.
    Spawned,
    /// The readiness check passed, or there is none.
    Ready,
    /// The process ended by itself.
    Exited(Exit),
    /// It was not ready in time; the text says what the check saw last.
    NotReady(String),
    /// It was ready and then failed its liveness check; the text says what the check saw.
    NotAlive(String),
    /// It gave no sign of life in time, or said itself that it should be restarted.
    Watchdog,
    /// A port it needs is held by a process that is not of this stack; the text names it.
    PortTaken(String),
    /// The command before its start failed; the text says how.
    PreStart(String),
    /// The gate refused it; the text is the gate's reason.
    GateRefused(String),
    /// The program could not be started; the text says why.
    CannotStart(String),
}

impl Cause {
    /// Whether it ended by itself with success.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Exited(exit) if exit.is_success())
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot => f.write_str("the stack starts"),
            Self::RestartAsked => f.write_str("restart asked"),
            Self::StopAsked => f.write_str("stop asked"),
            Self::StartAsked => f.write_str("start asked"),
            Self::ReloadAsked => f.write_str("reload asked"),
            Self::ReloadAfter(name) => write!(f, "reloads after `{name}`"),
            Self::RestartAfter(name) => write!(f, "restarts after `{name}`"),
            Self::Due => f.write_str("its time came"),
            Self::Retry => f.write_str("trying again"),
            Self::Spawned => f.write_str("started"),
            Self::Ready => f.write_str("ready"),
            Self::Exited(exit) => write!(f, "ended by itself with {exit}"),
            Self::NotReady(why) => write!(f, "not ready in time: {why}"),
            Self::NotAlive(why) => write!(f, "not alive: {why}"),
            Self::Watchdog => f.write_str("no sign of life in time (watchdog)"),
            Self::PreStart(why) => write!(f, "pre-start failed: {why}"),
            Self::GateRefused(why) | Self::CannotStart(why) | Self::PortTaken(why) => {
                f.write_str(why)
            }
        }
    }
}

/// One service of a running stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServiceStatus {
    /// Its name.
    pub name: ServiceName,
    /// The service it is one of several copies of.
    #[serde(default)]
    pub replica_of: Option<ServiceName>,
    /// Where it is.
    pub state: State,
    /// Why it is there.
    pub why: Cause,
    /// Whether the stack is down without it.
    pub required: bool,
    /// Process id, while one runs. It is the session's and the process group's number too.
    pub pid: Option<u32>,
    /// Milliseconds in this state.
    pub since_ms: u64,
    /// Milliseconds from the last start to readiness, once ready.
    pub ready_ms: Option<u64>,
    /// Milliseconds until the next try, while it backs off.
    pub retry_ms: Option<u64>,
    /// Milliseconds until its next scheduled run.
    #[serde(default)]
    pub next_ms: Option<u64>,
    /// False when somebody stopped it: then the stack is not down without it.
    #[serde(default = "wanted")]
    pub wanted: bool,
    /// What it says of itself (`STATUS=` on its notify socket).
    #[serde(default)]
    pub says: Option<String>,
    /// Starts after the first one.
    pub restarts: u64,
    /// How its last process ended.
    pub last_exit: Option<Exit>,
    /// Services that it still waits for.
    pub waits_for: Vec<ServiceName>,
    /// Ports: name → number.
    pub ports: BTreeMap<String, u16>,
    /// Its log file.
    pub log: PathBuf,
    /// What went through its log.
    pub logged: LogCounters,
    /// Which start this is; counts from 1, and 0 before the first.
    #[serde(default)]
    pub start: u64,
    /// What its processes use, where it was asked for and can be seen.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// What keeps it in; `None` where it is started by path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<crate::sandbox::Report>,
}

/// What the processes of a service use, read from the kernel when it was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Usage {
    /// Processes that are alive.
    pub processes: u64,
    /// Milliseconds of processor time, of these processes and of those they waited for.
    pub cpu_ms: u64,
    /// Bytes in memory; pages that several processes share count for each.
    pub rss_bytes: u64,
    /// Open descriptors; `None` where they may not be seen.
    pub open_fds: Option<u64>,
}

const fn wanted() -> bool {
    true
}

/// What went through a service's log since the supervisor started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LogCounters {
    /// Lines written.
    pub lines: u64,
    /// Bytes written, prefixes included.
    pub bytes: u64,
    /// Bytes of old log files removed by rotation.
    pub rotated_away: u64,
    /// Bytes that could not be written (a full disk).
    pub unwritten: u64,
}

/// One replacing of the supervisor's program while its services go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Upgrade {
    /// Counts the tries of a run, from 1.
    pub number: u64,
    /// The version of the program before.
    pub from: String,
    /// The version of the program that takes its place.
    pub to: String,
    /// Where that program lies.
    pub program: PathBuf,
    /// What became of it.
    pub outcome: UpgradeOutcome,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What became of an upgrade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum UpgradeOutcome {
    /// It is under way.
    UnderWay,
    /// The new program goes on with all services.
    Done,
    /// The program before goes on with all services.
    Failed,
}

/// A running stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StackStatus {
    /// The environment.
    pub env: EnvName,
    /// Its digest.
    pub digest: String,
    /// Its generation.
    pub generation: u64,
    /// The project's directory.
    pub project: PathBuf,
    /// The supervisor's process id.
    pub supervisor: u32,
    /// Milliseconds since the supervisor started.
    pub uptime_ms: u64,
    /// The version of the supervisor's program.
    #[serde(default)]
    pub version: String,
    /// The last time that program was replaced, or was to be.
    #[serde(default)]
    pub upgrade: Option<Upgrade>,
    /// Whether a stop is under way.
    pub stopping: bool,
    /// The services, by name.
    pub services: Vec<ServiceStatus>,
}

impl StackStatus {
    /// Required services that are not ready now.
    pub fn down(&self) -> Vec<&ServiceName> {
        let down = |s: &&ServiceStatus| s.required && s.wanted && !s.is_up();
        self.services.iter().filter(down).map(|s| &s.name).collect()
    }

    /// Whether a service is up or will not be without help: nothing is under way, for it or for
    /// what it waits for.
    pub fn has_settled(&self, service: &ServiceStatus) -> bool {
        self.settled(service, self.services.len())
    }

    /// The same; `depth` bounds a chain of waiting.
    fn settled(&self, service: &ServiceStatus, depth: usize) -> bool {
        match service.state {
            State::Starting | State::Stopping | State::Backoff => false,
            State::Waiting => {
                let held = |s: &&ServiceStatus| {
                    service.waits_for.contains(&s.name)
                        && !s.is_up()
                        && depth > 0
                        && self.settled(s, depth - 1)
                };
                self.services.iter().any(|s| held(&s))
            }
            _ => true,
        }
    }
}

impl ServiceStatus {
    /// Ready, ended for good with success, or waiting for its time.
    pub fn is_up(&self) -> bool {
        self.state.is_up()
    }
}

/// One change of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StateChange {
    /// The service.
    pub service: ServiceName,
    /// The state before.
    pub from: State,
    /// The state now.
    pub to: State,
    /// Why.
    pub why: Cause,
    /// The process, if one runs.
    pub pid: Option<u32>,
    /// Milliseconds until the next try, when it backs off.
    pub retry_ms: Option<u64>,
    /// Milliseconds since the supervisor started.
    pub at_ms: u64,
    /// Which start of the service it is about.
    #[serde(default)]
    pub start: u64,
    /// How its process ended, when it has just ended.
    #[serde(default)]
    pub exit: Option<Exit>,
    /// Milliseconds from the start to readiness, when it has just become ready.
    #[serde(default)]
    pub ready_ms: Option<u64>,
    /// What it waits for, when it has just begun to wait.
    #[serde(default)]
    pub waits_for: Vec<ServiceName>,
}

/// What can be asked to be done with services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Start, with what they come after.
    Start,
    /// End, and stay ended.
    Stop,
    /// End, then start.
    Restart,
    /// Make it take up changes without a restart.
    Reload,
    /// Send a signal.
    Signal,
    /// Stop the whole stack and end the supervisor.
    Down,
    /// Run what the environment's current generation asks for.
    Apply,
}

impl Action {
    /// The word shown to people and written in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Signal => "signal",
            Self::Down => "down",
            Self::Apply => "apply",
        }
    }
}

/// What a supervisor runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct StackInfo {
    /// The environment.
    pub env: EnvName,
    /// Its digest.
    pub digest: String,
    /// Its generation.
    pub generation: u64,
    /// The supervisor's process id.
    pub supervisor: u32,
    /// The services, each with those it comes after.
    pub services: BTreeMap<ServiceName, Vec<ServiceName>>,
}

/// Something that happened, as it is kept in the journal and told to those who follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Record {
    /// Counts on from one run to the next.
    pub seq: u64,
    /// When, in UTC with milliseconds.
    pub at: String,
    /// The run it belongs to.
    pub run: String,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// What a running supervisor tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A supervisor begins with this.
    Begin(StackInfo),
    /// The supervisor goes on with this: another generation was applied.
    Change(StackInfo),
    /// The supervisor's program is about to be replaced. Streams end with this.
    Upgrading(Upgrade),
    /// The new program goes on; nothing was restarted.
    Upgraded(Upgrade),
    /// The program before goes on; nothing was restarted.
    NotUpgraded(Upgrade),
    /// The supervisor ended in order, and nothing of the run is alive.
    End {
        /// Whether it was told to; otherwise nothing was left to run.
        asked: bool,
    },
    /// Somebody asked for something.
    Asked {
        /// What.
        action: Action,
        /// For which services; for all when there are none.
        services: Vec<ServiceName>,
        /// The process that asked, where that is known.
        by: Option<u32>,
    },
    /// A service changed its state.
    State(StateChange),
    /// Every required service is ready, for the first time.
    StackReady {
        /// Milliseconds since the supervisor started.
        at_ms: u64,
    },
    /// A required service will not become ready without help.
    StackFailed {
        /// The service.
        service: ServiceName,
        /// Why, with the last lines of its log.
        reason: String,
    },
    /// A stop takes its time: who is waited for.
    StopWaits {
        /// The service.
        service: ServiceName,
        /// Its process.
        pid: u32,
        /// Milliseconds since it was asked to end.
        asked_ms: u64,
        /// The signal that was sent last.
        signal: i32,
    },
    /// Something worth a line, e.g. leftovers that were ended.
    Note {
        /// The line.
        text: String,
    },
    /// Whole lines of a service's log, as in its file.
    Log {
        /// The service.
        service: ServiceName,
        /// Lines with their prefix; ends with a newline.
        text: String,
    },
    /// This reader was too slow and missed something; nothing else was held up.
    Missed {
        /// Events, or log lines when a service is named.
        count: u64,
        /// The service whose lines are missing.
        service: Option<ServiceName>,
    },
}
