//! Garbage collection: a plan as data, then its execution.
//!
//! Refuses to remove anything while a root or a reachable registration cannot be read. Invariant:
//! an object is unregistered before its first file goes, so that a collection killed anywhere
//! leaves no object with a part missing.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::artifacts::Cached;
use super::moment::Moment;
use super::{Error, Result, RootKind, Store, fs, reach, roots};
use crate::base::{Digest, ObjectName, Quiet, Task, interrupt};

/// What to collect.
#[derive(Clone, Debug, Default)]
pub struct GcOptions {
    /// Only say what would be removed.
    pub dry_run: bool,
    /// Keep objects and artifacts that were added less than this long ago.
    pub older_than: Option<Duration>,
    /// Remove only as much as brings objects and artifacts together under so many bytes: unused
    /// objects first, then artifacts, oldest first. What roots reach stays in any case.
    pub max_size: Option<u64>,
    /// Links that are going to be removed: what only they keep goes.
    pub forgotten: BTreeSet<PathBuf>,
    /// Remove artifacts too, which only a repair or another store would need again.
    pub artifacts: bool,
}

/// What was removed, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Whether it only would be.
    pub dry_run: bool,
    /// Objects that no root reaches, oldest first.
    pub objects: Vec<GcObject>,
    /// Artifacts.
    pub artifacts: Vec<GcFile>,
    /// What killed processes left.
    pub leftovers: Vec<PathBuf>,
    /// Entries of roots whose link is gone or whose process has ended.
    pub roots: Vec<PathBuf>,
    /// How many objects stay.
    pub kept: usize,
    /// Bytes of the objects and artifacts removed.
    pub freed: u64,
    /// Bytes of the objects and artifacts that stay.
    pub remaining: u64,
}

/// An object to remove.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcObject {
    /// Its digest: the name of its registration.
    pub digest: Digest,
    /// Its name; `None` when its registration is damaged.
    pub object: Option<ObjectName>,
    /// Bytes.
    pub bytes: u64,
}

/// A file to remove, or a directory of what builds keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GcFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub bytes: u64,
}

impl Store {
    /// Removes what no root reaches. Waits for additions that are at work, and new ones wait while
    /// it decides and unregisters; files are deleted after that.
    pub fn gc(&self, options: &GcOptions) -> Result<GcReport> {
        self.gc_telling(options, &Quiet)
    }

    /// Like [`Store::gc`]; `task` is told whom it waits for.
    pub fn gc_telling(&self, options: &GcOptions, task: &dyn Task) -> Result<GcReport> {
        if !fs::exists(self.root())? {
            return Ok(GcReport { dry_run: options.dry_run, ..GcReport::default() });
        }
        if options.dry_run {
            // Nothing is removed, so additions may go on; a read-only store can be asked too.
            let _pause = match self.pause_gc(task) {
                Ok(pause) => Some(pause),
                Err(Error::ReadOnly { .. }) => None,
                Err(e) => return Err(e),
            };
            return self.plan_gc(options);
        }
        self.layout.create()?;
        let lock = fs::FileLock::exclusive(
            &self.layout.gc_lock(),
            "infra store gc",
            self.lock_timeout,
            |holder| task.waiting(holder),
        )
        .map_err(|e| Error::writing(self.root(), e))?;
        let report = self.plan_gc(options)?;
        let aside = self.unregister(&report)?;
        drop(lock);
        aside.iter().try_for_each(|path| fs::remove_tree(path))?;
        Ok(report)
    }

    fn plan_gc(&self, options: &GcOptions) -> Result<GcReport> {
        let mut scan = self.scan_roots()?;
        scan.live.retain(|root| match &root.kind {
            RootKind::Link(link) => !options.forgotten.contains(link),
            _ => true,
        });
        let mut known = self.known()?;
        let reached = reach::reachable(&mut known, &scan.live)?;
        // A damaged registration that nothing reaches goes; its tree is a leftover.
        let registered: BTreeSet<Digest> = known.good.keys().copied().collect();

        let now = Moment::now();
        let before = options.older_than.and_then(|age| SystemTime::now().checked_sub(age));
        let is_old = |added: SystemTime| options.older_than.is_none() || before > Some(added);
        let mut objects = Vec::new();
        let mut size = 0;
        for (digest, registration) in &known.good {
            size += registration.nar_size;
            let added = SystemTime::UNIX_EPOCH + Duration::from_secs(registration.added);
            // By the clock of this boot where that is known; one from the future stays.
            let is_old = options
                .older_than
                .is_none_or(|limit| registration.age(now.as_ref()).is_some_and(|age| age > limit));
            if !reached.contains(digest) && is_old {
                let (object, bytes) = (Some(registration.object.clone()), registration.nar_size);
                objects.push((added, GcObject { digest: *digest, object, bytes }));
            }
        }
        for digest in known.bad.keys() {
            let it = GcObject { digest: *digest, object: None, bytes: 0 };
            objects.push((SystemTime::UNIX_EPOCH, it));
        }
        let mut artifacts = Vec::new();
        for Cached { path, meta, .. } in self.artifacts.list()? {
            let since = u64::try_from(meta.modified.0).unwrap_or_default();
            let added = SystemTime::UNIX_EPOCH + Duration::from_secs(since);
            size += meta.size;
            if is_old(added) && (options.artifacts || options.max_size.is_some()) {
                artifacts.push((added, GcFile { path, bytes: meta.size }));
            }
        }
        for (path, bytes, added) in self.artifacts.go_parts()? {
            size += bytes;
            if is_old(added) && (options.artifacts || options.max_size.is_some()) {
                artifacts.push((added, GcFile { path, bytes }));
            }
        }
        objects.sort_by_key(|(added, _)| *added);
        artifacts.sort_by_key(|(added, _)| *added);

        let mut report = GcReport {
            dry_run: options.dry_run,
            leftovers: self.leftovers(&registered, options)?,
            roots: scan.stale,
            kept: known.good.len(),
            remaining: size,
            ..GcReport::default()
        };
        for (_, object) in objects {
            if report.take(object.bytes, options.max_size) || object.object.is_none() {
                report.kept -= usize::from(object.object.is_some());
                report.objects.push(object);
            }
        }
        for (_, file) in artifacts {
            if report.take(file.bytes, options.max_size) {
                report.artifacts.push(file);
            }
        }
        Ok(report)
    }

    /// Everything that must happen while nobody adds; gives what is left to delete.
    fn unregister(&self, report: &GcReport) -> Result<Vec<PathBuf>> {
        report.roots.iter().try_for_each(|entry| roots::prune(entry))?;
        for object in &report.objects {
            fs::remove_file_if_exists(&self.layout.registration(object.digest))?;
            interrupt::point("gc.unregistered");
        }
        // After a power cut, too, no registration may outlive its files.
        fs::sync_dir(&self.layout.meta())?;
        let mut aside = Vec::new();
        for object in &report.objects {
            let Some(name) = &object.object else { continue };
            aside.extend(self.set_aside(&self.layout.object(name))?);
            interrupt::point("gc.renamed");
        }
        for path in &report.leftovers {
            // In the store directory it must be gone before anyone may add it again.
            if path.starts_with(self.layout.objects()) {
                aside.extend(self.set_aside(path)?);
            } else {
                fs::remove_tree(path)?;
            }
        }
        for file in &report.artifacts {
            fs::remove_tree(&file.path)?;
        }
        // What could not be moved aside is deleted before the lock is given back.
        let (stuck, aside): (Vec<_>, Vec<_>) =
            aside.into_iter().partition(|path| path.starts_with(self.layout.objects()));
        stuck.iter().try_for_each(|path| fs::remove_tree(path))?;
        Ok(aside)
    }
}

impl GcReport {
    /// Counts `bytes` as removed, unless the rest is small enough already.
    fn take(&mut self, bytes: u64, max_size: Option<u64>) -> bool {
        let wanted = max_size.is_none_or(|max| self.remaining > max);
        if wanted {
            self.freed += bytes;
            self.remaining = self.remaining.saturating_sub(bytes);
        }
        wanted
    }
}
