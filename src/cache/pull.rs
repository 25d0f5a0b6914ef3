//! Pulling: objects of a cache into the store, references first.
//!
//! An object is believed when its tree hash is the one that the caller has from the lock, or when a
//! known key signed it; with [`Trust::unsigned`], also when its name follows from its content. What
//! was downloaded of an archive stays for the next try, and is removed when it proves wrong.
//! Invariant: an object is registered only when its bytes hash to what was believed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;

use super::backend::Fetched;
use super::cached::Cache;
use super::narinfo::NarInfo;
use super::signing::Keyring;
use super::{Error, Result, blocking};
use crate::base::{Algorithm, Integrity, ObjectName, Quiet, Reporter, Task, TreeHash, interrupt};
use crate::fs;
use crate::store::{self, NarAddition, ObjectPath, Store};

/// What is believed.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Keys whose signatures count.
    pub keys: Keyring,
    /// Whether a name that follows from the content is enough.
    pub unsigned: bool,
}

/// What a pull did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Pulled {
    /// Objects that were added, references first.
    pub pulled: Vec<ObjectName>,
    /// How many the store had.
    pub present: usize,
    /// Bytes of the archives, packed.
    pub bytes: u64,
}

/// An object, and its tree hash where the lock has it.
pub type Wanted = (ObjectName, Option<TreeHash>);

/// Pulls objects and what they refer to, `jobs` at a time.
pub async fn pull(
    store: &Store,
    cache: &Cache,
    wanted: &[Wanted],
    trust: &Trust,
    jobs: usize,
    reporter: &dyn Reporter,
) -> Result<Pulled> {
    cache.info().await?;
    let mut report = Pulled::default();
    // Nothing that arrives is collected before all of it is there.
    let pausing = store.clone();
    let _pause = blocking(move || Ok(pausing.pause_gc(&Quiet)?)).await?;
    let mut left = missing(store, cache, wanted, trust, jobs, &mut report).await?;
    // An object comes after those it refers to; content-addressed, they refer in no circle.
    while !left.is_empty() {
        let is_ready = |info: &NarInfo| !info.references.iter().any(|r| left.contains_key(r));
        let ready: Vec<ObjectName> =
            left.values().filter(|info| is_ready(info)).map(|info| info.object.clone()).collect();
        let layer: Vec<NarInfo> = ready.iter().filter_map(|name| left.remove(name)).collect();
        if layer.is_empty() {
            break;
        }
        // Collected, since a closure kept across an await would tie the future to one thread.
        let work: Vec<_> = layer.iter().map(|info| one(store, cache, info, reporter)).collect();
        let mut results = stream::iter(work).buffer_unordered(jobs.max(1));
        let mut failed = None;
        while let Some(result) = results.next().await {
            if let Err(e) = result {
                failed.get_or_insert(e);
            }
        }
        if let Some(e) = failed {
            return Err(e);
        }
        report.bytes += layer.iter().filter_map(|info| info.file_size).sum::<u64>();
        report.pulled.extend(ready);
    }
    Ok(report)
}

async fn one(store: &Store, cache: &Cache, info: &NarInfo, reporter: &dyn Reporter) -> Result<()> {
    let task = reporter.begin(info.object.name(), info.file_size);
    fetch(store, cache, info, &info.object.to_string(), &task).await.map(drop)
}

/// What has to be fetched, every bit of it believed.
async fn missing(
    store: &Store,
    cache: &Cache,
    wanted: &[Wanted],
    trust: &Trust,
    jobs: usize,
    report: &mut Pulled,
) -> Result<BTreeMap<ObjectName, NarInfo>> {
    let trees: BTreeMap<&ObjectName, &TreeHash> =
        wanted.iter().filter_map(|(object, tree)| Some((object, tree.as_ref()?))).collect();
    let mut found = BTreeMap::new();
    let mut seen: BTreeSet<ObjectName> = BTreeSet::new();
    let mut ahead: Vec<ObjectName> = wanted.iter().map(|(object, _)| object.clone()).collect();
    while !ahead.is_empty() {
        let mut asked = Vec::new();
        for object in std::mem::take(&mut ahead) {
            if !seen.insert(object.clone()) {
                continue;
            }
            match store.get(&object)? {
                Some(_) => report.present += 1,
                None => asked.push(object),
            }
        }
        let work: Vec<_> = asked.iter().map(|object| cache.narinfo(object.digest())).collect();
        let answers: Vec<_> = stream::iter(work).buffered(jobs.max(1)).collect().await;
        for (object, answer) in asked.into_iter().zip(answers) {
            let not_there =
                || Error::NotThere { cache: cache.shown().to_owned(), object: object.clone() };
            let info = answer?.ok_or_else(not_there)?;
            believe(cache, &object, &info, trees.get(&object).copied(), trust)?;
            ahead.extend(info.references.iter().cloned());
            found.insert(object, info);
        }
    }
    Ok(found)
}

/// Refuses what nothing vouches for.
pub(super) fn believe(
    cache: &Cache,
    object: &ObjectName,
    info: &NarInfo,
    tree: Option<&TreeHash>,
    trust: &Trust,
) -> Result<()> {
    let (cache, object) = (cache.shown().to_owned(), object.clone());
    if info.object != object {
        return Err(Error::NotThere { cache, object });
    }
    if let Some(tree) = tree
        && *tree != info.tree
    {
        let (expected, received) = (Box::new(*tree), Box::new(info.tree));
        return Err(Error::OtherTree { cache, object, expected, received });
    }
    if !info.is_content_addressed() {
        return Err(Error::NotContentAddressed { cache, object });
    }
    let is_signed = trust.keys.signer(&info.fingerprint(), &info.signatures).is_some();
    if tree.is_none() && !is_signed && !trust.unsigned {
        let signed_by = info.signatures.iter().map(|s| s.key_name().to_owned()).collect();
        return Err(Error::Untrusted { cache, object, signed_by });
    }
    Ok(())
}

/// Fetches an archive and adds the object. The caller believes the narinfo.
pub(super) async fn fetch(
    store: &Store,
    cache: &Cache,
    info: &NarInfo,
    shown: &str,
    task: &Arc<dyn Task>,
) -> Result<ObjectPath> {
    // One process downloads an archive at a time. Known by its packed hash, else by its tree.
    let by_tree = || Integrity::new(Algorithm::Sha256, info.tree.bytes());
    let Some(id) = info.file_hash.clone().or_else(by_tree) else {
        return Err(Error::NotThere { cache: cache.shown().into(), object: info.object.clone() });
    };
    let (artifacts, name, waiting) =
        (store.artifacts().clone(), shown.to_owned(), Arc::clone(task));
    let lock_id = id.clone();
    let (_lock, partial) = blocking(move || {
        let partial = artifacts.partial(&lock_id)?;
        Ok((artifacts.lock(&lock_id, &name, waiting.as_ref())?, partial))
    })
    .await?;
    if let Some(found) = store.get(&info.object)? {
        return Ok(found);
    }
    let mut resumed = fs::lstat_if_exists(&partial)?.is_some_and(|meta| meta.len() > 0);
    loop {
        let result = once(store, cache, info, shown, &partial, task).await;
        match result {
            Err(e) if e.is_lie() => {
                // What is there is wrong: the next try begins anew.
                fs::remove_file_if_exists(&partial)?;
                if !std::mem::take(&mut resumed) {
                    return Err(e);
                }
            }
            Err(e) => return Err(e),
            Ok(object) => {
                interrupt::point("pull.object");
                fs::remove_file_if_exists(&partial)?;
                return Ok(object);
            }
        }
    }
}

async fn once(
    store: &Store,
    cache: &Cache,
    info: &NarInfo,
    shown: &str,
    partial: &Path,
    task: &Arc<dyn Task>,
) -> Result<ObjectPath> {
    task.stage("downloading");
    let file = fetch_file(cache, info, partial, task.as_ref()).await?;
    let (store, info, shown) = (store.clone(), info.clone(), shown.to_owned());
    let (name, task) = (cache.shown().to_owned(), Arc::clone(task));
    blocking(move || {
        let unpack = |source| {
            let (cache, object) = (name.clone(), info.object.clone());
            Error::Unpack { cache, object, source }
        };
        let mut reader = info.compression.reader(fs::open(&file.path)?).map_err(unpack)?;
        let addition = NarAddition {
            object: &info.object,
            tree: &info.tree,
            nar_size: info.nar_size,
            references: &info.references,
            shown: &shown,
        };
        match store.add_nar(&mut reader, &addition, task.as_ref()) {
            Ok(object) => Ok(object),
            Err(store::Error::BadNar { source: crate::nar::Error::Read(source), .. }) => {
                Err(unpack(source))
            }
            Err(e) => Err(e.into()),
        }
    })
    .await
}

/// The packed archive, compared with what the narinfo says of it.
pub(super) async fn fetch_file(
    cache: &Cache,
    info: &NarInfo,
    into: &Path,
    task: &dyn Task,
) -> Result<Fetched> {
    let (name, object) = (cache.shown().to_owned(), info.object.clone());
    let key = info.url.as_str();
    let Some(file) = cache.backend().fetch(key, into, info.file_size, task).await? else {
        return Err(Error::NoArchive { cache: name, object, file: key.to_owned() });
    };
    if let Some(expected) = info.file_size
        && file.size != expected
    {
        return Err(Error::FileSize { cache: name, object, expected, received: file.size });
    }
    if let (Some(expected), Some(received)) = (&info.file_hash, &file.hash)
        && expected != received
    {
        let (expected, received) = (Box::new(expected.clone()), Box::new(received.clone()));
        return Err(Error::OtherFile { cache: name, object, expected, received });
    }
    Ok(file)
}
