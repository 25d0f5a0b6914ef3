//! What killed processes leave: staging directories, unregistered trees, cut downloads, documents
//! half written, modules half fetched, locks.
//!
//! Refuses to touch what it does not know: a name in `store` that is no object's, a file in `tmp`
//! of a live process. Called while nobody adds, so that no lock of an object is held.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::add::STAGING;
use super::{GcOptions, Result, Store, fs, lease};
use crate::base::{Digest, ObjectName};

/// Temporary files that do not say whose they are are kept for this long.
const ANONYMOUS: Duration = Duration::from_secs(24 * 60 * 60);
/// A cut download can be resumed for this long.
const PARTIAL: Duration = Duration::from_secs(7 * 24 * 60 * 60);

impl Store {
    /// Everything that nobody can need any more; cut downloads at any age with
    /// [`GcOptions::artifacts`].
    pub(super) fn leftovers(
        &self,
        registered: &BTreeSet<Digest>,
        options: &GcOptions,
    ) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        each(&self.layout.tmp(), |name, path| {
            // Nobody adds while the collector's lock is ours. Pids would not tell: a container
            // starts from 1 again, and finds its predecessor's number alive.
            let is_staging = !options.dry_run && name.split('.').next() == Some(STAGING);
            let is_left = match fs::StagingDir::owner(name) {
                Some(_) if is_staging => true,
                Some(pid) => !is_alive(pid),
                None => is_older(path, ANONYMOUS),
            };
            found.extend(is_left.then(|| path.to_owned()));
        })?;
        each(&self.layout.objects(), |name, path| {
            let object = name.parse::<ObjectName>();
            let is_left = object.is_ok_and(|o| !registered.contains(&o.digest()));
            found.extend(is_left.then(|| path.to_owned()));
        })?;
        found.extend(self.spent_locks()?);
        each(&self.layout.partials(), |name, path| {
            // The lock of a download that ended.
            let is_spent = name.ends_with(".lock")
                && matches!(fs::exists(&path.with_extension("")), Ok(false));
            let old = options.artifacts || is_spent || is_older(path, PARTIAL);
            let lock = path.with_extension("lock");
            if old && !(matches!(fs::exists(&lock), Ok(true)) && lease::is_held(&lock)) {
                found.push(path.to_owned());
            }
        })?;
        // Pins are moved under the shared lock: what is there now, a dead process left.
        if !options.dry_run {
            each(&self.layout.pins(), |name, path| {
                let is_left = name.starts_with('.') && name.ends_with(".tmp");
                found.extend(is_left.then(|| path.to_owned()));
            })?;
        }
        // A writer that lost its file keeps nothing, and fetches the document again next time.
        each(&self.layout.index(), |_, directory| {
            let _ = each(directory, |name, path| {
                let Some(name) = name.strip_suffix(".tmp") else { return };
                let is_left = match fs::StagingDir::owner(name) {
                    Some(pid) => !is_alive(pid) || is_older(path, ANONYMOUS),
                    None => is_older(path, ANONYMOUS),
                };
                found.extend(is_left.then(|| path.to_owned()));
            });
        })?;
        // Modules that a build was taking in, each in a directory that says whose it is.
        each(&self.layout.modules_under_way(), |name, path| {
            let is_left = match fs::StagingDir::owner(name) {
                Some(pid) => !is_alive(pid) || is_older(path, PARTIAL),
                None => is_older(path, PARTIAL),
            };
            found.extend((is_left || options.artifacts).then(|| path.to_owned()));
        })?;
        Ok(found)
    }

    /// Locks of objects that nobody holds. Who takes one looks whether its file is still there, so
    /// that it can go at any time.
    ///
    /// There is one for each object that was added, so the kernel's list is read once instead of
    /// trying each. A holder that the list does not tell, in another container, holds the
    /// collector's lock as well: it is only shown too early by a dry run.
    fn spent_locks(&self) -> Result<Vec<PathBuf>> {
        let Some(dir) = fs::Dir::open_if_exists(&self.layout.locks())? else {
            return Ok(Vec::new());
        };
        let locked = fs::locked_inodes();
        let mut found = Vec::new();
        for (name, inode) in dir.entries()? {
            let path = dir.path().join(&name);
            let is_held = || match &locked {
                Some(locked) => locked.contains(&inode),
                None => lease::is_held(&path),
            };
            if name.to_str().is_some_and(|name| name.parse::<Digest>().is_ok()) && !is_held() {
                found.push(path);
            }
        }
        Ok(found)
    }
}

fn each(dir: &Path, mut see: impl FnMut(&str, &Path)) -> Result<(), fs::Error> {
    for name in fs::read_dir_names_if_exists(dir)? {
        see(&name.to_string_lossy(), &dir.join(&name));
    }
    Ok(())
}

fn is_older(path: &Path, age: Duration) -> bool {
    let modified = fs::lstat(path).ok().and_then(|meta| meta.modified().ok());
    let elapsed = modified.and_then(|at| SystemTime::now().duration_since(at).ok());
    elapsed.is_some_and(|elapsed| elapsed > age)
}

/// Whether there is a process of this id; one of another user counts.
fn is_alive(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}
