//! Collecting a cache: what no root reaches goes.
//!
//! Fails closed: a narinfo that cannot be read ends it before anything is removed, since what it
//! refers to is not known. A push into a directory keeps it out; elsewhere what is younger than a
//! bound stays, so that a push under way loses nothing. Ages are by the clock that dates the files,
//! whatever the clock of this machine says. Narinfos go before archives. Invariant: what a root
//! reaches stays, whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::cached::{Cache, digest_of, narinfo_key};
use super::narinfo::NarInfo;
use super::{Entry, Result};
use crate::base::{Digest, ObjectName, Task, interrupt};

/// What is removed, or would be.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GcPlan {
    /// Objects, sorted.
    pub objects: Vec<ObjectName>,
    /// Archives, sorted.
    pub files: Vec<String>,
    /// How many objects stay.
    pub kept: usize,
    /// Bytes of the archives that go.
    pub bytes: u64,
}

/// Written and removed again, to ask for the time by the clock that dates the cache's files.
const CLOCK: &str = "gc-clock";

/// Every file, and the time by the cache's own clock.
async fn look(cache: &Cache, dry_run: bool) -> Result<(Vec<Entry>, u64)> {
    match cache.backend().put(CLOCK, b"").await {
        // It may be somebody who cannot write: the files' own times are left.
        Err(_) if dry_run => {}
        put => put?,
    }
    let found = cache.entries().await;
    let _ = cache.backend().delete(CLOCK).await;
    let mut entries = found?;
    let clock = entries.iter().find(|entry| entry.key == CLOCK).map(|entry| entry.modified);
    entries.retain(|entry| entry.key != CLOCK);
    let newest = || entries.iter().map(|entry| entry.modified).max().unwrap_or_default();
    // At least as late as the newest file: an age that is taken for smaller removes less.
    let now = clock.unwrap_or_else(newest);
    Ok((entries, now))
}

/// Removes (or with `dry_run` lists) objects that none of `roots` reaches, and archives that no
/// object names; only what was written more than `age` ago. Waits up to `patience` for pushes into
/// the same directory.
pub async fn gc(
    cache: &Cache,
    roots: &BTreeSet<ObjectName>,
    age: Duration,
    dry_run: bool,
    patience: Duration,
    task: Arc<dyn Task>,
) -> Result<GcPlan> {
    cache.info().await?;
    let _alone = match dry_run {
        true => None,
        false => cache.backend().hold(true, patience, task).await?,
    };
    let (entries, now) = look(cache, dry_run).await?;
    let bound = now.saturating_sub(age.as_secs());
    let mut infos: BTreeMap<Digest, (NarInfo, u64)> = BTreeMap::new();
    for entry in &entries {
        let Some(digest) = digest_of(&entry.key) else { continue };
        if let Some(info) = cache.narinfo(digest).await? {
            infos.insert(digest, (info, entry.modified));
        }
    }
    let mut kept: BTreeSet<Digest> = BTreeSet::new();
    let young = infos.iter().filter(|(_, (_, modified))| *modified >= bound).map(|(d, _)| *d);
    let mut ahead: Vec<Digest> = roots.iter().map(ObjectName::digest).chain(young).collect();
    while let Some(digest) = ahead.pop() {
        if let Some((info, _)) = infos.get(&digest)
            && kept.insert(digest)
        {
            ahead.extend(info.references.iter().map(ObjectName::digest));
        }
    }
    let mut plan = GcPlan { kept: kept.len(), ..GcPlan::default() };
    let named: BTreeSet<&str> = kept.iter().map(|d| infos[d].0.url.as_str()).collect();
    plan.objects = infos
        .iter()
        .filter(|(digest, _)| !kept.contains(digest))
        .map(|(_, (info, _))| info.object.clone())
        .collect();
    for entry in &entries {
        let goes = entry.key.starts_with("nar/") && !named.contains(entry.key.as_str());
        if goes && entry.modified < bound {
            plan.bytes += entry.size;
            plan.files.push(entry.key.clone());
        }
    }
    if !dry_run {
        for object in &plan.objects {
            cache.backend().delete(&narinfo_key(object.digest())).await?;
            interrupt::point("cache.unlisted");
        }
        for file in &plan.files {
            cache.backend().delete(file).await?;
            interrupt::point("cache.removed");
        }
        cache.backend().sweep().await?;
    }
    Ok(plan)
}
