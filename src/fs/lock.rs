//! Advisory file locks that say who holds them.
//!
//! A lock saves work and orders writers; safety comes from renames. The kernel drops it when its
//! holder dies, so there are no stale locks. Refuses a filesystem that has no `flock`, and one
//! that grants the same lock twice, by name: there the collector could not be kept away.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{Context as _, Error, Result, holders, kind, ops};

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

    /// Its descriptor: the lock is held for as long as that is open, whoever has it.
    pub fn descriptor(&self) -> RawFd {
        self.file.as_raw_fd()
    }

    /// Goes on with a lock that another program in this process took exclusively.
    pub fn adopt(held: OwnedFd) -> Self {
        Self { file: held.into(), is_named: true }
    }

    /// Who holds the lock: as written into its file, or by the kernel's list where nothing is
    /// written (shared holders) or what is written is of a process that was killed.
    pub fn holder(path: &Path) -> String {
        let mut text = String::new();
        let _ = File::open(path).and_then(|f| f.take(200).read_to_string(&mut text));
        let pids = holders::of(path);
        let is_current = |pid: &u32| text.ends_with(&format!("(pid {pid})"));
        if !text.is_empty() && (pids.is_empty() || pids.iter().any(is_current)) {
            return text;
        }
        holders::shown(&pids).unwrap_or_else(|| "another process".to_owned())
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
            Ok(()) if same_file(&file, path) => {
                keeps_locks(&file, path)?;
                return Ok(file);
            }
            Ok(()) => continue,
            // Asked again at once; a signal is no holder.
            Err(Errno::INTR) => continue,
            Err(Errno::WOULDBLOCK) => {}
            Err(e @ (Errno::NOLCK | Errno::NOTSUP | Errno::NOSYS | Errno::INVAL)) => {
                let why = super::plain(&e.into());
                return Err(no_locks(path, why));
            }
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

fn no_locks(path: &Path, why: String) -> Error {
    let filesystem = kind::filesystem(path).map(|found| found.name);
    Error::NoLocks { path: path.to_owned(), why, filesystem }
}

/// Refuses a filesystem that grants a lock that is held; asked once for each filesystem, by trying
/// to take the same lock through a second handle.
fn keeps_locks(held: &File, path: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    static KEEPING: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());
    let device = held.metadata().context("look at", path)?.dev();
    let keeping = || KEEPING.lock().unwrap_or_else(PoisonError::into_inner);
    if keeping().contains(&device) {
        return Ok(());
    }
    let second = ops::open_rw(path)?;
    if !same_file(&second, path) || !same_file(held, path) {
        // Another process removed it: the question is left for the next lock.
        return Ok(());
    }
    if flock(&second, FlockOperation::NonBlockingLockExclusive).is_ok() {
        return Err(no_locks(path, "its filesystem grants the same lock twice".to_owned()));
    }
    keeping().insert(device);
    Ok(())
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
