//! Settings: flags, variables and files resolved before any command runs, each with its origin.
//!
//! The only reader of environment variables. Owns where things lie ([`Settings`]) and how each
//! ecosystem is configured on this machine ([`ecosystem`]). Invariant: nothing here needs the
//! network, and everything but [`Environ::capture`] reads the [`Environ`] it is given.

pub mod ecosystem;
mod environ;
mod error;
mod settings;

use std::fmt;
use std::path::PathBuf;

pub use environ::{Environ, find_in, find_on_path};
pub use error::Error;
pub use settings::{Flags, Settings};

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

impl<T> Setting<T> {
    /// A built-in value.
    pub fn default(value: T) -> Self {
        Self { value, origin: Origin::Default }
    }

    /// A value of an environment variable.
    pub fn variable(name: impl Into<String>, value: T) -> Self {
        Self { value, origin: Origin::Variable(name.into()) }
    }

    /// A value of a command-line flag.
    pub fn flag(flag: impl Into<String>, value: T) -> Self {
        Self { value, origin: Origin::Flag(flag.into()) }
    }

    /// A value from a file.
    pub fn file(path: impl Into<PathBuf>, value: T) -> Self {
        Self { value, origin: Origin::File(path.into()) }
    }
}
