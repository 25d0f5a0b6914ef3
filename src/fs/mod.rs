//! The only caller of `std::fs`: every error names the action and the path.
//!
//! Owns plain file operations ([`ops`]), open directories ([`dir`](mod@dir)), whole-file replacement ([`atomic`]), advisory locks
//! ([`lock`]) and staging directories ([`staging`]). Knows nothing of stores or lockfiles.
//! Invariant: a reader of a file written here sees the old bytes or the new, never a part.

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "this room owns std::fs")]

pub mod atomic;
pub mod dir;
pub mod hash;
mod holders;
mod kind;
mod lock;
pub mod ops;
mod remedy;
pub mod staging;

use std::io;
use std::path::{Path, PathBuf};

pub use atomic::{place_if_absent, replace_symlink, sweep_siblings, write_atomic, write_passing};
pub use dir::{Dir, Meta, meta};
pub use hash::hash_file;
pub use holders::locked_inodes;
pub use kind::{Filesystem, filesystem};
pub use lock::FileLock;
pub use ops::*;
pub use staging::StagingDir;

use crate::base::{Diagnose, Hint, Kind};

/// A file operation that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused an operation.
    #[error("cannot {action} `{}`: {}", path.display(), plain(source))]
    Io {
        /// What was being done, as a verb phrase.
        action: &'static str,
        /// The path it was done to.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// Another process held a lock for longer than allowed.
    #[error("`{}` is locked by {holder}; gave up after {waited_s} s", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who wrote its name into it: command and pid.
        holder: String,
        /// How long was waited, in seconds.
        waited_s: u64,
    },
    /// The filesystem has no locks, or grants them without keeping them.
    #[error("`{}` cannot be locked: {why}{}", path.display(), on(filesystem))]
    NoLocks {
        /// The lock file.
        path: PathBuf,
        /// What the system said, or what it did.
        why: String,
        /// The kind of the filesystem, where it is known by name.
        filesystem: Option<&'static str>,
    },
}

/// The reason without the `(os error N)` that people cannot use.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// ` on nfs`.
fn on(filesystem: &Option<&'static str>) -> String {
    filesystem.map(|name| format!(" (on {name})")).unwrap_or_default()
}

impl Error {
    /// The system's reason, if that is what it was.
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Io { source, .. } => Some(source.kind()),
            Self::Locked { .. } | Self::NoLocks { .. } => None,
        }
    }

    /// Whether the path is simply not there.
    pub fn is_not_found(&self) -> bool {
        self.io_kind() == Some(io::ErrorKind::NotFound)
    }
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        Kind::User
    }

    fn hints(&self) -> Vec<Hint> {
        remedy::of(self).into_iter().map(Hint::new).collect()
    }
}

/// Result of a file operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Attaches action and path to an [`io::Error`].
pub trait Context<T> {
    /// `action` is a verb phrase: `read`, `create directory`.
    fn context(self, action: &'static str, path: &Path) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(|source| {
            let source = remedy::precise(source, path);
            Error::Io { action, path: path.to_owned(), source }
        })
    }
}

impl<T> Context<T> for rustix::io::Result<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T> {
        self.map_err(io::Error::from).context(action, path)
    }
}
