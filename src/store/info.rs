//! What the store holds, in numbers.
//!
//! Reads registrations and directory entries, no contents; writes nothing.

use std::path::{Path, PathBuf};

use super::{Result, RootKind, Store, fs};

/// What the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreInfo {
    /// The store's directory.
    pub root: PathBuf,
    /// The artifact cache's directory.
    pub artifacts_root: PathBuf,
    /// Registered objects.
    pub objects: usize,
    /// Bytes of their NAR serialisations; close to what they take on disk.
    pub object_bytes: u64,
    /// Registrations that cannot be understood.
    pub damaged_registrations: usize,
    /// Cached artifacts.
    pub artifacts: usize,
    /// Their bytes.
    pub artifact_bytes: u64,
    /// Links that keep objects.
    pub link_roots: usize,
    /// Pins that keep objects.
    pub pins: usize,
    /// Running processes that keep objects.
    pub process_roots: usize,
    /// Free bytes of the store's filesystem, for this user.
    pub free: u64,
    /// All bytes of the store's filesystem.
    pub total: u64,
    /// Whether this user may write to the store, or create it.
    pub writable: bool,
}

impl Store {
    /// Counts objects, artifacts, roots and bytes. A store that does not exist yet is empty.
    pub fn info(&self) -> Result<StoreInfo> {
        let known = self.known()?;
        let roots = self.scan_roots()?.live;
        let artifacts = self.artifacts.list()?;
        let nearest = nearest_existing(self.root());
        let (free, total) = fs::disk_space(nearest)?;
        let count = |is: fn(&RootKind) -> bool| roots.iter().filter(|r| is(&r.kind)).count();
        Ok(StoreInfo {
            root: self.root().to_owned(),
            artifacts_root: self.layout.artifacts().to_owned(),
            objects: known.good.len(),
            object_bytes: known.good.values().map(|r| r.nar_size).sum(),
            damaged_registrations: known.bad.len(),
            artifacts: artifacts.len(),
            artifact_bytes: artifacts.iter().map(|it| it.meta.size).sum(),
            link_roots: count(|kind| matches!(kind, RootKind::Link(_))),
            pins: count(|kind| matches!(kind, RootKind::Pin(_))),
            process_roots: count(|kind| matches!(kind, RootKind::Process { .. })),
            free,
            total,
            writable: fs::is_writable(nearest),
        })
    }
}

fn nearest_existing(path: &Path) -> &Path {
    let exists = |p: &&Path| matches!(fs::exists(p), Ok(true));
    path.ancestors().find(exists).unwrap_or(Path::new("/"))
}
