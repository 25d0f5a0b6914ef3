//! Where everything lies below the store's directory.
//!
//! ```text
//! store/<digest>-<name>/   objects: read-only trees
//! meta/<digest>.json       registrations: an object without one does not exist
//! artifacts/<algo>/<hex>   downloads (this directory may lie elsewhere)
//! evidence/<algo>/<hex>    what proofs were verified from; kept until removed by hand
//! artifacts/go/            modules, records of builds, what Go compiled
//! artifacts/partial/       downloads under way, and their locks
//! pins/NAME                links to objects that a person keeps
//! roots/                   links to the links that keep objects, and leases of processes
//! tmp/                     everything is made here and renamed
//! index/??/                documents of sources (written by the HTTP client)
//! locks/<digest>           one lock for each object that is being added
//! gc.lock                  shared while adding, exclusive while collecting
//! version                  the number of this layout
//! ```
//! Refuses a store of another version. Invariant: nothing but this file joins these names, and no
//! mode below the store depends on the umask.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::Error;
use crate::base::{Digest, Integrity, ObjectName};
use crate::fs::{self, Context as _};

/// The number in `version`.
const VERSION: u32 = 1;

/// The store's paths.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    root: PathBuf,
    artifacts: PathBuf,
}

/// Numbers the temporary names of this process.
static COUNTER: AtomicU32 = AtomicU32::new(0);

/// Leaves out numbers that another program in this process has used.
pub(super) fn count_from(number: u32) {
    COUNTER.fetch_max(number, Ordering::Relaxed);
}

impl Layout {
    pub(super) fn new(root: PathBuf, artifacts: PathBuf) -> Self {
        Self { root, artifacts }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }
    pub(super) fn objects(&self) -> PathBuf {
        self.root.join("store")
    }
    pub(super) fn meta(&self) -> PathBuf {
        self.root.join("meta")
    }
    pub(super) fn roots(&self) -> PathBuf {
        self.root.join("roots")
    }
    pub(super) fn pins(&self) -> PathBuf {
        self.root.join("pins")
    }
    pub(super) fn tmp(&self) -> PathBuf {
        self.root.join("tmp")
    }
    pub(super) fn locks(&self) -> PathBuf {
        self.root.join("locks")
    }
    /// Documents of sources; written by the HTTP client.
    pub(super) fn index(&self) -> PathBuf {
        self.root.join("index")
    }
    pub(super) fn gc_lock(&self) -> PathBuf {
        self.root.join("gc.lock")
    }
    pub(super) fn artifacts(&self) -> &Path {
        &self.artifacts
    }
    pub(super) fn partials(&self) -> PathBuf {
        self.artifacts.join("partial")
    }
    pub(super) fn go(&self) -> PathBuf {
        self.artifacts.join("go")
    }
    /// Where builds put a module before its sum is known to be good.
    pub(super) fn modules_under_way(&self) -> PathBuf {
        self.go().join("modules/partial")
    }
    pub(super) fn object(&self, name: &ObjectName) -> PathBuf {
        self.root.join("store").join(name.to_string())
    }
    pub(super) fn registration(&self, digest: Digest) -> PathBuf {
        self.root.join("meta").join(format!("{digest}.json"))
    }
    pub(super) fn object_lock(&self, name: &ObjectName) -> PathBuf {
        self.root.join("locks").join(name.digest().to_string())
    }
    pub(super) fn artifact(&self, integrity: &Integrity) -> PathBuf {
        self.artifacts.join(integrity.algorithm().name()).join(integrity.hex())
    }
    pub(super) fn evidence(&self, digest: &Integrity) -> PathBuf {
        self.root.join("evidence").join(digest.algorithm().name()).join(digest.hex())
    }
    pub(super) fn partial(&self, integrity: &Integrity) -> PathBuf {
        let name = format!("{}-{}", integrity.algorithm().name(), integrity.hex());
        self.partials().join(name)
    }

    /// A path in `tmp` that no other writer uses; the pid in it tells the sweeper whose it is.
    pub(super) fn temp_path(&self, prefix: &str) -> PathBuf {
        let n = COUNTER.fetch_add(1, Ordering::Relaxed);
        self.tmp().join(format!("{prefix}.{}-{n}", std::process::id()))
    }

    /// Makes the store's directories where they are missing and checks its version.
    pub(super) fn create(&self) -> Result<(), Error> {
        let writing = |e| Error::writing(&self.root, e);
        if let Some(parent) = self.root.parent() {
            fs::create_dir_all_synced(parent).map_err(writing)?;
        }
        // One knob: whoever shares a store opens its top directory, the rest follows.
        ensure_dir(&self.root, 0o700).map_err(writing)?;
        self.check_version()?;
        for dir in [self.objects(), self.meta(), self.roots(), self.tmp(), self.locks()] {
            ensure_dir(&dir, 0o755).map_err(writing)?;
        }
        let version = self.root.join("version");
        if !fs::exists(&version)? {
            self.write_file(&version, format!("{VERSION}\n").as_bytes()).map_err(writing)?;
        }
        Ok(())
    }

    fn check_version(&self) -> Result<(), Error> {
        let path = self.root.join("version");
        match fs::read_to_string_if_exists(&path)? {
            Some(text) if text.trim() != VERSION.to_string() => {
                let found = text.trim().chars().take(20).collect();
                Err(Error::Newer { path, found, known: VERSION })
            }
            _ => Ok(()),
        }
    }

    /// Replaces a small file as one durable step, by way of `tmp`.
    pub(super) fn write_file(&self, target: &Path, bytes: &[u8]) -> Result<(), fs::Error> {
        self.replace(target, bytes, true)?;
        target.parent().map_or(Ok(()), fs::sync_dir)
    }

    /// Replaces a small file as one step that means nothing once the machine has stopped: nothing
    /// waits for the disk.
    pub(super) fn write_passing(&self, target: &Path, bytes: &[u8]) -> Result<(), fs::Error> {
        self.replace(target, bytes, false)
    }

    fn replace(&self, target: &Path, bytes: &[u8], durable: bool) -> Result<(), fs::Error> {
        let temp = self.temp_path("file");
        let write = || {
            let mut file = fs::create_new(&temp)?;
            fs::chmod(&temp, 0o644)?;
            file.write_all(bytes).context("write", &temp)?;
            if durable {
                fs::sync_file(&file, &temp)?;
            }
            fs::rename(&temp, target)
        };
        write().inspect_err(|_| {
            let _ = fs::remove_file_if_exists(&temp);
        })
    }
}

/// Creates one directory with exactly this mode, in its parent on the disk when this returns; one
/// that is there already stays as it is.
pub(super) fn ensure_dir(path: &Path, mode: u32) -> Result<(), fs::Error> {
    // Never open to more than `mode`, not even when we are killed before the next line.
    match fs::create_dir_with_mode(path, mode) {
        Ok(()) => {
            fs::chmod(path, mode)?;
            path.parent().map_or(Ok(()), fs::sync_dir)
        }
        Err(e) if e.io_kind() == Some(std::io::ErrorKind::AlreadyExists) => Ok(()),
        // On a read-only filesystem the refusal comes before the look.
        Err(e) => match fs::lstat_if_exists(path) {
            Ok(Some(_)) => Ok(()),
            _ => Err(e),
        },
    }
}
