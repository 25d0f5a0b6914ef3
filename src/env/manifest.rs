//! `env.json`: what an environment is, as its store object says it.
//!
//! Everything of the host stays symbolic (`${project}`, `${data}`, ports), so that the same
//! profile and lock give the same bytes on every machine. Invariant: serialising the same manifest
//! gives the same bytes; field order is fixed and maps are sorted.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::base::{CommandName, DepName, EnvName, ObjectName, Platform, RelPath, ServiceName};
use crate::base::{TreeHash, Version};
use crate::profile::confine::Confine;
use crate::profile::model::{OnDependencyRestart, OnExit, ServiceKind, When};
use crate::profile::template::Template;

use super::error::{Error, Result};

/// The version of `env.json` that this program writes, and the only one it reads.
pub const VERSION: u32 = 1;
/// Its name in the environment's object.
pub const FILE: &str = "env.json";

/// An environment, as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format: 1.
    pub version: u32,
    /// The profile's name.
    pub name: EnvName,
    /// The platform it was built for.
    pub platform: Platform,
    /// The deps, with the objects they resolved to.
    pub deps: BTreeMap<DepName, Dep>,
    /// Commands in `bin/`, and the dep that provides each.
    pub commands: BTreeMap<CommandName, DepName>,
    /// Variables as declared.
    pub env: BTreeMap<String, Template>,
    /// Ports as declared: a number, or `None` for `"auto"`.
    pub ports: BTreeMap<String, Option<u16>>,
    /// Names of the files in `etc/`.
    pub files: BTreeSet<RelPath>,
    /// Data directory as declared.
    pub data: String,
    /// Milliseconds that the ordered end of the stack may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_within_ms: Option<u64>,
    /// Services as declared.
    pub services: BTreeMap<ServiceName, Service>,
}

/// A dep of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dep {
    /// Its version.
    pub version: Version,
    /// Its object's name.
    pub object: ObjectName,
    /// Its tree hash.
    pub tree: TreeHash,
}

/// A service of an environment, as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Program and arguments.
    pub command: Vec<Template>,
    /// Variables for it alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Template>,
    /// Working directory; the project's when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<Template>,
    /// Readiness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// Services that must be ready first.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<ServiceName>,
    /// What must have happened to some of them instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub conditions: BTreeMap<ServiceName, When>,
    /// What it does when one of them runs anew or reloads.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_dependency_restart: OnDependencyRestart,
    /// Whether it keeps running.
    #[serde(default, skip_serializing_if = "is_default")]
    pub kind: ServiceKind,
    /// When a task runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// How many copies run.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub replicas: u32,
    /// Runs to its end before each start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pre_start: Option<Vec<Template>>,
    /// Liveness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive: Option<Alive>,
    /// Exit codes that are a success besides 0.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub success_exit_codes: BTreeSet<i32>,
    /// What its end means for the stack.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_exit: OnExit,
    /// Signal that reloads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_signal: Option<String>,
    /// Command that reloads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_command: Option<Vec<Template>>,
    /// Command that asks it to end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_command: Option<Vec<Template>>,
    /// `always`, `on-failure` or `never`.
    pub restart: String,
    /// Signal that asks it to end.
    pub stop_signal: String,
    /// Milliseconds before SIGKILL.
    pub stop_grace_ms: u64,
    /// Names of the ports it opens.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub listen: BTreeSet<String>,
    /// Variables passed through from the caller.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub secrets: BTreeSet<String>,
    /// Whether the stack is down without it.
    pub required: bool,
    /// Names under which it can be meant together with others.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub group: BTreeSet<String>,
    /// Signals that are passed on to it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub forward_signals: BTreeSet<String>,
    /// A file of the project with variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env_file: Option<RelPath>,
    /// Sandbox, limits and whom it runs as.
    #[serde(default, skip_serializing_if = "Confine::is_empty")]
    pub confine: Confine,
    /// How much of its output is kept.
    #[serde(default, skip_serializing_if = "Logs::is_default")]
    pub logs: Logs,
}

/// How much of a service's output is kept; what is `None` is the supervisor's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logs {
    /// Bytes in one file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Milliseconds that one file is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<u64>,
    /// Files kept beside the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<u32>,
    /// Whether those are compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compress: Option<bool>,
}

impl Logs {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Readiness, as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ready {
    /// `http`: URL to GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Template>,
    /// `tcp`: address to connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Template>,
    /// `log`: text to wait for in its output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// `exec`: command that ends with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Vec<Template>>,
    /// `notify`: it says so itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub notify: bool,
    /// Milliseconds it may take.
    pub timeout_ms: u64,
}

/// Liveness, as declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alive {
    /// `http`: URL to GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Template>,
    /// `tcp`: address to connect to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Template>,
    /// `exec`: command that ends with 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<Vec<Template>>,
    /// `watchdog`: milliseconds between two signs of life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watchdog_ms: Option<u64>,
    /// Milliseconds between two looks.
    pub interval_ms: u64,
    /// Milliseconds a look may take.
    pub timeout_ms: u64,
    /// Failed looks in a row.
    pub failures: u32,
}

const fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
const fn is_one(n: &u32) -> bool {
    *n == 1
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Service {
    /// Commands that run beside its own.
    pub fn helpers(&self) -> impl Iterator<Item = &Vec<Template>> {
        let ready = self.ready.as_ref().and_then(|r| r.exec.as_ref());
        let alive = self.alive.as_ref().and_then(|a| a.exec.as_ref());
        let rest = [&self.pre_start, &self.reload_command, &self.stop_command];
        ready.into_iter().chain(alive).chain(rest.into_iter().flatten())
    }
}

impl Manifest {
    /// The bytes of `env.json`: two-space indent, newline at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let writer = serde_json::ser::PrettyFormatter::with_indent(b"  ");
        let mut json = serde_json::Serializer::with_formatter(&mut out, writer);
        // Every key is a string and memory takes any amount: there is no error to have.
        let written = self.serialize(&mut json);
        debug_assert!(written.is_ok());
        out.push(b'\n');
        out
    }

    /// Reads `env.json` of an environment's object.
    pub fn read(object: &Path) -> Result<Self> {
        let path = object.join(FILE);
        Self::parse(&crate::fs::read(&path)?, &path)
    }

    /// Reads the bytes of `env.json`; `path` names it in errors. The version is looked at first,
    /// so that a newer format is called newer and not damaged.
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        check_version(bytes, path, VERSION)?;
        serde_json::from_slice(bytes)
            .map_err(|e| Error::Damaged { path: path.to_owned(), why: e.to_string() })
    }
}

/// Refuses a JSON document whose `version` is not `known`.
pub(super) fn check_version(bytes: &[u8], path: &Path, known: u32) -> Result<()> {
    #[derive(Deserialize)]
    struct Probe {
        version: u64,
    }
    let probe: Probe = serde_json::from_slice(bytes)
        .map_err(|e| Error::Damaged { path: path.to_owned(), why: e.to_string() })?;
    if probe.version == u64::from(known) {
        return Ok(());
    }
    Err(Error::TooNew { path: path.to_owned(), found: probe.version, known })
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;

    #[test]
    fn the_same_manifest_is_the_same_bytes() {
        let manifest = testing::resolved().manifest;
        let bytes = manifest.to_bytes();
        assert_eq!(bytes, testing::resolved().manifest.to_bytes());
        assert_eq!(Manifest::parse(&bytes, Path::new("env.json")).expect("parse"), manifest);
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.starts_with("{\n  \"version\": 1,\n  \"name\": \"dev\",\n"), "{text}");
        assert!(text.ends_with("}\n"));
        assert!(text.contains("\"data\": \".data\""), "the host's paths stay symbolic");
        assert!(text.contains("${port.nats}"));
    }

    #[test]
    fn newer_and_damaged_are_told_apart() {
        let parse = |text: &str| Manifest::parse(text.as_bytes(), Path::new("env.json"));
        assert!(matches!(parse("{\"version\":2,\"x\":1}"), Err(Error::TooNew { found: 2, .. })));
        for bad in ["", "{", "[]", "{\"version\":1}", "{\"version\":-1}"] {
            assert!(matches!(parse(bad), Err(Error::Damaged { .. })), "{bad}");
        }
    }
}
