//! Advisory file locks that say who holds them.
//!
//! A lock saves work and orders writers; safety comes from renames. The kernel drops it when its
//! holder dies, so there are no stale locks.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

use super::{Context as _, Error, Result, ops};

/// A held lock; released when dropped.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    /// Whether our name is in the file.
    is_named: bool,
}

impl FileLock {
    /// Takes an exclusive lock, waiting up to `timeout`. `purpose` is written into the file for
    /// those who wait. `on_wait` is called once, with the holder, when it has to wait.
    pub fn exclusive(
        path: &Path,
        purpose: &str,
        timeout: Duration,
        on_wait: impl FnOnce(&str),
    ) -> Result<Self> {
        let mut file = acquire(path, FlockOperation::NonBlockingLockExclusive, timeout, on_wait)?;
        let text = format!("{purpose} (pid {})", std::process::id());
        // The text only helps people; a failure to write it is no failure to lock.
        let _ = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| {
            file.write_all(text.as_bytes())?;
            file.flush()
        });
        Ok(Self { file, is_named: true })
    }

    /// Takes a shared lock, waiting up to `timeout` for an exclusive holder.
    pub fn shared(path: &Path, timeout: Duration, on_wait: impl FnOnce(&str)) -> Result<Self> {
        let file = acquire(path, FlockOperation::NonBlockingLockShared, timeout, on_wait)?;
        Ok(Self { file, is_named: false })
    }

    /// Takes an exclusive lock if nobody holds it now.
    pub fn try_exclusive(path: &Path, purpose: &str) -> Result<Option<Self>> {
        match Self::exclusive(path, purpose, Duration::ZERO, |_| {}) {
            Ok(lock) => Ok(Some(lock)),
            Err(Error::Locked { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Who holds the lock, as written into its file.
    pub fn holder(path: &Path) -> String {
        let mut text = String::new();
        let read = File::open(path).and_then(|f| f.take(200).read_to_string(&mut text));
        match read {
            Ok(n) if n > 0 => text,
            _ => "another process".to_owned(),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        if self.is_named {
            // Whoever waits for a later, shared holder should not be told of us.
            let _ = self.file.set_len(0);
        }
    }
}

fn acquire(
    path: &Path,
    operation: FlockOperation,
    timeout: Duration,
    on_wait: impl FnOnce(&str),
) -> Result<File> {
    let start = Instant::now();
    let mut on_wait = Some(on_wait);
    loop {
        let file = ops::open_rw(path)?;
        match flock(&file, operation) {
            // The holder before us may have removed the file: then our lock guards nothing.
            Ok(()) if same_file(&file, path) => return Ok(file),
            Ok(()) => continue,
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e).context("lock", path),
        }
        if start.elapsed() >= timeout {
            return Err(Error::Locked {
                path: PathBuf::from(path),
                holder: FileLock::holder(path),
                waited_s: timeout.as_secs(),
            });
        }
        if let Some(tell) = on_wait.take() {
            tell(&FileLock::holder(path));
        }
        std::thread::sleep(Duration::from_millis(15));
    }
}

fn same_file(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), std::fs::metadata(path)) {
        (Ok(a), Ok(b)) => a.ino() == b.ino() && a.dev() == b.dev(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excludes_and_names_the_holder() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("lock");
        let held = FileLock::try_exclusive(&path, "a test").expect("lock").expect("free");
        assert!(FileLock::try_exclusive(&path, "other").expect("try").is_none());
        assert!(FileLock::holder(&path).starts_with("a test (pid "));
        drop(held);
        assert_eq!(FileLock::holder(&path), "another process");
        assert!(FileLock::try_exclusive(&path, "other").expect("try").is_some());
    }
}
