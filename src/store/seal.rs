//! Sealing: the modes and times that every object has, whoever made it under whatever umask.
//!
//! Files 0444 or 0555, directories 0555, links as they are, mtime 1 everywhere. Refuses anything
//! that is neither file, directory nor link. Invariant: sealing never changes a tree hash.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::{Error, fs};

/// Modification time of everything in the store, as Nix has it: 1, since some tools take 0 for
/// "unknown".
pub(super) const MTIME: i64 = 1;
/// Up to this many files are synced one by one.
const SYNC_EACH: usize = 64;

/// The paths of a sealed tree.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    files: Vec<PathBuf>,
    dirs: Vec<PathBuf>,
}

/// Seals everything below `root`; `root` itself stays writable, since moving a directory writes
/// its `..` (see [`seal_root`]).
pub(super) fn seal_below(root: &Path, shown: &str) -> Result<Sealed, Error> {
    let mut sealed = Sealed::default();
    walk(root, root, shown, &mut sealed)?;
    sealed.dirs.push(root.to_owned());
    Ok(sealed)
}

/// Seals the root directory of a tree that is where it stays.
pub(super) fn seal_root(root: &Path) -> Result<(), fs::Error> {
    fs::chmod(root, 0o555)?;
    fs::set_mtime_nofollow(root, MTIME)
}

fn walk(root: &Path, dir: &Path, shown: &str, sealed: &mut Sealed) -> Result<(), Error> {
    for name in fs::read_dir_names(dir)? {
        let path = dir.join(name);
        let meta = fs::lstat(&path)?;
        let mode = if meta.is_dir() {
            // Its entries can only be reached while we may enter it, whatever made it.
            if meta.mode() & 0o500 != 0o500 {
                fs::chmod(&path, 0o755)?;
            }
            walk(root, &path, shown, sealed)?;
            sealed.dirs.push(path.clone());
            Some(0o555)
        } else if meta.is_file() {
            sealed.files.push(path.clone());
            Some(if meta.mode() & 0o100 == 0 { 0o444 } else { 0o555 })
        } else if meta.is_symlink() {
            None
        } else {
            let path = path.strip_prefix(root).unwrap_or(&path).to_owned();
            return Err(Error::SpecialFile { shown: shown.to_owned(), path });
        };
        if let Some(mode) = mode.filter(|mode| meta.mode() & 0o7777 != *mode) {
            fs::chmod(&path, mode)?;
        }
        if (meta.mtime(), meta.mtime_nsec()) != (MTIME, 0) {
            fs::set_mtime_nofollow(&path, MTIME)?;
        }
    }
    Ok(())
}

impl Sealed {
    /// Brings the tree to the disk.
    ///
    /// A tool is a handful of large files: syncing each writes only what is ours, while `syncfs`
    /// would wait for every other writer of the filesystem. Thousands of small files are the
    /// other way round, since each sync may commit the journal.
    pub(super) fn sync(&self) -> Result<(), fs::Error> {
        let Some(root) = self.dirs.last() else { return Ok(()) };
        if self.files.len() > SYNC_EACH && fs::sync_filesystem(root)? {
            return Ok(());
        }
        for path in &self.files {
            fs::sync_file(&fs::open_nofollow(path)?, path)?;
        }
        self.dirs.iter().try_for_each(|dir| fs::sync_dir(dir))
    }
}
