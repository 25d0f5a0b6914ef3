//! Pushing: objects of the store into a cache, references first.
//!
//! 1. An object that the cache has, with its archive, is passed over.
//! 2. The tree is read once: hashed, compared with its registration, packed into a temporary file.
//! 3. The archive is written, then the narinfo that names it.
//! 4. Objects that do not refer to each other go at once; one that refers to others goes after them.
//!
//! Invariant: killed anywhere, the cache has no narinfo whose archive or references it lacks; the
//! same push again does what is left.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use super::cached::Cache;
use super::compression::{Compression, Packer};
use super::narinfo::{NarInfo, nix32_of};
use super::signing::SecretKey;
use super::{Error, Result, blocking};
use crate::base::{Algorithm, Hasher, Integrity, ObjectName, RelPath, Reporter, Task, interrupt};
use crate::store::{self, Registration, Store};
use crate::{fs, nar};

/// What a push did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pushed {
    /// Objects that were written, sorted.
    pub pushed: Vec<ObjectName>,
    /// How many the cache had.
    pub present: usize,
    /// Bytes of the archives that were written, packed.
    pub bytes: u64,
    /// Bytes of the same archives, unpacked.
    pub nar_bytes: u64,
}

/// Pushes objects, as [`Store::closure`] gives them, `jobs` at a time; signed where there is a key.
pub async fn push(
    store: &Store,
    cache: &Cache,
    objects: &[Registration],
    key: Option<&SecretKey>,
    jobs: usize,
    reporter: &dyn Reporter,
) -> Result<Pushed> {
    cache.info().await?;
    let waiting = reporter.begin("pushing", None);
    // From before it is asked what is there until all of it is named.
    let _hold = cache.backend().hold(false, store.lock_timeout(), waiting).await?;
    cache.backend().sweep().await?;
    let names: BTreeSet<ObjectName> = objects.iter().map(|r| r.object.clone()).collect();
    // The collector must not take away what is being read.
    let held = store.clone();
    let _lease = blocking(move || Ok(held.hold(&names, "infra cache push")?)).await?;
    let mut report = Pushed::default();
    for layer in layers(objects) {
        // Collected, since a closure kept across an await would tie the future to one thread.
        let work: Vec<_> = layer.into_iter().map(|r| one(store, cache, r, key, reporter)).collect();
        let mut results = stream::iter(work).buffer_unordered(jobs.max(1));
        let mut failed = None;
        while let Some(result) = results.next().await {
            match result {
                Ok(None) => report.present += 1,
                Ok(Some(info)) => {
                    report.bytes += info.file_size.unwrap_or_default();
                    report.nar_bytes += info.nar_size;
                    report.pushed.push(info.object);
                }
                // Those under way end; what they wrote stays.
                Err(e) => drop(failed.get_or_insert(e)),
            }
        }
        if let Some(e) = failed {
            return Err(e);
        }
    }
    report.pushed.sort();
    Ok(report)
}

/// Objects without references, then those that refer only to these, and so on.
fn layers(objects: &[Registration]) -> Vec<Vec<&Registration>> {
    let mut depth: BTreeMap<&ObjectName, usize> = BTreeMap::new();
    let mut layers: Vec<Vec<&Registration>> = Vec::new();
    for registration in objects {
        let below = registration.references.iter().filter_map(|r| depth.get(r)).max();
        let own = below.map_or(0, |depth| depth + 1);
        depth.insert(&registration.object, own);
        if layers.len() <= own {
            layers.resize_with(own + 1, Vec::new);
        }
        layers[own].push(registration);
    }
    layers
}

async fn one(
    store: &Store,
    cache: &Cache,
    registration: &Registration,
    key: Option<&SecretKey>,
    reporter: &dyn Reporter,
) -> Result<Option<NarInfo>> {
    let object = &registration.object;
    let known = match cache.narinfo(object.digest()).await {
        Ok(known) => known,
        // A damaged one is replaced.
        Err(Error::Document { .. }) => None,
        Err(e) => return Err(e),
    };
    if let Some(mut known) = known
        && known.object == *object
        && known.tree == registration.tree
        && known.references == registration.references
        && is_whole(cache, &known).await?
    {
        if let Some(key) = key {
            let name = key.public();
            if !known.signatures.iter().any(|s| s.key_name() == name.name()) {
                known.signatures.push(key.sign(&known.fingerprint()));
                cache.put_narinfo(&known).await?;
            }
        }
        return Ok(None);
    }
    let task = reporter.begin(object.name(), Some(registration.nar_size));
    task.stage("packing");
    let packed = pack(store, registration, &task).await?;
    let hash = nix32_of(&packed.hash);
    let url = format!("nar/{hash}.nar{}", Compression::Zstd.suffix());
    task.stage("sending");
    cache.backend().put_file(&url, &packed.path(), &crate::base::Quiet).await?;
    interrupt::point("push.nar");
    let mut info = NarInfo {
        object: object.clone(),
        url: RelPath::new(url).map_err(|e| bug(object, &e))?,
        compression: Compression::Zstd,
        file_hash: Some(packed.hash.clone()),
        file_size: Some(packed.size),
        tree: registration.tree,
        nar_size: registration.nar_size,
        references: registration.references.clone(),
        deriver: None,
        signatures: Vec::new(),
        content_address: NarInfo::own_content_address(
            object,
            &registration.tree,
            &registration.references,
        ),
    };
    if let Some(key) = key {
        info.signatures.push(key.sign(&info.fingerprint()));
    }
    cache.put_narinfo(&info).await?;
    interrupt::point("push.narinfo");
    Ok(Some(info))
}

fn bug(object: &ObjectName, why: &dyn std::fmt::Display) -> Error {
    let source = std::io::Error::other(why.to_string());
    let path = PathBuf::from(object.to_string());
    let source = fs::Error::Io { action: "name the archive of", path, source };
    Error::Pack { object: object.clone(), source }
}

/// Whether the archive that a narinfo names is there, as long as it should be.
async fn is_whole(cache: &Cache, info: &NarInfo) -> Result<bool> {
    let size = cache.backend().size(info.url.as_str()).await?;
    Ok(size.is_some_and(|size| info.file_size.is_none_or(|expected| size == expected)))
}

/// A packed archive in a temporary file.
struct Packed {
    dir: fs::StagingDir,
    hash: Integrity,
    size: u64,
}

impl Packed {
    fn path(&self) -> PathBuf {
        self.dir.path().join("nar")
    }
}

async fn pack(store: &Store, registration: &Registration, task: &Arc<dyn Task>) -> Result<Packed> {
    let (store, task) = (store.clone(), Arc::clone(task));
    let registration = registration.clone();
    blocking(move || {
        let object = &registration.object;
        let missing = || store::Error::Missing { object: object.clone() };
        let path = store.get(object)?.ok_or_else(missing)?.path().to_owned();
        let dir = fs::StagingDir::new_in(&store.temp_dir()?, "push")?;
        let archive = dir.path().join("nar");
        let broken = |source: std::io::Error| {
            let source = fs::Error::Io { action: "write", path: archive.clone(), source };
            Error::Pack { object: object.clone(), source }
        };
        let file = fs::create_new(&archive)?;
        let out = Counted { file, hash: Hasher::new(Algorithm::Sha256), size: 0 };
        let packer = Packer::new(BufWriter::with_capacity(1 << 18, out)).map_err(broken)?;
        let tee = Tee { packer, hash: nar::HashWriter::new(), task: task.as_ref() };
        let buffered = nar::dump(&path, BufWriter::with_capacity(1 << 18, tee))?;
        let tee = buffered.into_inner().map_err(|e| broken(e.into_error()))?;
        let (actual, _) = tee.hash.finish();
        if actual != registration.tree {
            let (object, expected) = (object.clone(), registration.tree);
            return Err(store::Error::Damaged { object, expected, actual }.into());
        }
        let buffered = tee.packer.finish().map_err(broken)?;
        let out = buffered.into_inner().map_err(|e| broken(e.into_error()))?;
        Ok(Packed { dir, hash: out.hash.finish(), size: out.size })
    })
    .await
}

/// The archive on its way: hashed, and packed.
struct Tee<'a, W: Write> {
    packer: Packer<W>,
    hash: nar::HashWriter,
    task: &'a dyn Task,
}

impl<W: Write> Write for Tee<'_, W> {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.packer.write_all(data)?;
        self.hash.write_all(data)?;
        self.task.advance(data.len() as u64);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The packed bytes on their way: hashed, counted and written.
struct Counted {
    file: std::fs::File,
    hash: Hasher,
    size: u64,
}

impl Write for Counted {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        let n = self.file.write(data)?;
        self.hash.update(&data[..n]);
        self.size += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
