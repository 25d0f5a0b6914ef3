//! Identical files of different objects as one file on the disk.
//!
//! 1. Objects whose stamp is as registered are walked; the others are left to `verify`.
//! 2. Files of one size and mode are hashed, unless they are one file already.
//! 3. Of files with one hash the one with the most links stays; each other is replaced, by one
//!    rename, with a hard link to it (or, where asked for, a copy that shares its blocks).
//! 4. Every object that was touched is hashed again in full and gets a new stamp.
//!
//! Nothing but links is made: a process that is killed anywhere leaves objects with the same
//! bytes and an old stamp, and the next check hashes those. Invariant: no file is ever replaced by
//! one whose hash was not computed in the same run.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::registration::Registration;
use super::stamp::Stamp;
use super::{CheckLevel, Error, Result, Store, fs, parallel, seal};
use crate::base::{Algorithm, Integrity, ObjectName, Task, interrupt};

/// Files that share their bytes with a link would save less than the link costs.
const SMALLEST: u64 = 1;

/// How to share bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct OptimiseOptions {
    /// Only count what would be saved.
    pub dry_run: bool,
    /// Share blocks between files that stay files of their own, instead of linking them. Only some
    /// filesystems can (btrfs, XFS, bcachefs, APFS).
    pub reflink: bool,
}

/// What was shared, or would be.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct OptimiseReport {
    /// Whether it only would be.
    pub dry_run: bool,
    /// Objects looked at.
    pub objects: usize,
    /// Objects left out, since they are not as registered or another process works on them.
    pub skipped: Vec<String>,
    /// Files looked at.
    pub files: usize,
    /// Files replaced.
    pub replaced: usize,
    /// Bytes that this gives back.
    pub saved_bytes: u64,
    /// Bytes that links saved already.
    pub shared_bytes: u64,
}

/// One file on the disk, by whatever names.
#[derive(Debug)]
struct Inode {
    /// Hard links that it has anywhere.
    links: u64,
    /// Where it lies: object and path.
    names: Vec<(usize, PathBuf)>,
}

/// Size, mode and inode number.
type Key = (u64, u32, u64);
/// Inodes by size, mode and hash.
type Hashed<'a> = BTreeMap<(u64, u32, Integrity), Vec<&'a Inode>>;

impl Store {
    /// Stores files with the same bytes once. `task` counts the files that are hashed.
    ///
    /// # Errors
    /// [`Error::NoReflink`] where the filesystem cannot share blocks.
    pub fn optimise(&self, options: &OptimiseOptions, task: &dyn Task) -> Result<OptimiseReport> {
        let mut report = OptimiseReport { dry_run: options.dry_run, ..OptimiseReport::default() };
        if !fs::exists(self.root())? {
            return Ok(report);
        }
        let _pause = if options.dry_run { None } else { Some(self.pause_gc(task)?) };
        let mut objects: Vec<Registration> = Vec::new();
        for registration in self.known()?.good.into_values() {
            let path = self.layout.object(&registration.object);
            match Stamp::of_tree(&path) {
                Ok(stamp) if stamp == registration.stamp => objects.push(registration),
                _ => report.skipped.push(registration.object.to_string()),
            }
        }
        report.objects = objects.len();

        task.stage("looking for files of the same size");
        let mut inodes: BTreeMap<Key, Inode> = BTreeMap::new();
        for (index, registration) in objects.iter().enumerate() {
            let root = self.layout.object(&registration.object);
            walk(&root, index, &mut inodes, &mut report)?;
        }
        let same = same_bytes(&inodes, task)?;
        let mut touched = BTreeSet::new();
        for group in same {
            self.share(&group, &objects, options, &mut report, &mut touched)?;
        }
        if !options.dry_run {
            task.stage("verifying");
            self.verify_touched(&objects, &touched)?;
        }
        Ok(report)
    }

    /// Makes one file of a group. The first inode is the one that stays.
    fn share(
        &self,
        group: &[&Inode],
        objects: &[Registration],
        options: &OptimiseOptions,
        report: &mut OptimiseReport,
        touched: &mut BTreeSet<usize>,
    ) -> Result<()> {
        let Some((kept, others)) = group.split_first() else { return Ok(()) };
        let Some((kept_object, original)) = kept.names.first() else { return Ok(()) };
        for other in others {
            let mut replaced = 0;
            for (object, path) in &other.names {
                let name = &objects[*object].object;
                if !options.dry_run && !self.replace(name, original, path, options.reflink)? {
                    if !report.skipped.contains(&name.to_string()) {
                        report.skipped.push(name.to_string());
                    }
                    continue;
                }
                touched.extend([*object, *kept_object]);
                replaced += 1;
            }
            report.replaced += replaced;
            // Its bytes are given back only when no name is left.
            if replaced as u64 >= other.links {
                report.saved_bytes += fs::lstat(original)?.size();
            }
        }
        // A link more changes the status time of every name of the file that stays.
        if touched.contains(kept_object) {
            touched.extend(kept.names.iter().map(|(object, _)| *object));
        }
        Ok(())
    }

    /// Replaces `path` of an object; false when another process adds that object just now, or the
    /// file has as many links as the filesystem allows.
    fn replace(
        &self,
        object: &ObjectName,
        original: &Path,
        path: &Path,
        reflink: bool,
    ) -> Result<bool> {
        let lock = self.layout.object_lock(object);
        let Some(_lock) = fs::FileLock::try_exclusive(&lock, "infra store optimise")? else {
            return Ok(false);
        };
        let staged = self.layout.temp_path("optimise");
        if reflink {
            match fs::clone_file(original, &staged)? {
                true => {
                    fs::chmod(&staged, fs::lstat(path)?.mode() & 0o7777)?;
                    fs::set_mtime_nofollow(&staged, seal::MTIME)?;
                    // Its blocks must be its own on the disk before it takes the file's place.
                    fs::sync_file(&fs::open_nofollow(&staged)?, &staged)?;
                }
                false => return Err(Error::NoReflink { root: self.root().to_owned() }),
            }
        } else if let Err(e) = fs::hard_link(original, &staged) {
            // EMLINK: another file of the same bytes takes over at the next run.
            return match e.io_kind() {
                Some(std::io::ErrorKind::TooManyLinks) => Ok(false),
                _ => Err(e.into()),
            };
        }
        interrupt::point("optimise.staged");
        let dir = path.parent().unwrap_or(path);
        let renamed = fs::chmod(dir, 0o755).and_then(|()| fs::rename(&staged, path));
        // Sealed again in either case.
        let sealed = fs::chmod(dir, 0o555).and_then(|()| fs::set_mtime_nofollow(dir, seal::MTIME));
        if let Err(e) = renamed {
            let _ = fs::remove_file_if_exists(&staged);
            return Err(e.into());
        }
        sealed?;
        interrupt::point("optimise.renamed");
        Ok(true)
    }

    /// Hashes what was touched, on every core; a new stamp is written for what is right.
    fn verify_touched(&self, objects: &[Registration], touched: &BTreeSet<usize>) -> Result<()> {
        let work: Vec<&Registration> = touched.iter().map(|index| &objects[*index]).collect();
        parallel::each(&work, |registration| self.check_registered(registration, CheckLevel::Full))
    }
}

/// The regular files below `dir`.
fn walk(
    dir: &Path,
    object: usize,
    inodes: &mut BTreeMap<Key, Inode>,
    report: &mut OptimiseReport,
) -> Result<()> {
    for name in fs::read_dir_names(dir)? {
        let path = dir.join(name);
        let meta = fs::lstat(&path)?;
        if meta.is_dir() {
            walk(&path, object, inodes, report)?;
        } else if meta.is_file() && meta.size() >= SMALLEST {
            report.files += 1;
            let key = (meta.size(), meta.mode(), meta.ino());
            let inode = inodes
                .entry(key)
                .or_insert_with(|| Inode { links: meta.nlink(), names: Vec::new() });
            if !inode.names.is_empty() {
                report.shared_bytes += meta.size();
            }
            inode.names.push((object, path));
        }
    }
    Ok(())
}

/// Groups of two and more inodes with the same size, mode and bytes; the most linked comes first.
fn same_bytes<'a>(
    inodes: &'a BTreeMap<Key, Inode>,
    task: &dyn Task,
) -> Result<Vec<Vec<&'a Inode>>> {
    let mut sizes: BTreeMap<(u64, u32), usize> = BTreeMap::new();
    for (size, mode, _) in inodes.keys() {
        *sizes.entry((*size, *mode)).or_default() += 1;
    }
    let work: Vec<(&Key, &Inode)> =
        inodes.iter().filter(|((size, mode, _), _)| sizes[&(*size, *mode)] > 1).collect();
    task.stage("hashing");
    let hashed: Mutex<Hashed<'_>> = Mutex::default();
    parallel::each(&work, |((size, mode, _), inode)| {
        let Some((_, path)) = inode.names.first() else { return Ok(()) };
        let (hash, _) = fs::hash_file(path, Algorithm::Sha256)?;
        task.advance(*size);
        let mut hashed = hashed.lock().unwrap_or_else(|e| e.into_inner());
        hashed.entry((*size, *mode, hash)).or_default().push(inode);
        Ok(())
    })?;
    let hashed = hashed.into_inner().unwrap_or_else(|e| e.into_inner());
    let mut groups: Vec<Vec<&Inode>> = hashed.into_values().filter(|g| g.len() > 1).collect();
    for group in &mut groups {
        // The same choice in every run, whatever thread was first.
        group.sort_by(|a, b| (b.links, &a.names).cmp(&(a.links, &b.names)));
    }
    Ok(groups)
}
