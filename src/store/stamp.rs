//! Stamps: a fingerprint of a tree's metadata that says "surely unchanged" without reading a file.
//!
//! Covers path, kind, inode, size, mode, mtime and ctime of every entry. No process but root's
//! can set a ctime, so a changed byte shows even when size and mtime were put back. The limit:
//! before Linux 6.13 the kernel's clock for ctime ticks every few milliseconds, and a change in
//! the very tick of sealing would look the same.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
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
        feed(&mut hash, root, OsStr::new(""), &fs::meta(root)?)?;
        let bytes: [u8; 32] = hash.finalize().into();
        // A SHA-256 has the length of a SHA-256: the fallback is never taken.
        Ok(Integrity::new(crate::base::Algorithm::Sha256, &bytes)
            .map_or_else(|| Self::of_bytes(&bytes), Self))
    }

    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self(Integrity::sha256_of(bytes))
    }
}

/// Adds what is below `path`: one handle for each directory, and one is open at a time.
fn feed(hash: &mut Sha256, path: &Path, name: &OsStr, meta: &fs::Meta) -> Result<(), fs::Error> {
    let mut line = Vec::with_capacity(64 + name.len());
    line.extend((name.len() as u64).to_le_bytes());
    line.extend(name.as_bytes());
    // The kind is part of `st_mode`.
    line.extend(meta.mode.to_le_bytes());
    for number in [meta.inode, meta.size] {
        line.extend(number.to_le_bytes());
    }
    let ((modified, modified_nanos), (changed, changed_nanos)) = (meta.modified, meta.changed);
    for number in [modified, modified_nanos, changed, changed_nanos] {
        line.extend(number.to_le_bytes());
    }
    hash.update(&line);
    if !meta.is_dir() {
        return Ok(());
    }
    let dir = fs::Dir::open(path)?;
    let names = dir.entries()?.into_iter().map(|(name, _)| name);
    let entries = names.map(|name| Ok((dir.meta(&name)?, name)));
    let entries = entries.collect::<Result<Vec<_>, fs::Error>>()?;
    drop(dir);
    // The count keeps nesting unambiguous.
    hash.update((entries.len() as u64).to_le_bytes());
    for (meta, name) in entries {
        if meta.is_dir() {
            feed(hash, &path.join(&name), &name, &meta)?;
        } else {
            feed(hash, path, &name, &meta)?;
        }
    }
    Ok(())
}
