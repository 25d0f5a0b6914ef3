//! Metrics in the Prometheus text format.
//!
//! [`Meter`] counts what happens, in the event loop; [`render`] writes it down together with a
//! status, off the loop. Names follow the conventions of Prometheus: one prefix, base units,
//! `_total` for counters. Invariant: a service's series appear as soon as it is declared, so that
//! an absence is never a zero.

mod histogram;
mod probes;
mod render;
mod text;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use self::histogram::Histogram;
pub(super) use self::probes::{Looks, ProbeCounts};
pub(super) use self::render::render;
use super::state::{Input, Time};
use super::status::{Cause, Exit};
use crate::base::ServiceName;

/// The media type that scrapers expect.
pub(super) const TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Words of the label `cause` of a start.
const CAUSES: [&str; 6] = ["boot", "crash", "dependency", "manual", "other", "schedule"];
/// Words of the label `reason` of an exit.
const REASONS: [&str; 5] = ["asked", "code", "probe", "signal", "watchdog"];

/// What was counted since the supervisor started.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Meter {
    services: BTreeMap<ServiceName, ServiceMeter>,
    /// Processes that had left their service, or outlived it, and were ended.
    pub(super) orphans: u64,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct ServiceMeter {
    #[serde(deserialize_with = "words")]
    starts: BTreeMap<&'static str, u64>,
    #[serde(deserialize_with = "words")]
    exits: BTreeMap<&'static str, u64>,
    kills: u64,
    /// The units have these.
    #[serde(skip)]
    probes: ProbeCounts,
    startup: Histogram,
    restart_delay: Histogram,
    stop: Histogram,
    spawned_at: Option<Time>,
    ready: bool,
    exited_at: Option<Time>,
}

/// Counts by the words of a label; those that this program does not know are dropped.
fn words<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<&'static str, u64>, D::Error> {
    let counts = BTreeMap::<String, u64>::deserialize(from)?;
    let known = CAUSES.iter().chain(&REASONS);
    Ok(known.filter_map(|word| Some((*word, *counts.get(*word)?))).collect())
}

impl Meter {
    fn of(&mut self, name: &ServiceName) -> &mut ServiceMeter {
        self.services.entry(name.clone()).or_default()
    }

    /// Forgets a service that is no longer part of the stack.
    pub(super) fn forget(&mut self, name: &ServiceName) {
        self.services.remove(name);
    }

    /// An input on its way to the service's machine, which is in its state because of `why`.
    /// `asked` is when the service was asked to end, if it was.
    pub(super) fn input(
        &mut self,
        name: &ServiceName,
        now: Time,
        input: &Input,
        why: &Cause,
        asked: Option<Time>,
    ) {
        let meter = self.of(name);
        match input {
            Input::Spawned(..) => {
                *meter.starts.entry(start_cause(why)).or_default() += 1;
                meter.spawned_at = Some(now);
                meter.ready = false;
                if let Some(exited) = meter.exited_at.take() {
                    meter.restart_delay.add(now.saturating_sub(exited));
                }
            }
            Input::Exited(_, exit) => {
                let reason = exit_reason(*exit, why, asked.is_some());
                *meter.exits.entry(reason).or_default() += 1;
                meter.exited_at = Some(now);
                if let Some(asked) = asked {
                    meter.stop.add(now.saturating_sub(asked));
                }
            }
            _ => {}
        }
    }

    /// The service is ready, so long after its start.
    pub(super) fn ready(&mut self, name: &ServiceName, after: Duration) {
        let meter = self.of(name);
        if !std::mem::replace(&mut meter.ready, true) {
            meter.startup.add(after);
        }
    }

    /// Where looks at a service are counted.
    pub(super) fn probes(&mut self, name: &ServiceName, counts: &ProbeCounts) {
        self.of(name).probes = counts.clone();
    }

    /// SIGKILL was sent because the time for an orderly end was over.
    pub(super) fn killed(&mut self, name: &ServiceName) {
        self.of(name).kills += 1;
    }
}

fn start_cause(why: &Cause) -> &'static str {
    match why {
        Cause::Boot => "boot",
        Cause::Retry
        | Cause::Exited(_)
        | Cause::NotReady(_)
        | Cause::NotAlive(_)
        | Cause::Watchdog
        | Cause::PreStart(_) => "crash",
        Cause::RestartAsked | Cause::StartAsked => "manual",
        Cause::RestartAfter(_) => "dependency",
        Cause::Due => "schedule",
        _ => "other",
    }
}

fn exit_reason(exit: Exit, why: &Cause, asked: bool) -> &'static str {
    match (exit, why) {
        (_, Cause::NotReady(_) | Cause::NotAlive(_)) => "probe",
        (_, Cause::Watchdog) => "watchdog",
        _ if asked => "asked",
        (Exit::Code(_), _) => "code",
        (Exit::Signal(_), _) => "signal",
    }
}

#[cfg(test)]
mod tests;
