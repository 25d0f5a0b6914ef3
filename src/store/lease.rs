//! Leases: objects that a running process keeps from collection.
//!
//! Two files in `roots`: `<name>.lock`, locked as long as the process lives, and `<name>.lease`,
//! which says what it keeps. The kernel drops the lock when the process dies, however it dies, in
//! whatever container: no pid is asked. Invariant: a `.lease` without a held lock keeps nothing.

use std::collections::BTreeSet;
use std::os::fd::{OwnedFd, RawFd};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Result, Store, fs};
use crate::base::{ObjectName, Quiet};

/// Keeps objects until it is dropped or its process ends.
#[derive(Debug)]
pub struct Lease {
    stem: PathBuf,
    lock: Option<fs::FileLock>,
}

/// The content of a `.lease` file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    pub(super) pid: u32,
    /// When it was taken, in seconds since 1970.
    pub(super) since: u64,
    pub(super) purpose: String,
    pub(super) objects: BTreeSet<ObjectName>,
}

impl Store {
    /// Keeps `objects` and what they refer to from the garbage collector while this process lives
    /// and the lease is not dropped. Names of objects that are not there yet are kept too, once
    /// they are. `purpose` is for people: `infra run --env dev`.
    ///
    /// In a store on a filesystem that is mounted read-only, as in an image, the lease keeps nothing:
    /// no collector works there either.
    pub fn hold(&self, objects: &BTreeSet<ObjectName>, purpose: &str) -> Result<Lease> {
        let stem = self
            .layout
            .roots()
            .join(self.layout.temp_path("lease").file_name().unwrap_or_default());
        let _pause = match self.pause_gc(&Quiet) {
            Err(Error::ReadOnly { source, .. })
                if source.io_kind() == Some(std::io::ErrorKind::ReadOnlyFilesystem) =>
            {
                return Ok(Lease { stem, lock: None });
            }
            pause => pause?,
        };
        let lock_path = with_suffix(&stem, "lock");
        let lock = fs::FileLock::exclusive(&lock_path, purpose, self.lock_timeout, |_| {})?;
        let lease = Lease { stem, lock: Some(lock) };
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let terms = Terms {
            pid: std::process::id(),
            since: since.map(|d| d.as_secs()).unwrap_or_default(),
            purpose: purpose.to_owned(),
            objects: objects.clone(),
        };
        let path = lease.path();
        let bytes = serde_json::to_vec_pretty(&terms)
            .map_err(|e| Error::BadRegistration { path: path.clone(), why: e.to_string() })?;
        // Its lock ends with this process; what is left of it then means nothing.
        self.layout.write_passing(&path, &bytes)?;
        Ok(lease)
    }
}

impl Lease {
    /// What another program in this process goes on with: the lease's name and the descriptor that
    /// holds it.
    pub fn descriptor(&self) -> Option<(&Path, RawFd)> {
        Some((&self.stem, self.lock.as_ref()?.descriptor()))
    }

    /// Goes on with a lease that another program in this process took.
    pub fn adopt(stem: PathBuf, held: OwnedFd) -> Self {
        // Names of this process's files count on.
        let number = stem.to_str().and_then(|s| s.rsplit_once('-')?.1.parse().ok());
        super::layout::count_from(number.map_or(0, |n: u32| n.saturating_add(1)));
        Self { stem, lock: Some(fs::FileLock::adopt(held)) }
    }

    fn path(&self) -> PathBuf {
        with_suffix(&self.stem, "lease")
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.lock.is_none() {
            return;
        }
        // A leftover is swept by the next collection.
        let _ = fs::remove_file_if_exists(&self.path());
        let _ = fs::remove_file_if_exists(&with_suffix(&self.stem, "lock"));
        self.lock = None;
    }
}

/// The terms of a `.lease` file, `None` when its process has ended.
pub(super) fn read(path: &Path) -> Result<Option<Terms>, super::RootProblem> {
    let lock = path.with_extension("lock");
    if !fs::exists(&lock)? || !is_held(&lock) {
        return Ok(None);
    }
    let Some(text) = fs::missing_is_none(fs::read(path))? else { return Ok(None) };
    match serde_json::from_slice(&text) {
        Ok(terms) => Ok(Some(terms)),
        Err(e) => Err(super::RootProblem::Unknown(format!("the lease cannot be read: {e}"))),
    }
}

/// Whether a process holds this lock; one that cannot be asked is taken for held.
pub(super) fn is_held(lock: &Path) -> bool {
    !matches!(fs::FileLock::try_exclusive(lock, "looking for ended processes"), Ok(Some(_)))
}

/// `lease.<pid>-<n>` has a dot of its own, so that `with_extension` would cut it.
fn with_suffix(stem: &Path, suffix: &str) -> PathBuf {
    let mut name = stem.file_name().unwrap_or_default().to_owned();
    name.push(".");
    name.push(suffix);
    stem.with_file_name(name)
}
