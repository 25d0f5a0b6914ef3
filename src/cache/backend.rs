//! What every kind of cache can do: small documents, files, listing.
//!
//! Keys are relative paths such as `nar/….nar.zst`; the callers make them from names that were
//! parsed. Invariant: after an error of `put` or `put_file`, a reader meets the old file, the new
//! one, or none.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::Result;
use crate::base::{Integrity, Task};
use crate::fs::FileLock;

/// Where a fetched file is.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The file; the cache's own, or the one that was given to be written.
    pub path: PathBuf,
    /// SHA-256 of its bytes, when they were hashed on the way.
    pub hash: Option<Integrity>,
    /// Bytes.
    pub size: u64,
}

/// A file of a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// When it was written, in seconds since 1970.
    pub modified: u64,
}

/// A kind of cache.
#[async_trait]
pub trait Backend: Send + Sync {
    /// A small document; `None` when there is none.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>>;

    /// The size of a file; `None` when there is none.
    async fn size(&self, key: &str) -> Result<Option<u64>>;

    /// A file, `None` when there is none. What `into` has already is not fetched again.
    async fn fetch(
        &self,
        key: &str,
        into: &Path,
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<Option<Fetched>>;

    /// Writes a small document.
    async fn put(&self, key: &str, bytes: &[u8]) -> Result<()>;

    /// Writes a file.
    async fn put_file(&self, key: &str, file: &Path, task: &dyn Task) -> Result<()>;

    /// Removes a file; one that is gone is no error.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Every file, sorted by key; `None` where that cannot be asked.
    async fn list(&self) -> Result<Option<Vec<Entry>>>;

    /// Whether no network is needed.
    fn is_local(&self) -> bool {
        false
    }

    /// Keeps collectors out while writing, or (`alone`) writers while collecting, until it is
    /// dropped; waits up to `patience`. `None` where the cache has no such lock: there only the age
    /// of a file keeps it.
    async fn hold(
        &self,
        _alone: bool,
        _patience: Duration,
        _task: Arc<dyn Task>,
    ) -> Result<Option<FileLock>> {
        Ok(None)
    }

    /// Removes what killed writers left. Best effort.
    async fn sweep(&self) -> Result<()> {
        Ok(())
    }
}
