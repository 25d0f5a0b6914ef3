//! Replacing a file or link as one step: a synced sibling, then a rename.
//!
//! A writer holds an advisory lock on its sibling until it is renamed or removed. One that nobody
//! holds was left by a killed process; the next writer of the same file removes it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::fs::{FlockOperation, flock};

use super::{Context as _, Result, ops};
use crate::base::interrupt;

/// A name in the same directory that no other writer uses.
fn sibling(path: &Path) -> PathBuf {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let n = COUNTER.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}-{n}.tmp", std::process::id()))
}

/// A written sibling, and the handle whose lock says that it is in use.
struct Sibling {
    path: PathBuf,
    _file: File,
}

fn write_sibling(path: &Path, bytes: &[u8], durable: bool) -> Result<Sibling> {
    loop {
        let temp = sibling(path);
        let file = File::create(&temp).context("create", &temp)?;
        // Best effort: a filesystem without locks has no sweeper either.
        let taken = flock(&file, FlockOperation::NonBlockingLockExclusive);
        if taken == Err(rustix::io::Errno::WOULDBLOCK) || !ops::exists(&temp)? {
            // A sweeper was faster than our lock.
            continue;
        }
        let sync = || if durable { ops::sync_file(&file, &temp) } else { Ok(()) };
        let written = (&file).write_all(bytes).context("write", &temp).and_then(|()| sync());
        return match written {
            Ok(()) => Ok(Sibling { path: temp, _file: file }),
            Err(e) => {
                let _ = fs::remove_file(&temp);
                Err(e)
            }
        };
    }
}

/// Removes what killed writers of `path` left beside it. Best effort: nothing depends on it.
pub fn sweep_siblings(path: &Path) {
    let Some((dir, name)) = path.parent().zip(path.file_name()) else { return };
    let prefix = format!(".{}.", name.to_string_lossy());
    for found in ops::read_dir_names_if_exists(dir).unwrap_or_default() {
        let found = found.to_string_lossy();
        let unique = found.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".tmp"));
        // `PID-N`: another file's name may begin like ours.
        let is_ours = unique
            .and_then(|unique| unique.split_once('-'))
            .is_some_and(|(pid, n)| pid.parse::<u32>().is_ok() && n.parse::<u32>().is_ok());
        if !is_ours {
            continue;
        }
        let left = dir.join(&*found);
        let Ok(file) = ops::open_nofollow(&left) else { continue };
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
            let _ = fs::remove_file(&left);
        }
    }
}

/// Replaces `path` with `bytes`: written beside it, synced, renamed, directory synced. On error the
/// old file stays as it was.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let temp = write_sibling(path, bytes, true)?;
    interrupt::point("lock.staged");
    if let Err(e) = ops::rename(&temp.path, path) {
        let _ = fs::remove_file(&temp.path);
        return Err(e);
    }
    if let Some(dir) = path.parent() {
        ops::sync_dir(dir)?;
    }
    interrupt::point("lock.written");
    sweep_siblings(path);
    Ok(())
}

/// Replaces `path` with `bytes` as one step, for what means nothing once the machine has stopped:
/// nothing waits for the disk. On error the old file stays as it was.
pub fn write_passing(path: &Path, bytes: &[u8]) -> Result<()> {
    let temp = write_sibling(path, bytes, false)?;
    if let Err(e) = ops::rename(&temp.path, path) {
        let _ = fs::remove_file(&temp.path);
        return Err(e);
    }
    sweep_siblings(path);
    Ok(())
}

/// Writes `path` unless it is there already; says whether it wrote.
pub fn place_if_absent(path: &Path, bytes: &[u8]) -> Result<bool> {
    let temp = write_sibling(path, bytes, true)?;
    let linked = fs::hard_link(&temp.path, path);
    let _ = fs::remove_file(&temp.path);
    sweep_siblings(path);
    match linked {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(e).context("create", path),
    }
}

/// Points the link `path` at `target`, replacing a link that is there, as one step that outlasts a
/// power cut.
pub fn replace_symlink(target: &Path, path: &Path) -> Result<()> {
    let temp = sibling(path);
    let _ = fs::remove_file(&temp);
    ops::symlink(target, &temp)?;
    if let Err(e) = ops::rename(&temp, path) {
        let _ = fs::remove_file(&temp);
        return Err(e);
    }
    path.parent().map_or(Ok(()), ops::sync_dir)
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
    fn sweeps_what_dead_writers_left_and_nothing_else() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("f");
        let held = write_sibling(&path, b"being written", true).expect("write");
        for name in [".f.1-0.tmp", ".f.x.1-0.tmp", ".f.tmp", ".g.1-0.tmp", "f.1-0.tmp"] {
            fs::write(dir.path().join(name), b"left").expect("write");
        }
        write_atomic(&path, b"one").expect("write");
        let left = ops::read_dir_names(dir.path()).expect("list");
        let held = held.path.file_name().expect("name").to_owned();
        let mut want: Vec<_> =
            [".f.x.1-0.tmp", ".f.tmp", ".g.1-0.tmp", "f", "f.1-0.tmp"].map(Into::into).into();
        want.push(held);
        want.sort();
        assert_eq!(left, want);
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
