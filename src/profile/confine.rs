//! How a service is confined: the words of `sandbox`, `limits`, `user`, `group`, `umask`, `nice`.
//!
//! Plain data, with templates as declared; shared by the profile's model and `env.json`. Refuses
//! nothing: `read_confine` owns the grammar. Invariant: a service without any of these words has
//! none of this in `env.json`, so its environment's digest is what it always was.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::template::Template;

/// How much the kernel keeps a service from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing.
    Off,
    /// Executing a file that is not of the environment, and writing to the store.
    Exec,
    /// That, and every file, port and process that is not listed.
    Strict,
}

impl Level {
    /// Every word, for messages.
    pub const ALL: [Self; 3] = [Self::Exec, Self::Strict, Self::Off];

    /// The word in profiles and JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Exec => "exec",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Everything a service says of its confinement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Confine {
    /// `sandbox`, its own or the profile's; `None` is `exec` as far as the service's program allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// `sandbox.allow`
    #[serde(skip_serializing_if = "Allow::is_empty")]
    pub allow: Allow,
    /// `limits`
    #[serde(skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// `user`: name or number to run as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `group`: name or number; the user's own when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// `umask`, e.g. `0o027`; the supervisor's when not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub umask: Option<u32>,
    /// `nice`, -20 to 19.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nice: Option<i32>,
}

impl Confine {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `sandbox.allow`: what is not forbidden after all.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Allow {
    /// `read`: files and directories to read, for `strict`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub read: Vec<Template>,
    /// `write`: files and directories to read and write.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub write: Vec<Template>,
    /// `exec`: files of this host, and directories of such, to execute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exec: Vec<Template>,
    /// `connect`: TCP ports to connect to, for `strict`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub connect: Vec<Template>,
    /// `bind`: TCP ports to listen on beside the service's own, for `strict`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bind: Vec<Template>,
}

impl Allow {
    /// Whether nothing is listed.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// `limits`: what a service may use. Bytes, seconds and counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// `nofile`: open files of each process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nofile: Option<u64>,
    /// `nproc`: processes of its user; the kernel does not hold root to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nproc: Option<u64>,
    /// `address-space`: bytes of each process's address space.
    #[serde(rename = "address-space", skip_serializing_if = "Option::is_none")]
    pub address_space: Option<u64>,
    /// `core`: bytes of a core file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub core: Option<u64>,
    /// `cpu-seconds`: processor time of each process.
    #[serde(rename = "cpu-seconds", skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
    /// `file-size`: bytes of a file it writes.
    #[serde(rename = "file-size", skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// `memory`: bytes of all its processes together (cgroup).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// `cpus`: thousandths of a processor for all its processes together (cgroup).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub milli_cpus: Option<u64>,
    /// `pids`: processes and threads of it together (cgroup).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
