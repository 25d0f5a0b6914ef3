//! The artifact cache: `<algorithm>/<hex>` files, evictable at any time.
//!
//! Refuses bytes that are not what their name promises, each time they are asked for. Invariant: a
//! [`Verified`] was hashed, or its hash was compared, in this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::layout::{Layout, ensure_dir};
use super::{Error, Result, Verified, fs};
use crate::base::{Algorithm, Integrity, Task, interrupt};
use crate::fs::Context as _;

/// The artifact cache.
#[derive(Clone, Debug)]
pub struct Artifacts {
    layout: Arc<Layout>,
    lock_timeout: Duration,
}

/// The right to download one artifact; released when dropped.
#[derive(Debug)]
pub struct ArtifactLock {
    _lock: fs::FileLock,
}

/// A file of the cache; nothing is said of its bytes.
#[derive(Clone, Debug)]
pub(super) struct Cached {
    /// The hash that its name promises.
    pub(super) integrity: Integrity,
    pub(super) path: PathBuf,
    pub(super) meta: fs::Meta,
}

impl Artifacts {
    pub(super) fn new(layout: Arc<Layout>, lock_timeout: Duration) -> Self {
        Self { layout, lock_timeout }
    }

    /// A cached artifact whose bytes still match; `None` when there is none.
    ///
    /// # Errors
    /// An integrity error when the cached bytes differ, naming both hashes.
    pub fn get(&self, integrity: &Integrity, shown: &str) -> Result<Option<Verified>> {
        let path = self.layout.artifact(integrity);
        let Some(found) = fs::missing_is_none(fs::hash_file(&path, integrity.algorithm()))? else {
            return Ok(None);
        };
        let (actual, size) = found;
        if actual != *integrity {
            let (shown, expected) = (shown.to_owned(), integrity.clone());
            return Err(Error::CachedArtifactChanged { shown, path, expected, actual });
        }
        Ok(Some(Verified { path, integrity: actual, size }))
    }

    /// Whether there is a file for this artifact; says nothing of its bytes.
    pub fn contains(&self, integrity: &Integrity) -> Result<bool> {
        Ok(fs::exists(&self.layout.artifact(integrity))?)
    }

    /// Where a download of this artifact is written until it is whole; the same name each time, so
    /// that a cut download can resume. Creates the directory. Hold [`Artifacts::lock`] while
    /// writing it.
    pub fn partial(&self, integrity: &Integrity) -> Result<PathBuf> {
        self.create()?;
        Ok(self.layout.partial(integrity))
    }

    /// Takes the right to write [`Artifacts::partial`], so that many processes share one download.
    /// Whoever gets it asks [`Artifacts::get`] again first.
    pub fn lock(
        &self,
        integrity: &Integrity,
        shown: &str,
        task: &dyn Task,
    ) -> Result<ArtifactLock> {
        let path = self.partial(integrity)?.with_extension("lock");
        let on_wait = |holder: &str| task.waiting(holder);
        let purpose = format!("infra fetching {shown}");
        let lock = fs::FileLock::exclusive(&path, &purpose, self.lock_timeout, on_wait)
            .map_err(|e| Error::writing(self.layout.artifacts(), e))?;
        Ok(ArtifactLock { _lock: lock })
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
    ) -> Result<Verified> {
        let received = if computed.algorithm() == expected.algorithm() {
            computed.clone()
        } else {
            fs::hash_file(file, expected.algorithm())?.0
        };
        if received != *expected {
            fs::remove_file_if_exists(file)?;
            let (shown, expected) = (shown.to_owned(), expected.clone());
            return Err(Error::ArtifactMismatch { shown, expected, received, from: from.into() });
        }
        self.create()?;
        let path = self.layout.artifact(expected);
        let handle = fs::open_nofollow(file)?;
        let size = handle.metadata().context("look at", file)?.len();
        fs::chmod(file, 0o444)?;
        fs::sync_file(&handle, file)?;
        fs::rename(file, &path)?;
        if let Some(dir) = path.parent() {
            fs::sync_dir(dir)?;
        }
        interrupt::point("artifact.admitted");
        Ok(Verified { path, integrity: received, size })
    }

    /// The directory of what builds keep between them: modules, records, what Go compiled. Made
    /// where it is missing; evictable like everything here.
    pub fn go(&self) -> Result<PathBuf> {
        self.create()?;
        let path = self.layout.go();
        ensure_dir(&path, 0o755).map_err(|e| Error::writing(self.layout.artifacts(), e))?;
        Ok(path)
    }

    /// Whether [`Artifacts::go`] has a file.
    pub fn has_go(&self, path: &str) -> Result<bool> {
        Ok(fs::exists(&self.layout.go().join(path))?)
    }

    /// What [`Artifacts::go`] holds: each directory, its bytes and when it was last added to.
    pub(super) fn go_parts(&self) -> Result<Vec<(PathBuf, u64, SystemTime)>> {
        let mut out = Vec::new();
        for name in fs::read_dir_names_if_exists(&self.layout.go())? {
            let path = self.layout.go().join(name);
            let added = fs::lstat(&path)?.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            out.push((path.clone(), size_below(&path)?, added));
        }
        Ok(out)
    }

    /// Every cached file; others that lie there are nobody's.
    pub(super) fn list(&self) -> Result<Vec<Cached>> {
        let mut found = Vec::new();
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let dir = self.layout.artifacts().join(algorithm.name());
            let Some(dir) = fs::Dir::open_if_exists(&dir)? else { continue };
            for (name, _) in dir.entries()? {
                let hex = name.to_str().and_then(|hex| Integrity::from_hex(algorithm, hex));
                let Some(integrity) = hex else { continue };
                // One that goes while we look was evicted.
                let Some(meta) = fs::missing_is_none(dir.meta(&name))? else { continue };
                found.push(Cached { integrity, path: dir.path().join(&name), meta });
            }
        }
        Ok(found)
    }

    fn create(&self) -> Result<()> {
        let root = self.layout.artifacts();
        if root.starts_with(self.layout.root()) {
            self.layout.create()?;
        }
        let create = || {
            root.parent().map_or(Ok(()), fs::create_dir_all_synced)?;
            ensure_dir(root, 0o755)?;
            ensure_dir(&self.layout.partials(), 0o755)?;
            ensure_dir(&root.join(Algorithm::Sha256.name()), 0o755)?;
            ensure_dir(&root.join(Algorithm::Sha512.name()), 0o755)
        };
        create().map_err(|e| Error::writing(root, e))
    }
}

/// Bytes of all files below a path.
fn size_below(path: &Path) -> Result<u64, fs::Error> {
    let Some(meta) = fs::missing_is_none(fs::meta(path))? else { return Ok(0) };
    if meta.is_dir() { size_in(path) } else { Ok(meta.size) }
}

/// Bytes of all files in a directory; what goes meanwhile counts nothing.
fn size_in(path: &Path) -> Result<u64, fs::Error> {
    let Some(dir) = fs::Dir::open_if_exists(path)? else { return Ok(0) };
    let (mut sum, mut below) = (0, Vec::new());
    for (name, _) in dir.entries()? {
        match fs::missing_is_none(dir.meta(&name))? {
            Some(meta) if meta.is_dir() => below.push(name),
            Some(meta) => sum += meta.size,
            None => {}
        }
    }
    drop(dir);
    below.iter().try_fold(sum, |sum, name| Ok(sum + size_in(&path.join(name))?))
}
