//! A cache in a directory.
//!
//! Files are written in `tmp/`, synced and renamed. Refuses nothing of its own. Invariant: a file
//! under its final name is whole, also after a crash of the machine.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use super::backend::{Backend, Entry, Fetched};
use super::{Result, blocking};
use crate::base::Task;
use crate::fs::{self, Context as _};

/// Where files are written before they are renamed.
const TMP: &str = "tmp";
/// How long a file in it is somebody's.
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

    /// Makes a file with `write` and puts it in its place.
    fn place(
        root: &Path,
        key: &str,
        write: impl FnOnce(&mut std::fs::File, &Path) -> fs::Result<()>,
    ) -> Result<()> {
        let target = root.join(key);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let staging = fs::StagingDir::new_in(&root.join(TMP), "put")?;
        let temp = staging.path().join("file");
        let mut file = fs::create_new(&temp)?;
        write(&mut file, &temp)?;
        fs::chmod(&temp, 0o644)?;
        fs::sync_file(&file, &temp)?;
        fs::rename(&temp, &target)?;
        target.parent().map_or(Ok(()), fs::sync_dir)?;
        Ok(())
    }
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
        let (root, key, bytes) = (self.root.clone(), key.to_owned(), bytes.to_vec());
        blocking(move || {
            Self::place(&root, &key, |file, path| file.write_all(&bytes).context("write", path))
        })
        .await
    }

    async fn put_file(&self, key: &str, file: &Path, task: &dyn Task) -> Result<()> {
        let (root, key, from) = (self.root.clone(), key.to_owned(), file.to_owned());
        let size = blocking(move || {
            let mut source = fs::open_nofollow(&from)?;
            let mut size = 0;
            Self::place(&root, &key, |file, path| {
                let mut piece = vec![0; PIECE];
                loop {
                    let n = source.read(&mut piece).context("read", &from)?;
                    if n == 0 {
                        return Ok(());
                    }
                    file.write_all(&piece[..n]).context("write", path)?;
                    size += n as u64;
                }
            })?;
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

    async fn sweep(&self) -> Result<()> {
        let tmp = self.root.join(TMP);
        blocking(move || {
            for name in fs::read_dir_names_if_exists(&tmp)? {
                let path = tmp.join(name);
                let age = fs::lstat(&path)
                    .ok()
                    .and_then(|meta| meta.modified().ok())
                    .and_then(|written| SystemTime::now().duration_since(written).ok());
                // By age alone: it may be a process of another machine that shares the directory.
                if age.is_some_and(|age| age > LEFT_ALONE) {
                    let _ = fs::remove_tree(&path);
                }
            }
            Ok(())
        })
        .await
    }
}
