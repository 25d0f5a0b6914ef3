//! A process that puts itself under a service's rules and tries the known ways around.
//!
//! Started with the hidden subcommand [`SUBCOMMAND`]: an [`Order`] as JSON on standard input, a list of
//! [`Finding`]s on standard output. Each attempt is made twice in a child of its own: without the
//! rules, which shows that it works here at all, and under them. Invariants: it starts no program
//! but the few bytes of [`foreign`]; it changes nothing but files in its own working directories,
//! which it removes; it has one thread, so that forking is safe.

mod attempts;
mod child;
mod foreign;

use std::io::Read;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use self::attempts::Place;
use super::plan::Spec;
use super::report::{Attempt, Finding, Seen};
use super::{Level, Plan, ready, rules};
use crate::fs;

/// The hidden subcommand that [`main`] serves.
pub const SUBCOMMAND: &str = "__sandbox-probe";

/// What a probe is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The rules.
    pub plan: Plan,
    /// A directory that the service may write to.
    pub inside: PathBuf,
    /// A directory that it may not write to at `strict`.
    pub outside: PathBuf,
}

/// What the hidden subcommand does.
pub fn main(mut input: impl Read) -> Option<String> {
    let mut text = String::new();
    input.read_to_string(&mut text).ok()?;
    let order: Order = serde_json::from_str(&text).ok()?;
    serde_json::to_string(&run(&order).ok()?).ok()
}

/// A directory that stands for an object: it lies in the store, and the rules let it be executed.
fn stand_in(plan: &Plan) -> PathBuf {
    plan.store.join("tmp").join(format!("infra-probe.{}", std::process::id()))
}

/// Tries every attempt of the order's level.
fn run(order: &Order) -> Result<Vec<Finding>, fs::Error> {
    let place = Place::new(order)?;
    let mut spec = Spec::off(Vec::new());
    spec.plan = order.plan.clone();
    spec.plan.execute.insert(stand_in(&order.plan));
    let Ok(Some(made)) = rules::rule_set(&spec.plan) else { return Ok(Vec::new()) };
    let confinement = ready::confinement(&spec, Some(made.rules.into()));
    let mut findings = Vec::new();
    for attempt in attempts_of(order.plan.level) {
        let works = |rules| child::run(rules, &|| attempts::attempt(*attempt, &place));
        let outcome = match (works(None), works(Some(&confinement))) {
            (_, true) => Seen::Open,
            (true, false) => Seen::Refused,
            (false, false) => Seen::Impossible,
        };
        findings.push(Finding { attempt: *attempt, outcome });
    }
    Ok(findings)
}

fn attempts_of(level: Level) -> &'static [Attempt] {
    use Attempt::*;
    const ALL: [Attempt; 17] = [
        Direct,
        Loader,
        Memfd,
        OtherAbi,
        Script,
        ProcPath,
        Written,
        Link,
        Store,
        Mount,
        SharedMemory,
        WriteOutside,
        ReadOutside,
        Connect,
        Bind,
        Signal,
        AbstractSocket,
    ];
    match level {
        Level::Off => &[],
        Level::Exec => &ALL[..11],
        Level::Strict => &ALL,
    }
}
