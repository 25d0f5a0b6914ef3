//! Settings that cannot be used, and what to set instead.

use std::path::PathBuf;

use super::Origin;
use crate::base::{Diagnose, Hint, Kind};
use crate::fs;

/// A setting that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A value outside of what is accepted.
    #[error("{origin} is `{value}`, which is not {accepted}")]
    Value {
        /// The variable, flag or file.
        origin: Origin,
        /// What it says, without credentials.
        value: String,
        /// What is accepted, as a noun phrase.
        accepted: &'static str,
    },
    /// Nowhere to keep the store.
    #[error("there is no place for the store: neither INFRA_STORE nor HOME is set")]
    NoHome,
    /// A setting names a file or directory that is not there.
    #[error("{origin} names `{}`, which is not {what}", path.display())]
    Missing {
        /// The variable, flag or file.
        origin: Origin,
        /// What it names.
        path: PathBuf,
        /// `a directory`, `a file`.
        what: &'static str,
    },
    /// Nothing on this machine knows an ecosystem's base URL.
    #[error("nothing on this machine says where `{ecosystem}` packages come from")]
    NoEndpoint {
        /// `pypi`, `npm`.
        ecosystem: &'static str,
        /// The variable to set.
        variable: &'static str,
        /// What was looked at, in order.
        tried: Vec<String>,
    },
    /// A source that works with whole URLs, or with none, was asked for its base.
    #[error("`{ecosystem}` has no base URL")]
    NoBase {
        /// `url`, `path`.
        ecosystem: &'static str,
    },
    /// A configuration file that cannot be read.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// A configuration file that is not in its format.
    #[error("`{}` cannot be read: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        reason: String,
    },
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Value { .. } | Self::Missing { .. } | Self::NoHome | Self::NoBase { .. } => {
                Kind::Usage
            }
            Self::File(e) => e.kind(),
            Self::NoEndpoint { .. } | Self::Format { .. } => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Value { origin, accepted, .. } => {
                vec![Hint::new(format!("set {origin} to {accepted}, or leave it out"))]
            }
            Self::NoHome => vec![Hint::new("set INFRA_STORE to a writable directory")],
            Self::NoEndpoint { ecosystem, variable, .. } => vec![Hint::new(format!(
                "set {variable} to the base URL, or write `url = \"…\"` under \
                 `[source.{ecosystem}]` in a profile"
            ))],
            Self::NoBase { ecosystem } => vec![Hint::new(format!(
                "write whole URLs, or `url = \"…\"` under `[source.{ecosystem}]` in a profile"
            ))],
            Self::File(e) => e.hints(),
            Self::Missing { origin, .. } => {
                vec![Hint::new(format!("create it, or correct {origin}"))]
            }
            Self::Format { .. } => Vec::new(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::NoEndpoint { tried, .. } => {
                tried.iter().map(|place| format!("looked at {place}")).collect()
            }
            _ => Vec::new(),
        }
    }
}
