//! The NAR of a tree on disk.
//!
//! Owns the walk: names sorted bytewise, links not followed, the owner's `x` bit as "executable".
//! Refuses sockets, devices and pipes, and a file that changes its size while it is read. Files
//! stream through one buffer; nothing is held but the names of the open directories.

use std::fs::File;
use std::io::{self, Read as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::{HashWriter, Node, Writer};
use crate::base::TreeHash;
use crate::fs::{self, Context as _};

/// Small enough to stay in a core's second-level cache between the read and the hash, large enough
/// that system calls do not count.
const BUFFER: usize = 256 * 1024;

/// The NAR hash of a tree on disk and the length of its serialisation in bytes.
///
/// # Errors
/// [`fs::Error::Io`] naming the path; kind `InvalidData` for what has no place in a tree.
pub fn hash_path(path: &Path) -> Result<(TreeHash, u64), fs::Error> {
    dump(path, HashWriter::new()).map(HashWriter::finish)
}

/// Serialises a tree on disk into `sink`, which it gives back.
///
/// # Errors
/// As [`hash_path`]; a sink that refuses bytes is reported with the path being serialised.
pub fn dump<W: Write>(path: &Path, sink: W) -> Result<W, fs::Error> {
    let mut writer = Writer::new(sink);
    node(path, writer.root(), &mut Vec::new())?;
    writer.finish().serialising(path)
}

fn node<W: Write>(path: &Path, place: Node<'_, W>, buffer: &mut Vec<u8>) -> Result<(), fs::Error> {
    let meta = fs::lstat(path)?;
    let kind = meta.file_type();
    if kind.is_dir() {
        let mut directory = place.directory().serialising(path)?;
        for name in fs::read_dir_names(path)? {
            let entry = directory.entry(name.as_bytes()).serialising(path)?;
            node(&path.join(&name), entry, buffer)?;
        }
        directory.finish().serialising(path)
    } else if kind.is_file() {
        let file = fs::open_nofollow(path)?;
        let executable = meta.permissions().mode() & 0o100 != 0;
        contents(path, &file, place, executable, meta.len(), buffer)
    } else if kind.is_symlink() {
        let target = fs::read_link(path)?;
        place.symlink(target.as_os_str().as_bytes()).serialising(path)
    } else {
        let reason = "it is neither file, directory nor link";
        Err(io::Error::new(io::ErrorKind::InvalidData, reason)).context("serialise", path)
    }
}

fn contents<W: Write>(
    path: &Path,
    mut file: &File,
    place: Node<'_, W>,
    executable: bool,
    size: u64,
    buffer: &mut Vec<u8>,
) -> Result<(), fs::Error> {
    let mut out = place.file(executable, size).serialising(path)?;
    if size > BUFFER as u64 {
        read_ahead(file);
    }
    buffer.resize(BUFFER, 0);
    let mut left = size;
    // Reading goes by the buffer, not by what is left, so that a file that grew is noticed.
    while left > 0 {
        match file.read(buffer) {
            Ok(0) => break,
            Ok(n) => {
                out.write(&buffer[..n]).serialising(path)?;
                left = left.saturating_sub(n as u64);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e).context("read", path),
        }
    }
    out.finish().serialising(path)
}

/// Advice only: that it failed changes nothing.
#[cfg(target_os = "linux")]
fn read_ahead(file: &File) {
    let _ = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::Sequential);
}

#[cfg(not(target_os = "linux"))]
fn read_ahead(_: &File) {}

trait Serialising<T> {
    /// The path that was being serialised when the writer refused.
    fn serialising(self, path: &Path) -> Result<T, fs::Error>;
}

impl<T> Serialising<T> for super::Result<T> {
    fn serialising(self, path: &Path) -> Result<T, fs::Error> {
        self.map_err(|e| match e {
            super::Error::Write(e) => e,
            super::Error::Size { .. } => {
                io::Error::new(io::ErrorKind::InvalidData, "it changed while it was read")
            }
            e => io::Error::new(io::ErrorKind::InvalidData, e),
        })
        .context("serialise", path)
    }
}
