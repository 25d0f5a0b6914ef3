//! Staging directories: where something is made before one rename publishes it.

use std::path::{Path, PathBuf};

use super::{Result, ops};

/// A fresh directory that is removed unless it was published.
#[derive(Debug)]
pub struct StagingDir {
    path: Option<PathBuf>,
}

impl StagingDir {
    /// Creates `<parent>/<prefix>.<unique>`; the parent must be on the filesystem of the final
    /// place. The name holds the pid, so that leftovers of dead processes can be told.
    pub fn new_in(parent: &Path, prefix: &str) -> Result<Self> {
        use std::sync::atomic::{AtomicU32, Ordering};
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        ops::create_dir_all(parent)?;
        loop {
            let n = COUNTER.fetch_add(1, Ordering::Relaxed);
            let path = parent.join(format!("{prefix}.{}-{n}", std::process::id()));
            match ops::create_dir(&path) {
                Ok(()) => return Ok(Self { path: Some(path) }),
                // A dead process with our pid left it; no live one can own it.
                Err(e) if e.io_kind() == Some(std::io::ErrorKind::AlreadyExists) => {
                    ops::remove_tree(&path)?;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.path.as_deref().unwrap_or_else(|| Path::new(""))
    }

    /// Keeps the directory and gives its path.
    pub fn keep(mut self) -> PathBuf {
        self.path.take().unwrap_or_default()
    }

    /// The pid in a staging directory's name, for the sweeper.
    pub fn owner(name: &str) -> Option<u32> {
        name.rsplit_once('.')?.1.split_once('-')?.0.parse().ok()
    }
}

impl Drop for StagingDir {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = ops::remove_tree(path);
        }
    }
}
