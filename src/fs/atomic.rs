//! Replacing a file or link as one step: a synced sibling, then a rename.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{Context as _, Result, ops};
use crate::base::interrupt;

/// A name in the same directory that no other writer uses.
fn sibling(path: &Path) -> PathBuf {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{n}.tmp", std::process::id()))
}

fn write_sibling(path: &Path, bytes: &[u8]) -> Result<PathBuf> {
    let temp = sibling(path);
    let write = || -> Result<()> {
        let mut file = File::create(&temp).context("create", &temp)?;
        file.write_all(bytes).context("write", &temp)?;
        ops::sync_file(&file, &temp)
    };
    match write() {
        Ok(()) => Ok(temp),
        Err(e) => {
            let _ = fs::remove_file(&temp);
            Err(e)
        }
    }
}

/// Replaces `path` with `bytes`: written beside it, synced, renamed, directory synced. On error the
/// old file stays as it was.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let temp = write_sibling(path, bytes)?;
    interrupt::point("lock.staged");
    if let Err(e) = ops::rename(&temp, path) {
        let _ = fs::remove_file(&temp);
        return Err(e);
    }
    if let Some(dir) = path.parent() {
        ops::sync_dir(dir)?;
    }
    interrupt::point("lock.written");
    Ok(())
}

/// Writes `path` unless it is there already; says whether it wrote.
pub fn place_if_absent(path: &Path, bytes: &[u8]) -> Result<bool> {
    let temp = write_sibling(path, bytes)?;
    let linked = fs::hard_link(&temp, path);
    let _ = fs::remove_file(&temp);
    match linked {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e).context("create", path),
    }
}

/// Points the link `path` at `target`, replacing a link that is there, as one step.
pub fn replace_symlink(target: &Path, path: &Path) -> Result<()> {
    let temp = sibling(path);
    let _ = fs::remove_file(&temp);
    ops::symlink(target, &temp)?;
    if let Err(e) = ops::rename(&temp, path) {
        let _ = fs::remove_file(&temp);
        return Err(e);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_leaves_no_sibling() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("f");
        write_atomic(&path, b"one").expect("write");
        write_atomic(&path, b"two").expect("write");
        assert_eq!(fs::read(&path).expect("read"), b"two");
        assert!(!place_if_absent(&path, b"three").expect("place"));
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_failure_keeps_the_old_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("d");
        fs::create_dir_all(path.join("in the way")).expect("mkdir");
        assert!(write_atomic(&path, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }
}
