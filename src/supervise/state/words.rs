//! The words between the machine and the world: what happened, what is to be done.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::ServiceName;
use crate::supervise::spec::{Follow, Kind, ProbeSpec, RestartRule, ServiceSpec};
use crate::supervise::status::Exit;

/// Time since the supervisor started, on the monotonic clock.
pub type Time = Duration;

/// Counts the starts of one service; what belongs to an earlier start is ignored.
pub type Generation = u64;

/// Now, and a factor of 0.9 to 1.1 that spreads restarts.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// The time.
    pub now: Time,
    /// The factor.
    pub jitter: f64,
}

/// What the machine must know of a service.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rules {
    /// Whether it keeps running.
    pub kind: Kind,
    /// Whether it runs when its time comes, instead of at once.
    pub scheduled: bool,
    /// When it is started again.
    pub restart: RestartRule,
    /// Exit codes that are a success besides 0.
    pub success: Vec<i32>,
    /// Whether something runs to its end before each start.
    pub pre_start: bool,
    /// Time to become ready; ready as soon as it runs when `None`.
    pub ready_within: Option<Duration>,
    /// Whether readiness is its own word.
    pub says_ready: bool,
    /// Failed looks in a row after readiness that make it restart.
    pub alive_failures: Option<u32>,
    /// Time between two signs of life.
    pub watchdog: Option<Duration>,
    /// Whether it can be reloaded.
    pub reloads: bool,
    /// What it does when something it comes after runs anew.
    pub follow: Follow,
    /// Whether the stack ends with it.
    pub ends_stack: bool,
    /// Whether a command asks it to end, instead of the signal.
    pub stop_command: bool,
    /// Signal that asks it to end.
    pub stop_signal: i32,
    /// Time before SIGKILL.
    pub grace: Duration,
}

impl From<&ServiceSpec> for Rules {
    fn from(spec: &ServiceSpec) -> Self {
        let ready = spec.ready.as_ref();
        let watchdog = spec.watchdog();
        Self {
            kind: spec.kind,
            scheduled: spec.schedule.is_some(),
            restart: spec.restart,
            success: spec.success.iter().copied().collect(),
            pre_start: spec.pre_start.is_some(),
            ready_within: ready.map(|r| r.timeout),
            says_ready: ready.is_some_and(|r| matches!(r.probe, ProbeSpec::Notify)),
            alive_failures: match watchdog {
                Some(_) => None,
                None => spec.alive.as_ref().map(|a| a.failures),
            },
            watchdog,
            reloads: spec.reload.is_some(),
            follow: spec.follow,
            ends_stack: spec.ends_stack,
            stop_command: spec.stop_command.is_some(),
            stop_signal: spec.stop_signal,
            grace: spec.stop_grace,
        }
    }
}

impl Rules {
    /// Whether an exit is a success.
    pub fn is_success(&self, exit: Exit) -> bool {
        match exit {
            Exit::Code(code) => code == 0 || self.success.contains(&code),
            Exit::Signal(_) => false,
        }
    }

    /// Whether something looks at it while it runs.
    pub(super) fn is_watched(&self) -> bool {
        self.ready_within.is_some() || self.alive_failures.is_some()
    }
}

/// What a service says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It is ready, or has reloaded.
    Ready,
    /// It reloads.
    Reloading,
    /// It ends.
    Stopping,
    /// A line for people.
    Status(String),
    /// A sign of life.
    Alive,
    /// It should be restarted.
    Trigger,
    /// From now on a sign of life comes at least this often; zero: none comes.
    WatchdogEvery(Duration),
    /// What it is doing takes at least this long from now.
    Extend(Duration),
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// It should run, with the stack.
    Start,
    /// It should run: somebody asked for it.
    StartAsked,
    /// Its scheduled time came.
    Due,
    /// Whether everything that it comes after is as it must be.
    Deps(bool),
    /// The gate lets it start.
    GatePassed(Generation),
    /// The gate does not.
    GateRefused(Generation, String),
    /// The command before its start failed.
    PreStartFailed(Generation, String),
    /// A port it needs is held by a stranger.
    PortTaken(Generation, String),
    /// That port is free.
    PortFree(Generation),
    /// It runs, with this process id.
    Spawned(Generation, u32),
    /// It could not be started; `retry` when that may pass by itself.
    SpawnFailed(Generation, String, bool),
    /// The readiness check passed.
    ProbeOk(Generation),
    /// The readiness check failed once more, for this reason.
    ProbeFailed(Generation, String),
    /// A look after readiness found it working, or not and why.
    Alive(Generation, Result<(), String>),
    /// It said something on its notify socket.
    Notice(Generation, Notice),
    /// The command that asks it to end failed.
    StopCommandFailed(Generation),
    /// Its process ended.
    Exited(Generation, Exit),
    /// Nothing of it is alive any more and its log is complete.
    Swept(Generation),
    /// It should end and stay ended.
    Stop,
    /// It should end, then run.
    Restart,
    /// It should take up changes.
    Reload,
    /// What this names, and it comes after, runs anew or reloaded.
    Follow(ServiceName),
    /// It should end at once and stay ended.
    Kill,
    /// Time passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask the gate and run what comes before a start; answer with [`Input::GatePassed`],
    /// [`Input::GateRefused`], [`Input::PreStartFailed`] or [`Input::PortTaken`].
    Gate(Generation),
    /// Give up what [`Output::Gate`] or [`Output::AwaitPorts`] began; a command before the start
    /// still answers once it is dead.
    EndGate,
    /// Answer with [`Input::PortFree`] once its ports are free.
    AwaitPorts(Generation),
    /// Start it; answer with [`Input::Spawned`] or [`Input::SpawnFailed`].
    Spawn(Generation),
    /// Check readiness until it passes, then [`Input::ProbeOk`].
    Probe(Generation),
    /// Look again and again, each time with [`Input::Alive`].
    Watch(Generation),
    /// Stop looking.
    EndProbe,
    /// Make it take up changes.
    Reload(Generation),
    /// Run the command that asks it to end; [`Input::StopCommandFailed`] when that fails.
    StopCommand(Generation),
    /// Send a signal to all of it.
    Signal(i32),
    /// Send SIGKILL to all of it.
    KillAll,
    /// End what is left of it (SIGKILL after this time), then [`Input::Swept`].
    Sweep(Generation, Duration),
}
