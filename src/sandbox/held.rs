//! An executable held by descriptor, so that what was checked is what is executed.
//!
//! Owns the read lease (`fcntl(2)`, `F_SETLEASE`). The kernel grants one only while nobody has the
//! file open for writing, mappings included, and then lets nobody open it for writing or truncate it
//! until the lease is given back. So: hold, then check, then execute the descriptor. Where the
//! filesystem or the file's owner allow no lease, a change between check and exec is found after
//! the exec instead, by inode and times ([`Held::intact`]).
//! Invariant: a [`Held`] refers to one regular file for its whole life, whatever happens to its name.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::fs;

/// A file that is held.
#[derive(Debug)]
pub struct Held {
    file: File,
    leased: bool,
    stamp: Stamp,
}

/// Device, inode, size, mode, mtime and ctime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp([i64; 8]);

impl Stamp {
    fn of(meta: &std::fs::Metadata) -> Self {
        let wide = |n: u64| i64::from_ne_bytes(n.to_ne_bytes());
        Self([
            wide(meta.dev()),
            wide(meta.ino()),
            wide(meta.size()),
            i64::from(meta.mode()),
            meta.mtime(),
            meta.mtime_nsec(),
            meta.ctime(),
            meta.ctime_nsec(),
        ])
    }
}

impl Held {
    /// Opens and holds a file.
    ///
    /// # Errors
    /// What opening gives; [`io::ErrorKind::ExecutableFileBusy`] when somebody has it open for
    /// writing.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = fs::open_nofollow(path).map_err(into_io)?;
        let leased = lease(&file)?;
        // After the lease: nothing was written between the two.
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self { leased, stamp: Stamp::of(&meta), file })
    }

    /// Whether the kernel keeps writers away.
    pub fn is_leased(&self) -> bool {
        self.leased
    }

    /// Whether this is still what lies at a path.
    pub fn is_at(&self, path: &Path) -> bool {
        fs::lstat(path).is_ok_and(|meta| Stamp::of(&meta) == self.stamp)
    }

    /// Whether nothing was written since it was opened: the lease still stands, and inode and times
    /// are the same.
    pub fn intact(&self) -> bool {
        let stands = !self.leased || has_lease(&self.file);
        stands && self.file.metadata().is_ok_and(|meta| Stamp::of(&meta) == self.stamp)
    }

    /// Its first bytes.
    pub fn head(&self) -> io::Result<Vec<u8>> {
        let mut head = Vec::with_capacity(256);
        let mut file = self.file.try_clone()?;
        io::Seek::rewind(&mut file)?;
        file.take(256).read_to_end(&mut head)?;
        Ok(head)
    }

    /// The ELF interpreter it names; `None` for a static program and for anything but ELF.
    pub fn loader(&self) -> io::Result<Option<std::path::PathBuf>> {
        let found = crate::binary::inspect_file(self.file.try_clone()?);
        Ok(found.and_then(|e| e.needs.interpreter).map(Into::into))
    }
}

impl AsFd for Held {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn into_io(error: fs::Error) -> io::Error {
    error.io_kind().map_or_else(|| io::Error::other(error.to_string()), io::Error::from)
}

/// Takes a read lease; `false` where there are none.
fn lease(file: &File) -> io::Result<bool> {
    // A lease that is being broken sends SIGIO, which would end us: SIGURG does nothing.
    fcntl(file, F_SETSIG, libc::SIGURG)?;
    match fcntl(file, F_SETLEASE, libc::F_RDLCK) {
        Ok(_) => Ok(true),
        Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => {
            Err(io::ErrorKind::ExecutableFileBusy.into())
        }
        Err(_) => Ok(false),
    }
}

fn has_lease(file: &File) -> bool {
    fcntl(file, F_GETLEASE, 0).is_ok_and(|kind| kind == libc::F_RDLCK)
}

// `fcntl(2)`; libc lacks these for some targets.
const F_SETSIG: libc::c_int = 10;
const F_SETLEASE: libc::c_int = 1024;
const F_GETLEASE: libc::c_int = 1025;

#[allow(unsafe_code, reason = "there is no safe interface to leases")]
fn fcntl(file: &File, command: libc::c_int, argument: libc::c_int) -> io::Result<libc::c_int> {
    // SAFETY: the descriptor is open for as long as `file` lives, and these commands take an
    // integer.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, argument) } {
        -1 => Err(io::Error::last_os_error()),
        found => Ok(found),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write to files under our feet")]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    use super::*;

    fn write_now(path: &Path) -> io::Result<File> {
        std::fs::OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path)
    }

    #[test]
    fn a_held_file_cannot_be_opened_for_writing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, b"#!/bin/sh\nexit 7\n").unwrap();
        let held = Held::open(&path).unwrap();
        assert!(held.intact() && held.is_at(&path));
        assert!(held.is_leased(), "this filesystem has no leases");
        let refused = write_now(&path).expect_err("kept away");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
        // Somebody waits for it: it is not intact any more, and nothing was written yet.
        assert!(!held.intact());
        assert_eq!(std::fs::read(&path).unwrap(), b"#!/bin/sh\nexit 7\n");
        drop(held);
        write_now(&path).unwrap().write_all(b"x").unwrap();
    }

    #[test]
    fn a_writer_keeps_it_from_being_held() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, b"x").unwrap();
        let writer = write_now(&path).unwrap();
        let busy = Held::open(&path).expect_err("busy");
        assert_eq!(busy.kind(), io::ErrorKind::ExecutableFileBusy);
        drop(writer);
        assert!(Held::open(&path).is_ok());
    }

    #[test]
    fn another_file_under_the_name_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("program");
        std::fs::write(&path, b"good").unwrap();
        let held = Held::open(&path).unwrap();
        std::fs::write(dir.path().join("other"), b"evil").unwrap();
        std::fs::rename(dir.path().join("other"), &path).unwrap();
        assert!(!held.is_at(&path));
        assert_eq!(held.head().unwrap(), b"good", "the descriptor is still the first file");
    }
}
