//! The store: trees addressed by content, and the artifacts they came from.
//!
//! Owns every file below the store directory (its `layout` says where each lies). Two gates are types that only this
//! room makes: [`Verified`], an artifact whose bytes matched, and [`ObjectPath`], an object whose
//! tree hash matched and whose registration is on disk. Invariant: an object without registration
//! does not exist, and a registered object is never changed.

//!
//! Theory of operation. Everything is made in `tmp` and published by one rename; the registration
//! is written last. Adding holds the collector's lock shared, and one lock for the object, so that
//! sixteen processes that want the same object make it once. Locks only save work: a process that
//! is killed anywhere leaves at most something without registration, which the next addition
//! replaces and the next collection removes.

mod add;
mod artifacts;
mod bundle;
mod check;
mod copy;
mod error;
mod evidence;
mod gc;
mod info;
mod layout;
mod lease;
mod links;
mod moment;
mod nar_in;
mod optimise;
mod parallel;
mod pins;
mod reach;
mod registration;
mod repair;
mod roots;
mod seal;
mod stamp;
mod sweep;
#[cfg(test)]
mod tests;
mod verify;
mod why;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use add::GcPause;
pub use artifacts::{ArtifactLock, Artifacts};
pub use bundle::{Bundle, Imported};
pub use error::{Error, RootProblem};
pub use gc::{GcFile, GcObject, GcOptions, GcReport};
pub use info::StoreInfo;
pub use lease::Lease;
pub use nar_in::NarAddition;
pub use optimise::{OptimiseOptions, OptimiseReport};
pub use registration::{Origin, Registration};
pub use repair::{Refetch, RepairReport};
pub use roots::{Root, RootKind};
pub use verify::{Damage, Progress, VerifyReport};
pub use why::Kept;

use layout::Layout;

use crate::archive::Options;
use crate::base::{Integrity, ObjectName, RelPath, TreeHash};
use crate::fs;

/// Result of a store operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An artifact whose bytes matched its integrity. Only [`Artifacts`] makes one.
#[derive(Clone, Debug)]
pub struct Verified {
    path: PathBuf,
    integrity: Integrity,
    size: u64,
}

impl Verified {
    /// Where its bytes are.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The hash that matched.
    pub fn integrity(&self) -> &Integrity {
        &self.integrity
    }
    /// Bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// A registered object. Only [`Store`] makes one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectPath {
    name: ObjectName,
    path: PathBuf,
    tree: TreeHash,
}

impl ObjectPath {
    /// Its name.
    pub fn name(&self) -> &ObjectName {
        &self.name
    }
    /// Its directory, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }
    /// The hash that was compared when it was added.
    pub fn tree(&self) -> &TreeHash {
        &self.tree
    }
}

/// How closely an object is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckLevel {
    /// Inode, size and times against the registration; a full check when they differ.
    Quick,
    /// Every byte, against the tree hash.
    Full,
}

/// What to add from an archive.
#[derive(Clone, Debug)]
pub struct Addition<'a> {
    /// The object's name, from the lock.
    pub object: &'a ObjectName,
    /// Its tree hash, from the lock.
    pub tree: &'a TreeHash,
    /// How to unpack.
    pub options: &'a Options,
    /// Files that are commands, and so executable.
    pub executables: &'a BTreeSet<RelPath>,
    /// For messages: `nats-server 2.15.1 (x86_64-linux)`.
    pub shown: &'a str,
}

/// What to add from several archives.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// The object's name, from the lock.
    pub object: &'a ObjectName,
    /// Its tree hash, from the lock.
    pub tree: &'a TreeHash,
    /// The archives, each laid over those before it, and how each is unpacked.
    pub parts: &'a [(Verified, Options)],
    /// Whether programs and libraries are told where they find each other
    /// ([`crate::archive::Archive::link`]).
    pub is_linked: bool,
    /// Files that are commands, and so executable.
    pub executables: &'a BTreeSet<RelPath>,
    /// For messages: `nats-server 2.15.1 (x86_64-linux)`.
    pub shown: &'a str,
}

/// The store at one directory.
#[derive(Clone, Debug)]
pub struct Store {
    layout: Arc<Layout>,
    artifacts: Artifacts,
    lock_timeout: Duration,
}

impl Store {
    /// Names a store; touches nothing on disk. `root` is absolute; `artifacts` is the cache of
    /// downloads; `lock_timeout` is how long to wait for another process.
    pub fn new(root: PathBuf, artifacts: PathBuf, lock_timeout: Duration) -> Self {
        let layout = Arc::new(Layout::new(root, artifacts));
        let artifacts = Artifacts::new(Arc::clone(&layout), lock_timeout);
        Self { layout, artifacts, lock_timeout }
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    /// How long to wait for another process.
    pub fn lock_timeout(&self) -> Duration {
        self.lock_timeout
    }

    /// The artifact cache.
    pub fn artifacts(&self) -> &Artifacts {
        &self.artifacts
    }

    /// A directory for temporary files on the store's filesystem, created if needed. What is left
    /// in it is swept a day later, or at once when its name ends in the pid of a dead process (as
    /// [`fs::StagingDir`] names them).
    pub fn temp_dir(&self) -> Result<PathBuf> {
        self.layout.create()?;
        Ok(self.layout.tmp())
    }
}
