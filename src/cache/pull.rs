//! Pulling: objects of a cache into the store, references first.
//!
//! An object is believed when its tree hash is the one that the caller has from the lock, or when a
//! known key signed it; with [`Trust::unsigned`], also when its name follows from its content. What
//! was downloaded of an archive stays for the next try, and is removed when it proves wrong.
//! Invariant: an object is registered only when its bytes hash to what was believed.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

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

/// Pulls objects and what they refer to.
pub async fn pull(
    store: &Store,
    cache: &Cache,
    wanted: &[Wanted],
    trust: &Trust,
    reporter: &dyn Reporter,
) -> Result<Pulled> {
    cache.info().await?;
    let mut report = Pulled::default();
    // Nothing that arrives is collected before all of it is there.
    let pausing = store.clone();
    let _pause = blocking(move || Ok(pausing.pause_gc(&Quiet)?)).await?;
    let trees: BTreeMap<&ObjectName, Option<&TreeHash>> =
        wanted.iter().map(|(o, t)| (o, t.as_ref())).collect();
    // A depth-first walk; an object is added when everything it refers to was.
    let mut ahead: Vec<Visit> = wanted.iter().rev().map(|(o, _)| Visit::New(o.clone())).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(visit) = ahead.pop() {
        match visit {
            Visit::New(object) => {
                if !seen.insert(object.clone()) {
                    continue;
                }
                if store.get(&object)?.is_some() {
                    report.present += 1;
                    continue;
                }
                let info = cache.narinfo(object.digest()).await?;
                let not_there =
                    || Error::NotThere { cache: cache.shown().to_owned(), object: object.clone() };
                let info = info.ok_or_else(not_there)?;
                believe(cache, &object, &info, trees.get(&object).copied().flatten(), trust)?;
                let references: Vec<ObjectName> = info.references.iter().cloned().collect();
                ahead.push(Visit::Ready(Box::new(info)));
                ahead.extend(references.into_iter().map(Visit::New));
            }
            Visit::Ready(info) => {
                let task = reporter.begin(info.object.name(), info.file_size);
                let shown = info.object.to_string();
                fetch(store, cache, &info, &shown, &task).await?;
                report.bytes += info.file_size.unwrap_or_default();
                report.pulled.push(info.object);
            }
        }
    }
    Ok(report)
}

enum Visit {
    New(ObjectName),
    Ready(Box<NarInfo>),
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
