//! What goes wrong with other tools' files.

use std::path::PathBuf;

use crate::base::{Diagnose, Hint, Kind};

/// A file of another tool that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not in its own format.
    #[error("`{}` is not {format}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be, with its article.
        format: &'static str,
        /// The rule it breaks.
        why: String,
    },
    /// Nothing here reads it.
    #[error("`{}` is of no format that can be read here", path.display())]
    UnknownFormat {
        /// The file.
        path: PathBuf,
        /// What can be read.
        known: &'static str,
    },
    /// The filesystem refused.
    #[error(transparent)]
    File(#[from] crate::fs::Error),
    /// An archive that cannot be read.
    #[error(transparent)]
    Archive(#[from] crate::archive::Error),
}

/// Result of working with another tool's file.
pub type Result<T> = std::result::Result<T, Error>;

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::File(e) => e.kind(),
            Self::Archive(e) => e.kind(),
            Self::Malformed { .. } | Self::UnknownFormat { .. } => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::File(e) => e.hints(),
            Self::Archive(e) => e.hints(),
            Self::UnknownFormat { known, .. } => {
                vec![Hint::new(format!("these are read: {known}"))]
            }
            Self::Malformed { .. } => Vec::new(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::File(e) => e.details(),
            Self::Archive(e) => e.details(),
            _ => Vec::new(),
        }
    }
}
