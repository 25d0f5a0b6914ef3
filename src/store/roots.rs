//! Roots: what keeps objects from the garbage collector.
//!
//! A root is a link in `roots` to a link of the user's (`roots/<hash of path>` → profile link →
//! object), or the lease of a process. Refuses to guess: a root that cannot be read is an error,
//! since its objects would be lost. Invariant: only links that are gone are pruned.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Error, Result, RootProblem, Store, fs, lease};
use crate::base::{Digest, ObjectName, Quiet, interrupt};

/// As many links as are followed from a root to its object.
const MAX_HOPS: usize = 16;

/// Something that keeps objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its entry in the store's `roots`.
    pub entry: PathBuf,
    /// What it is.
    pub kind: RootKind,
    /// What it keeps; empty for a link that points to another store.
    pub objects: BTreeSet<ObjectName>,
}

/// What keeps objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootKind {
    /// A link outside the store.
    Link(PathBuf),
    /// A name that a person gave it in this store.
    Pin(String),
    /// A process that runs.
    Process {
        /// Its id, in its own namespace.
        pid: u32,
        /// When it took the lease, in seconds since 1970.
        since: u64,
        /// What it does.
        purpose: String,
    },
}

/// The roots that were found, and entries that keep nothing any more.
#[derive(Debug, Default)]
pub(super) struct Scan {
    pub(super) live: Vec<Root>,
    pub(super) stale: Vec<PathBuf>,
}

impl Store {
    /// Makes the link at `link` (outside the store, pointing at an object) a garbage-collector
    /// root. Idempotent. The link may be pointed at another object later without asking again.
    pub fn add_root(&self, link: &Path) -> Result<()> {
        let _pause = self.pause_gc(&Quiet)?;
        let link = absolute(link)?;
        let entry = self.layout.roots().join(entry_name(&link));
        match fs::missing_is_none(fs::read_link(&entry))? {
            Some(known) if known == link => Ok(()),
            _ => {
                fs::replace_symlink(&link, &entry)?;
                interrupt::point("root.linked");
                Ok(())
            }
        }
    }

    /// The live roots, sorted by entry; prunes those whose link is gone or whose process ended,
    /// unless the store is busy or read-only.
    pub fn roots(&self) -> Result<Vec<Root>> {
        let scan = self.scan_roots()?;
        if scan.stale.is_empty() {
            return Ok(scan.live);
        }
        // Under the collector's lock nobody makes the link and its root anew while we look.
        match fs::FileLock::try_exclusive(&self.layout.gc_lock(), "pruning roots") {
            Ok(Some(_lock)) => {
                let scan = self.scan_roots()?;
                for entry in &scan.stale {
                    let _ = prune(entry);
                }
                Ok(scan.live)
            }
            _ => Ok(scan.live),
        }
    }

    pub(super) fn scan_roots(&self) -> Result<Scan> {
        let mut scan = Scan::default();
        let dir = self.layout.roots();
        for name in fs::read_dir_names_if_exists(&dir)? {
            let entry = dir.join(&name);
            let unreadable =
                |source: RootProblem| Error::UnreadableRoot { root: entry.clone(), source };
            let text = name.to_string_lossy();
            if text.ends_with(".lease") {
                match lease::read(&entry).map_err(unreadable)? {
                    Some(terms) => scan.live.push(Root {
                        entry,
                        kind: RootKind::Process {
                            pid: terms.pid,
                            since: terms.since,
                            purpose: terms.purpose,
                        },
                        objects: terms.objects,
                    }),
                    None => scan.stale.push(entry),
                }
            } else if text.ends_with(".lock") {
                // Part of a lease; without one, of a process killed while it took it.
                let lease = entry.with_extension("lease");
                if !fs::exists(&lease)? && !lease::is_held(&entry) {
                    scan.stale.push(entry);
                }
            } else if text.ends_with(".tmp") {
                // A root that was being replaced by a killed process.
                scan.stale.push(entry);
            } else {
                match link_of(&entry).map_err(unreadable)? {
                    Some((link, object)) => scan.live.push(Root {
                        kind: RootKind::Link(link),
                        objects: object.into_iter().collect(),
                        entry,
                    }),
                    None => scan.stale.push(entry),
                }
            }
        }
        scan.live.extend(self.pins()?);
        Ok(scan)
    }
}

/// Removes an entry that keeps nothing. The caller keeps others from making it anew meanwhile.
pub(super) fn prune(entry: &Path) -> Result<(), fs::Error> {
    fs::remove_file_if_exists(entry)?;
    if entry.extension().is_some_and(|extension| extension == "lease") {
        fs::remove_file_if_exists(&entry.with_extension("lock"))?;
    }
    Ok(())
}

/// The name of a link's entry: short, and the same for the same path.
fn entry_name(link: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let path = crate::base::Integrity::sha256_of(link.as_os_str().as_bytes());
    Digest::of_fingerprint(&path.to_string()).to_string()
}

/// With every link but the last resolved, so that a project has one name however it was reached.
fn absolute(link: &Path) -> Result<PathBuf, fs::Error> {
    let parent = match link.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(fs::canonicalize(parent)?.join(link.file_name().unwrap_or_default()))
}

/// The user's link that an entry names, and the object it points to; `None` when it is gone.
fn link_of(entry: &Path) -> Result<Option<(PathBuf, Option<ObjectName>)>, RootProblem> {
    if !fs::lstat(entry)?.is_symlink() {
        return Err(RootProblem::Unknown("it is no link".to_owned()));
    }
    let link = fs::read_link(entry)?;
    let mut at = link.clone();
    for _ in 0..MAX_HOPS {
        let target = match fs::read_link(&at) {
            Ok(target) => target,
            Err(e)
                if matches!(e.io_kind(), Some(ErrorKind::NotFound | ErrorKind::NotADirectory)) =>
            {
                // The user's own link is gone, or it points to a link that is.
                return Ok((at != link).then_some((link, None)));
            }
            Err(e) if at != link && e.io_kind() == Some(ErrorKind::InvalidInput) => {
                return Ok(Some((link, None)));
            }
            Err(e) => return Err(e.into()),
        };
        // By name, not by place: the store may have moved while the link was not rewritten.
        let object = target.iter().rev().find_map(|part| part.to_str()?.parse().ok());
        if object.is_some() {
            return Ok(Some((link, object)));
        }
        at = at.parent().unwrap_or(Path::new("/")).join(target);
    }
    Err(RootProblem::Unknown(format!("`{}` leads in a circle of links", link.display())))
}
