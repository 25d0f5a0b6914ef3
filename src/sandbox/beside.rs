//! What lies beside each step on the way to a directory.
//!
//! Owns the listing from which rules are made that grant everything but one directory: the entries of
//! each directory above it, without the way itself. Refuses links, which could lead into it, and
//! whatever *is* one of the steps under another name (a bind mount). What is later made directly
//! beside a step is not in a listing. Invariant: nothing given is the directory or lies above it.

use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Dir, FileType, Mode, OFlags, Stat, fstat, open, openat, stat};

use super::source::Identity;

/// A directory on the way, listed.
#[derive(Debug)]
pub(super) struct Step {
    /// Where it is.
    pub(super) path: PathBuf,
    /// Its own metadata from before it was listed.
    pub(super) stat: Stat,
    dir: OwnedFd,
    names: Vec<OsString>,
    /// The whole way.
    way: Vec<Identity>,
}

/// Opened to be named in a rule: neither read nor followed.
const NAMED: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The directories above `target`, an absolute path without links.
pub(super) fn steps(target: &Path) -> Vec<Step> {
    let way: Vec<Identity> =
        target.ancestors().filter_map(|step| Some(Identity::of(&stat(step).ok()?))).collect();
    let pairs = target.ancestors().zip(target.ancestors().skip(1));
    pairs.filter_map(|(next, dir)| list(dir, next.file_name()?, &way)).collect()
}

fn list(path: &Path, next: &OsStr, way: &[Identity]) -> Option<Step> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    // What may not be read has no entries that could be granted one by one.
    let dir = open(path, flags, Mode::empty()).ok()?;
    let stat = fstat(&dir).ok()?;
    let mut names = Vec::new();
    for entry in Dir::read_from(&dir).ok()? {
        let entry = entry.ok()?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if entry.file_type() != FileType::Symlink && name != "." && name != ".." && name != next {
            names.push(name.to_owned());
        }
    }
    Some(Step { path: path.to_owned(), stat, dir, names, way: way.to_vec() })
}

impl Step {
    /// Its entries but the next step, opened one by one; without what has gone meanwhile.
    pub(super) fn entries(&self) -> impl Iterator<Item = (OwnedFd, Stat)> {
        self.names.iter().filter_map(|name| {
            let fd = openat(&self.dir, name, NAMED, Mode::empty()).ok()?;
            let stat = fstat(&fd).ok()?;
            let is_link = FileType::from_raw_mode(stat.st_mode) == FileType::Symlink;
            (!is_link && !self.way.contains(&Identity::of(&stat))).then_some((fd, stat))
        })
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests make what they look at")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fs;

    #[test]
    fn everything_beside_the_store_and_nothing_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        for path in ["a/store/x", "a/beside", "b"] {
            std::fs::create_dir_all(top.join(path)).unwrap();
        }
        std::os::unix::fs::symlink(top.join("a/store"), top.join("a/link")).unwrap();
        let found: BTreeSet<Identity> = steps(&top.join("a/store"))
            .iter()
            .flat_map(|step| step.entries().map(|(_, s)| Identity::of(&s)).collect::<Vec<_>>())
            .collect();
        let has = |path: &Path| found.contains(&Identity::of(&stat(path).unwrap()));
        assert!(has(&top.join("a/beside")) && has(&top.join("b")) && has(Path::new("/dev")));
        assert!(top.join("a/store").ancestors().all(|step| !has(step)));
        assert!(!has(&top.join("a/store/x")));
    }
}
