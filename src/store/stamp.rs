//! Stamps: a fingerprint of a tree's metadata that says "surely unchanged" without reading a file.
//!
//! Covers path, kind, inode, size, mode, mtime and ctime of every entry. No process but root's
//! can set a ctime, so a changed byte shows even when size and mtime were put back. The limit:
//! before Linux 6.13 the kernel's clock for ctime ticks every few milliseconds, and a change in
//! the very tick of sealing would look the same.

use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::fs;
use crate::base::Integrity;

/// A fingerprint of metadata; says nothing about contents.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stamp(Integrity);

impl Stamp {
    /// Of the tree at `root` as it is now.
    pub(super) fn of_tree(root: &Path) -> Result<Self, fs::Error> {
        let mut hash = Sha256::new();
        feed(&mut hash, root, b"")?;
        let bytes: [u8; 32] = hash.finalize().into();
        // A SHA-256 has the length of a SHA-256: the fallback is never taken.
        Ok(Integrity::new(crate::base::Algorithm::Sha256, &bytes)
            .map_or_else(|| Self::of_bytes(&bytes), Self))
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Integrity::sha256_of(bytes))
    }
}

fn feed(hash: &mut Sha256, path: &Path, name: &[u8]) -> Result<(), fs::Error> {
    let meta = fs::lstat(path)?;
    hash.update((name.len() as u64).to_le_bytes());
    hash.update(name);
    // The kind is part of `st_mode`.
    hash.update(meta.mode().to_le_bytes());
    for number in [meta.ino(), meta.size()] {
        hash.update(number.to_le_bytes());
    }
    for number in [meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()] {
        hash.update(number.to_le_bytes());
    }
    if meta.is_dir() {
        let names = fs::read_dir_names(path)?;
        // The count keeps nesting unambiguous.
        hash.update((names.len() as u64).to_le_bytes());
        for name in names {
            feed(hash, &path.join(&name), name.as_bytes())?;
        }
    }
    Ok(())
}
