//! The store: trees addressed by content, and the artifacts they came from.
//!
//! Owns every file below the store directory (see [`layout`]). Two gates are types that only this
//! room makes: [`Verified`], an artifact whose bytes matched, and [`ObjectPath`], an object whose
//! tree hash matched and whose registration is on disk. Invariant: an object without registration
//! does not exist, and a registered object is never changed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::Options;
use crate::base::{Diagnose, Integrity, ObjectName, RelPath, Task, TreeHash};

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

/// The store at one directory.
#[derive(Clone, Debug)]
pub struct Store {
    _root: PathBuf,
}

impl Store {
    /// Names a store; touches nothing on disk.
    pub fn new(root: PathBuf, artifacts: PathBuf, lock_timeout: Duration) -> Self {
        let _ = (artifacts, lock_timeout);
        Self { _root: root }
    }

    /// The store's directory.
    pub fn root(&self) -> &Path {
        todo!()
    }

    /// The artifact cache.
    pub fn artifacts(&self) -> &Artifacts {
        todo!()
    }

    /// A directory for temporary files on the store's filesystem, created if needed.
    pub fn temp_dir(&self) -> Result<PathBuf, Error> {
        todo!()
    }

    /// A registered object, `None` when there is none of that name. Two `stat` calls, no hashing.
    pub fn get(&self, object: &ObjectName) -> Result<Option<ObjectPath>, Error> {
        let _ = object;
        todo!()
    }

    /// Unpacks a verified artifact, compares the tree hash and registers the object.
    pub fn add_archive(
        &self,
        artifact: &Verified,
        addition: &Addition<'_>,
        task: &dyn Task,
    ) -> Result<ObjectPath, Error> {
        let _ = (artifact, addition, task);
        todo!()
    }

    /// Adds a copy of a directory; `expected` is compared when given.
    pub fn add_directory(
        &self,
        from: &Path,
        name: &str,
        executables: &BTreeSet<RelPath>,
        expected: Option<&TreeHash>,
        shown: &str,
    ) -> Result<ObjectPath, Error> {
        let _ = (from, name, executables, expected, shown);
        todo!()
    }

    /// Adds a tree that `build` makes in an empty directory; `references` are the objects it links
    /// to with relative links.
    pub fn add_built(
        &self,
        name: &str,
        references: &BTreeSet<ObjectName>,
        build: &mut dyn FnMut(&Path) -> Result<(), crate::fs::Error>,
    ) -> Result<ObjectPath, Error> {
        let _ = (name, references, build);
        todo!()
    }

    /// Checks a registered object against its registration.
    pub fn check(&self, object: &ObjectPath, level: CheckLevel) -> Result<(), Error> {
        let _ = (object, level);
        todo!()
    }

    /// Makes the link at `link` (outside the store, pointing at an object) a garbage-collector
    /// root. Idempotent.
    pub fn add_root(&self, link: &Path) -> Result<(), Error> {
        let _ = link;
        todo!()
    }
}

/// The artifact cache: `<algorithm>/<hex>` files, evictable at any time.
#[derive(Clone, Debug)]
pub struct Artifacts {
    _root: PathBuf,
}

impl Artifacts {
    /// A cached artifact whose bytes still match; `None` when there is none.
    ///
    /// # Errors
    /// An integrity error when the cached bytes differ, naming both hashes.
    pub fn get(&self, integrity: &Integrity, shown: &str) -> Result<Option<Verified>, Error> {
        let _ = (integrity, shown);
        todo!()
    }

    /// Where a download of this artifact is written until it is whole; the same name each time, so
    /// that a cut download can resume. Creates the directory.
    pub fn partial(&self, integrity: &Integrity) -> Result<PathBuf, Error> {
        let _ = integrity;
        todo!()
    }

    /// Takes in a finished download: compares `computed` with `expected`, then moves the file into
    /// the cache. `from` names the origin in errors. A file that does not match is removed.
    pub fn admit(
        &self,
        file: &Path,
        computed: &Integrity,
        expected: &Integrity,
        shown: &str,
        from: &str,
    ) -> Result<Verified, Error> {
        let _ = (file, computed, expected, shown, from);
        todo!()
    }
}

/// A store operation that failed.
#[derive(Debug, thiserror::Error)]
#[error("placeholder")]
pub struct Error;

impl Diagnose for Error {}
