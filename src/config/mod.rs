//! Settings: flags, variables and files resolved before any command runs, each with its origin.
//!
//! The only reader of environment variables. Owns where things lie ([`Settings`]) and how each
//! ecosystem is configured on this machine ([`ecosystem`]). Invariant: nothing here needs the
//! network.

pub mod ecosystem;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::{Diagnose, EnvName};

/// A snapshot of the process environment; the only place that reads it.
#[derive(Clone, Debug, Default)]
pub struct Environ {
    vars: BTreeMap<OsString, OsString>,
}

impl Environ {
    /// The variables of this process.
    pub fn capture() -> Self {
        Self { vars: std::env::vars_os().collect() }
    }

    /// Exactly these variables, for tests.
    pub fn from_vars<K: Into<OsString>, V: Into<OsString>>(
        vars: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        Self { vars: vars.into_iter().map(|(k, v)| (k.into(), v.into())).collect() }
    }

    /// A variable that is set, not empty, and UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars.get(OsString::from(name).as_os_str())?.to_str().filter(|v| !v.is_empty())
    }

    /// Every variable.
    pub fn all(&self) -> &BTreeMap<OsString, OsString> {
        &self.vars
    }
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// An environment variable.
    Variable(String),
    /// A file.
    File(PathBuf),
    /// A command-line flag.
    Flag(String),
    /// What an installed client reported.
    Client(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Flag(flag) => f.write_str(flag),
            Self::Client(client) => write!(f, "reported by {client}"),
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// `--store`
    pub store: Option<PathBuf>,
    /// `--project`
    pub project: Option<PathBuf>,
    /// `--env`
    pub env: Option<EnvName>,
    /// `--offline`
    pub offline: bool,
    /// `--jobs`
    pub jobs: Option<usize>,
}

/// Every setting.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The store's directory, absolute.
    pub store: Setting<PathBuf>,
    /// The artifact cache's directory, absolute.
    pub artifacts: Setting<PathBuf>,
    /// The project's directory, absolute.
    pub project: Setting<PathBuf>,
    /// The environment when a command names none; `dev` unless set.
    pub env: Setting<EnvName>,
    /// No network.
    pub offline: Setting<bool>,
    /// Downloads and unpackings at once.
    pub jobs: Setting<usize>,
    /// Wait for a lock that another process holds.
    pub lock_timeout: Setting<Duration>,
    /// Connect time-out.
    pub connect_timeout: Setting<Duration>,
    /// Tries after the first failed one.
    pub retries: Setting<u32>,
}

impl Settings {
    /// Resolves flags over variables over defaults. `cwd` is where the command was typed.
    pub fn resolve(flags: &Flags, environ: &Environ, cwd: &std::path::Path) -> Result<Self, Error> {
        let _ = (flags, environ, cwd);
        todo!()
    }

    /// Name, value and origin of every setting, for `config print`.
    pub fn rows(&self) -> Vec<(&'static str, String, Origin)> {
        todo!()
    }
}

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("placeholder")]
pub struct Error;

impl Diagnose for Error {}
