//! The words between the machine and the world: what happened, what is to be done.

use std::time::Duration;

use crate::supervise::spec::{ReadySpec, RestartRule, ServiceSpec};
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
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// When it is started again.
    pub restart: RestartRule,
    /// Time to become ready; ready as soon as it runs when `None`.
    pub ready_within: Option<Duration>,
    /// Signal that asks it to end.
    pub stop_signal: i32,
    /// Time before SIGKILL.
    pub grace: Duration,
}

impl From<&ServiceSpec> for Rules {
    fn from(spec: &ServiceSpec) -> Self {
        Self {
            restart: spec.restart,
            ready_within: spec.ready.as_ref().map(|ReadySpec { timeout, .. }| *timeout),
            stop_signal: spec.stop_signal,
            grace: spec.stop_grace,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// It should run.
    Start,
    /// Whether everything that it comes after is ready.
    Deps(bool),
    /// The gate lets it start.
    GatePassed(Generation),
    /// The gate does not.
    GateRefused(Generation, String),
    /// It runs, with this process id.
    Spawned(Generation, u32),
    /// It could not be started; `retry` when that may pass by itself.
    SpawnFailed(Generation, String, bool),
    /// The readiness check passed.
    ProbeOk(Generation),
    /// The readiness check failed once more, for this reason.
    ProbeFailed(Generation, String),
    /// Its process ended.
    Exited(Generation, Exit),
    /// Nothing of it is alive any more and its log is complete.
    Swept(Generation),
    /// It should end and stay ended.
    Stop,
    /// It should end, then run.
    Restart,
    /// It should end at once and stay ended.
    Kill,
    /// Time passed.
    Tick,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Ask the gate; answer with [`Input::GatePassed`] or [`Input::GateRefused`].
    Gate(Generation),
    /// Start it; answer with [`Input::Spawned`] or [`Input::SpawnFailed`].
    Spawn(Generation),
    /// Check readiness until it passes, then [`Input::ProbeOk`].
    Probe(Generation),
    /// Stop checking readiness.
    EndProbe,
    /// Send a signal to all of it.
    Signal(i32),
    /// Send SIGKILL to all of it.
    KillAll,
    /// End what is left of it (SIGKILL after this time), then [`Input::Swept`].
    Sweep(Generation, Duration),
}
