//! What goes wrong with the lock file.

use std::ops::Range;
use std::path::PathBuf;

use super::v1::VERSION;
use crate::base::{Diagnose, Excerpt, Hint, Kind};

/// A lock file that is missing, unreadable or not to be trusted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none.
    #[error("there is no `{}`", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The filesystem refused.
    #[error(transparent)]
    File(#[from] crate::fs::Error),
    /// It is larger than any lock file is.
    #[error("`{}` is too large for a lock file: {size} bytes, at most {max}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        max: u64,
    },
    /// A merge left its markers.
    #[error("`{}` has an unresolved merge conflict at line {line}", path.display())]
    Conflict {
        /// The file.
        path: PathBuf,
        /// Line of the first marker, from 1.
        line: usize,
        /// The file's text.
        text: Box<str>,
        /// Bytes of the marker's line.
        span: Range<usize>,
    },
    /// It is no JSON, or not the form of its version.
    #[error("`{}` is not a valid lock file: {why} (line {line}, column {column})", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The rule it breaks.
        why: String,
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The file's text.
        text: Box<str>,
    },
    /// It does not say what version it is.
    #[error("`{}` does not say which version of the format it has", path.display())]
    NoVersion {
        /// The file.
        path: PathBuf,
    },
    /// A version that this program does not know.
    #[error("`{}` has format version {found}; this `infra` reads version {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
        /// Whether a later `infra` wrote it.
        newer: bool,
    },
    /// A row that is neither a pin nor an explanation.
    #[error("the row of {shown} in `{}` is not complete: {why}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Dep, version and platform.
        shown: String,
        /// What is missing or too much.
        why: String,
    },
    /// The object does not follow from the tree hash.
    #[error("the object name of {shown} in `{}` does not follow from its tree hash", path.display())]
    Object {
        /// The file.
        path: PathBuf,
        /// Dep, version and platform.
        shown: String,
        /// What the row says.
        found: String,
        /// What follows from its tree hash, name and version.
        expected: String,
    },
    /// Serialising failed; no value of the model can cause it.
    #[error("the lock cannot be written as JSON")]
    Encode(#[source] serde_json::Error),
}

/// Result of working with the lock file.
pub type Result<T> = std::result::Result<T, Error>;

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Object { .. } => Kind::Integrity,
            Self::File(e) => e.kind(),
            Self::Encode(_) => Kind::Bug,
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Missing { .. } => {
                vec![Hint::new("run `infra dep lock` to make it from the profiles")]
            }
            Self::File(e) => e.hints(),
            Self::Conflict { .. } => vec![
                Hint::new("resolve the profiles first, then run `infra dep lock --merge`"),
                Hint::new("`infra dep merge-driver install` lets git merge this file from now on"),
            ],
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::NoVersion { .. } => {
                vec![Hint::new(
                    "restore the file from git, or remove it and run `infra dep lock` to pin anew",
                )]
            }
            Self::Version { newer: true, .. } => vec![Hint::new(
                "update `infra` to the version that the project's other machines use",
            )],
            Self::Version { newer: false, .. } => vec![Hint::new(
                "restore the file from git, or remove it and run `infra dep lock` to pin anew",
            )],
            Self::Row { .. } | Self::Object { .. } => vec![
                Hint::new("the file was changed by hand or by a merge; nothing was installed"),
                Hint::new(
                    "restore it from git, or remove the dep's entry and run `infra dep lock`",
                ),
            ],
            Self::Encode(_) => Vec::new(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Object { found, expected, .. } => vec![
                format!("written   {found}"),
                format!("expected  {expected}  from its tree hash, name and version"),
            ],
            Self::File(e) => e.details(),
            _ => Vec::new(),
        }
    }

    fn excerpt(&self) -> Option<Excerpt> {
        match self {
            Self::Conflict { path, text, span, .. } => Some(Excerpt {
                file: path.clone(),
                text: text.to_string(),
                span: span.clone(),
                label: "a merge left this marker".to_owned(),
            }),
            Self::Malformed { path, why, line, column, text } => Some(Excerpt {
                file: path.clone(),
                text: text.to_string(),
                span: super::read::span_of(text, *line, *column),
                label: why.clone(),
            }),
            _ => None,
        }
    }
}
