//! Copying a directory of the user's into a staging directory.
//!
//! Refuses devices, sockets and pipes. Reads the source once and trusts nothing of it later: what
//! is hashed and registered is the copy. Invariant: links are copied as written, never followed.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::{Error, fs};
use crate::base::RelPath;

/// Copies what is in `from` into the empty directory `to`; files have mode 0644 or 0755 there.
pub(super) fn copy_tree(from: &Path, to: &Path, shown: &str) -> Result<(), Error> {
    copy_dir(from, from, to, shown)
}

fn copy_dir(top: &Path, from: &Path, to: &Path, shown: &str) -> Result<(), Error> {
    for name in fs::read_dir_names(from)? {
        let (source, target) = (from.join(&name), to.join(&name));
        let meta = fs::lstat(&source)?;
        if meta.is_dir() {
            fs::create_dir(&target)?;
            fs::chmod(&target, 0o755)?;
            copy_dir(top, &source, &target, shown)?;
        } else if meta.is_file() {
            fs::copy(&source, &target)?;
            fs::chmod(&target, if meta.mode() & 0o100 == 0 { 0o644 } else { 0o755 })?;
        } else if meta.is_symlink() {
            fs::symlink(&fs::read_link(&source)?, &target)?;
        } else {
            let path = source.strip_prefix(top).unwrap_or(&source).to_owned();
            return Err(Error::SpecialFile { shown: shown.to_owned(), path });
        }
    }
    Ok(())
}

/// Marks the commands of a staged tree executable.
pub(super) fn set_executable(
    root: &Path,
    executables: &BTreeSet<RelPath>,
    shown: &str,
) -> Result<(), Error> {
    for command in executables {
        let path = command.under(root);
        // No link on the way may be followed out of the tree before links are checked.
        let is_own = fs::canonicalize(&path)
            .is_ok_and(|real| fs::canonicalize(root).is_ok_and(|top| real == command.under(&top)));
        if !is_own || !fs::lstat(&path)?.is_file() {
            let path = command.as_str().into();
            return Err(Error::NoSuchCommand { shown: shown.to_owned(), path });
        }
        fs::chmod(&path, 0o755)?;
    }
    Ok(())
}
