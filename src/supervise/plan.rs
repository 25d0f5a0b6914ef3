//! What would have to change for a running stack to be another one, service by service.
//!
//! Owns the fingerprint of a service and the comparison of two. Pure but for reading the files of
//! the environment that a service is given. Invariants: what differs only because the environment
//! lies elsewhere in the store is no difference; a fingerprint holds no value, only its hash.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::order;
use super::spec::{ServiceSpec, Stack};
use crate::base::vars::exported;
use crate::base::{Algorithm, EnvName, Hasher, ServiceName};
use crate::fs;

/// What a service is started from; two starts with the same one are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Print {
    /// Path of the program, which lies in its store object.
    pub program: String,
    /// Hash of arguments, working directory and readiness check.
    pub command: String,
    /// Hashes of the environment's files that its arguments or variables name.
    pub files: BTreeMap<String, String>,
    /// Hash of each variable.
    pub env: BTreeMap<String, String>,
    /// Ports it opens.
    pub ports: BTreeMap<String, u16>,
    /// Hash of what holds without a restart: restart rule, stop, order.
    pub rules: String,
}

/// A stack that is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Wanted {
    /// The environment.
    pub env: EnvName,
    /// Its generation, as far as it has one yet.
    pub generation: u64,
    /// Its services.
    pub services: BTreeMap<ServiceName, Print>,
    /// What each comes after.
    pub after: BTreeMap<ServiceName, BTreeSet<ServiceName>>,
}

/// What is to be done with a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// It does not run and should.
    Start,
    /// It runs and should not.
    Stop,
    /// It runs as something else.
    Restart,
    /// It runs as it should.
    Keep,
}

impl Step {
    /// The word shown to people and written in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Keep => "keep",
        }
    }
}

/// What is to be done with one service, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Planned {
    /// The service.
    pub service: ServiceName,
    /// What.
    pub step: Step,
    /// Why.
    pub reasons: Vec<String>,
}

/// What is to be done with all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Plan {
    /// The environment.
    pub env: EnvName,
    /// The generation that runs; null when nothing does.
    pub from: Option<u64>,
    /// The generation that is wanted.
    pub to: u64,
    /// Each service: those that stop, then the others in the order they start.
    pub services: Vec<Planned>,
}

impl Plan {
    /// The services for which this is to be done.
    pub fn with(&self, step: Step) -> impl Iterator<Item = &ServiceName> {
        self.services.iter().filter(move |p| p.step == step).map(|p| &p.service)
    }

    /// Whether everything stays as it is.
    pub fn is_empty(&self) -> bool {
        self.services.iter().all(|p| p.step == Step::Keep)
    }
}

/// The fingerprints of a stack. Blocking: reads files of the environment.
pub fn wanted(stack: &Stack) -> Wanted {
    let print = |spec: &ServiceSpec| print(spec, &stack.object);
    Wanted {
        env: stack.env.clone(),
        generation: stack.generation,
        services: stack.services.iter().map(|(n, s)| (n.clone(), print(s))).collect(),
        after: stack.services.iter().map(|(n, s)| (n.clone(), keys(&s.after))).collect(),
    }
}

/// Compares what runs with what is wanted. `stopped` are services of the running stack that were
/// stopped by hand or have failed for good: they are started anew only when they changed.
pub fn compare(running: Option<&Wanted>, wanted: &Wanted) -> Plan {
    let none = BTreeMap::new();
    let old = running.map_or(&none, |r| &r.services);
    let gone = old.keys().filter(|name| !wanted.services.contains_key(*name));
    let mut services: Vec<Planned> = gone
        .map(|name| Planned {
            service: name.clone(),
            step: Step::Stop,
            reasons: vec!["no longer declared".to_owned()],
        })
        .collect();
    let order = order::layers(&wanted.after).map(|l| l.concat());
    for name in order.unwrap_or_else(|all| all) {
        let Some(new) = wanted.services.get(&name) else { continue };
        let (step, reasons) = match old.get(&name) {
            None => (Step::Start, vec!["not running".to_owned()]),
            Some(old) => differences(old, new),
        };
        services.push(Planned { service: name, step, reasons });
    }
    Plan {
        env: wanted.env.clone(),
        from: running.map(|r| r.generation),
        to: wanted.generation,
        services,
    }
}

fn keys<V>(map: &BTreeMap<ServiceName, V>) -> BTreeSet<ServiceName> {
    map.keys().cloned().collect()
}

fn differences(old: &Print, new: &Print) -> (Step, Vec<String>) {
    let mut reasons = Vec::new();
    if old.program != new.program {
        reasons.push(match (object(&old.program), object(&new.program)) {
            (Some(old), Some(new)) if old != new => format!("program changed: {old} → {new}"),
            _ => format!("program changed: {} → {}", old.program, new.program),
        });
    }
    if old.command != new.command {
        reasons.push("command changed".to_owned());
    }
    let files = changed(&old.files, &new.files);
    if !files.is_empty() {
        reasons.push(format!("config changed: {}", files.join(", ")));
    }
    let variables = changed(&old.env, &new.env);
    if !variables.is_empty() {
        reasons.push(format!("env changed: {}", variables.join(", ")));
    }
    for name in changed(&old.ports, &new.ports) {
        let shown = |p: Option<&u16>| p.map_or_else(|| "-".to_owned(), ToString::to_string);
        let (from, to) = (shown(old.ports.get(&name)), shown(new.ports.get(&name)));
        reasons.push(format!("port changed: {name} {from} → {to}"));
    }
    if !reasons.is_empty() {
        return (Step::Restart, reasons);
    }
    if old.rules != new.rules {
        reasons.push("only its rules changed, which hold without a restart".to_owned());
    }
    (Step::Keep, reasons)
}

fn changed<V: PartialEq>(old: &BTreeMap<String, V>, new: &BTreeMap<String, V>) -> Vec<String> {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    names.into_iter().filter(|n| old.get(*n) != new.get(*n)).cloned().collect()
}

/// The name of the store object in a path.
fn object(path: &str) -> Option<&str> {
    path.split('/').find(|part| {
        part.split_once('-').is_some_and(|(digest, name)| digest.len() == 32 && !name.is_empty())
    })
}

fn print(spec: &ServiceSpec, object: &Path) -> Print {
    let place = Place { object, etc: object.join("etc") };
    let mut files = BTreeMap::new();
    let mut command = vec![place.neutral(spec.cwd.as_os_str())];
    for word in &spec.args {
        place.files(word, &mut files);
        command.push(place.neutral(word));
    }
    // Everything that a process is started and looked at with.
    let (kind, schedule, pre) = (spec.kind, &spec.schedule, &spec.pre_start);
    command.push(place.neutral(OsStr::new(&format!(
        "{:?} {:?} {kind:?} {schedule:?} {pre:?} {:?}",
        spec.ready, spec.alive, spec.confine
    ))));
    let mut env = BTreeMap::new();
    for (name, value) in &spec.env {
        let name = name.to_string_lossy().into_owned();
        // They say which generation it is, which is no reason to restart.
        if [exported::ENV_DIGEST, exported::ENV_GENERATION].contains(&name.as_str()) {
            continue;
        }
        place.files(value, &mut files);
        env.insert(name, hash([place.neutral(value)]));
    }
    let rules = format!(
        "{:?} {} {:?} {} {:?} {:?} {} {:?} {:?} {:?} {:?}",
        spec.restart,
        spec.stop_signal,
        spec.stop_grace,
        spec.required,
        spec.follow,
        spec.success,
        spec.ends_stack,
        spec.reload,
        spec.stop_command,
        spec.after,
        spec.forward_signals,
    );
    Print {
        program: place.neutral(spec.program.as_os_str()),
        command: hash(command),
        files,
        env,
        ports: spec.ports.clone(),
        rules: hash([place.neutral(OsStr::new(&rules))]),
    }
}

/// Where an environment lies.
struct Place<'a> {
    object: &'a Path,
    etc: PathBuf,
}

impl Place<'_> {
    /// A value without where the environment lies.
    fn neutral(&self, value: &OsStr) -> String {
        let text = value.to_string_lossy();
        match self.object.to_str() {
            Some(object) if !object.is_empty() => text.replace(object, "${environment}"),
            _ => text.into_owned(),
        }
    }

    /// Hashes the environment's files that a value names.
    fn files(&self, value: &OsStr, out: &mut BTreeMap<String, String>) {
        let text = value.to_string_lossy();
        let Some(etc) = self.etc.to_str() else { return };
        for (at, _) in text.match_indices(etc) {
            let rest = text[at + etc.len()..].trim_start_matches('/');
            let end = rest.find([':', ',', ';', ' ', '"', '\'', '\n']).unwrap_or(rest.len());
            let name = &rest[..end];
            if let Ok(bytes) = fs::read(&self.etc.join(name)) {
                let mut hasher = Hasher::new(Algorithm::Sha256);
                hasher.update(&bytes);
                out.insert(name.to_owned(), short(hasher));
            }
        }
    }
}

fn hash(parts: impl IntoIterator<Item = String>) -> String {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    short(hasher)
}

/// Half of the hash: enough to tell, and little to guess a value by.
fn short(hasher: Hasher) -> String {
    hasher.finish().hex().chars().take(32).collect()
}

#[cfg(test)]
mod tests;
