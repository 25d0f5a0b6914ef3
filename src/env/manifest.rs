//! `env.json`: what an environment is, as its store object says it.
//!
//! Everything of the host stays symbolic (`${project}`, `${data}`, ports), so that the same
//! profile and lock give the same bytes on every machine. Invariant: serialising the same manifest
//! gives the same bytes; field order is fixed and maps are sorted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::base::{CommandName, DepName, EnvName, ObjectName, Platform, RelPath, ServiceName};
use crate::base::{TreeHash, Version};
use crate::profile::template::Template;

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
    /// Milliseconds it may take.
    pub timeout_ms: u64,
}
