//! A cache in a directory.
//!
//! Files are written in `tmp/`, synced and renamed. Refuses nothing of its own. Invariant: a file
//! under its final name is whole, also after a crash of the machine.

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::backend::{Backend, Entry, Fetched};
use super::{Result, blocking};
use crate::base::Task;
use crate::fs::{self, Context as _};

/// Where files are written before they are renamed.
const TMP: &str = "tmp";
/// Held, shared, by those who write, and alone by who collects; in `tmp`, which is never listed,
/// served or swept as a whole.
const LOCK: &str = "gc.lock";
/// The file in a directory of its own there.
const NAME: &str = "file";
/// How long what nobody locked may still be somebody's.
const LEFT_ALONE: Duration = Duration::from_secs(86_400);
const PIECE: usize = 256 << 10;

/// A directory.
pub(super) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }
}

/// A file on its way into a directory: written in `tmp`, under a lock that says that it is
/// somebody's, also to other machines that share the directory.
pub(super) struct Arriving {
    staging: fs::StagingDir,
    /// The file, to be written.
    pub(super) file: File,
}

impl Arriving {
    pub(super) fn new(root: &Path) -> fs::Result<Self> {
        let staging = fs::StagingDir::new_in(&root.join(TMP), "put")?;
        let file = fs::create_new(&staging.path().join(NAME))?;
        // Best effort: on a filesystem without locks nothing is swept early either.
        let _ = file.try_lock();
        Ok(Self { staging, file })
    }

    /// Where it is written.
    pub(super) fn path(&self) -> PathBuf {
        self.staging.path().join(NAME)
    }

    /// Puts the whole file in its place.
    pub(super) fn place(self, target: &Path) -> fs::Result<()> {
        let path = self.path();
        fs::chmod(&path, 0o644)?;
        fs::sync_file(&self.file, &path)?;
        if let Some(parent) = target.parent() {
            fs::create_dir_all_synced(parent)?;
            fs::rename(&path, target)?;
            fs::sync_dir(parent)?;
        }
        Ok(())
    }
}

/// Takes the lock between writers and collectors. Whoever may write to the directory may take it.
fn hold(
    root: &Path,
    alone: bool,
    patience: Duration,
    task: &dyn Task,
) -> Result<Option<fs::FileLock>> {
    let dir = root.join(TMP);
    fs::create_dir_all(&dir)?;
    let path = dir.join(LOCK);
    let told = |holder: &str| task.waiting(holder);
    let taken = match alone {
        true => fs::FileLock::exclusive(&path, "infra cache gc", patience, told),
        false => fs::FileLock::shared(&path, patience, told),
    };
    match taken {
        Ok(lock) => {
            // Best effort: only its owner may say so.
            let _ = fs::meta(&dir).and_then(|meta| fs::chmod(&path, meta.mode & 0o222 | 0o444));
            Ok(Some(lock))
        }
        // A push harms nobody without it; a collection might.
        Err(fs::Error::NoLocks { .. }) if !alone => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Removes what nobody writes any more.
fn sweep(root: &Path) -> Result<()> {
    let tmp = root.join(TMP);
    for name in fs::read_dir_names_if_exists(&tmp)? {
        if name == LOCK {
            continue;
        }
        let path = tmp.join(name);
        let age = fs::lstat(&path)
            .ok()
            .and_then(|meta| meta.modified().ok())
            .and_then(|written| SystemTime::now().duration_since(written).ok());
        let file = fs::open_nofollow(&path.join(NAME)).ok();
        let lock = file.as_ref().map(File::try_lock);
        // What is held is somebody's whatever the clock says, which may have jumped by a year.
        if matches!(lock, Some(Err(std::fs::TryLockError::WouldBlock))) {
            continue;
        }
        // An empty one may be about to be locked.
        let is_empty = file.is_none_or(|file| !file.metadata().is_ok_and(|meta| meta.len() > 0));
        let left = matches!(lock, Some(Ok(()))) && !is_empty;
        if left || age.is_some_and(|age| age > LEFT_ALONE) {
            let _ = fs::remove_tree(&path);
        }
    }
    Ok(())
}

#[async_trait]
impl Backend for Directory {
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>> {
        Ok(fs::missing_is_none(fs::read(&self.path(key)))?)
    }

    async fn size(&self, key: &str) -> Result<Option<u64>> {
        let file = fs::missing_is_none(fs::open(&self.path(key)))?;
        let meta = file.map(|file| file.metadata().context("look at", &self.path(key)));
        Ok(meta.transpose()?.filter(std::fs::Metadata::is_file).map(|meta| meta.len()))
    }

    async fn fetch(
        &self,
        key: &str,
        _into: &Path,
        _size: Option<u64>,
        task: &dyn Task,
    ) -> Result<Option<Fetched>> {
        let Some(size) = self.size(key).await? else { return Ok(None) };
        task.advance(size);
        Ok(Some(Fetched { path: self.path(key), hash: None, size }))
    }

    async fn put(&self, key: &str, bytes: &[u8]) -> Result<()> {
        let (root, target, bytes) = (self.root.clone(), self.path(key), bytes.to_vec());
        blocking(move || {
            let mut arriving = Arriving::new(&root)?;
            arriving.file.write_all(&bytes).context("write", &arriving.path())?;
            Ok(arriving.place(&target)?)
        })
        .await
    }

    async fn put_file(&self, key: &str, file: &Path, task: &dyn Task) -> Result<()> {
        let (root, target, from) = (self.root.clone(), self.path(key), file.to_owned());
        let size = blocking(move || {
            let mut source = fs::open_nofollow(&from)?;
            let mut arriving = Arriving::new(&root)?;
            let mut piece = vec![0; PIECE];
            let mut size = 0;
            loop {
                let n = fs::read_part(&mut source, &mut piece).context("read", &from)?;
                if n == 0 {
                    break;
                }
                arriving.file.write_all(&piece[..n]).context("write", &arriving.path())?;
                size += n as u64;
            }
            arriving.place(&target)?;
            Ok(size)
        })
        .await?;
        task.advance(size);
        Ok(())
    }

    async fn delete(&self, key: &str) -> Result<()> {
        Ok(fs::remove_file_if_exists(&self.path(key))?)
    }

    async fn list(&self) -> Result<Option<Vec<Entry>>> {
        let root = self.root.clone();
        let mut found = blocking(move || {
            let mut found = Vec::new();
            for (dir, prefix) in [(root.clone(), ""), (root.join("nar"), "nar/")] {
                for name in fs::read_dir_names_if_exists(&dir)? {
                    let Some(name) = name.to_str() else { continue };
                    let meta = fs::lstat(&dir.join(name))?;
                    if meta.is_file() {
                        let modified = u64::try_from(meta.mtime()).unwrap_or_default();
                        let key = format!("{prefix}{name}");
                        found.push(Entry { key, size: meta.len(), modified });
                    }
                }
            }
            Ok(found)
        })
        .await?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(Some(found))
    }

    fn is_local(&self) -> bool {
        true
    }

    async fn hold(
        &self,
        alone: bool,
        patience: Duration,
        task: Arc<dyn Task>,
    ) -> Result<Option<fs::FileLock>> {
        let root = self.root.clone();
        blocking(move || hold(&root, alone, patience, task.as_ref())).await
    }

    async fn sweep(&self) -> Result<()> {
        let root = self.root.clone();
        blocking(move || sweep(&root)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_left_alone_and_what_was_left_goes() {
        let dir = tempfile::tempdir().expect("tempdir");
        let mut alive = Arriving::new(dir.path()).expect("file");
        alive.file.write_all(b"half").expect("write");
        let mut dead = Arriving::new(dir.path()).expect("file");
        dead.file.write_all(b"half").expect("write");
        // As when its process was killed: the lock goes, the file stays.
        let Arriving { staging, file } = dead;
        let (left, empty) = (staging.keep(), Arriving::new(dir.path()).expect("file"));
        drop(file);
        // As after a jump of the clock: what is held stays at any age.
        fs::set_mtime_nofollow(alive.staging.path(), 1).expect("set time");
        sweep(dir.path()).expect("sweep");
        assert!(!fs::exists(&left).expect("look"));
        assert!(fs::exists(&alive.path()).expect("look"));
        assert!(fs::exists(&empty.path()).expect("look"));
        let target = dir.path().join("nar/x");
        alive.place(&target).expect("place");
        assert_eq!(fs::read(&target).expect("read"), b"half");
    }
}
