//! Collecting a cache: what no root reaches goes.
//!
//! Fails closed: a narinfo that cannot be read ends it before anything is removed, since what it
//! refers to is not known. What is younger than a bound stays, so that a push under way loses
//! nothing. Narinfos go before archives. Invariant: what a root reaches stays, whole.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use super::Result;
use super::cached::{Cache, digest_of, narinfo_key};
use super::narinfo::NarInfo;
use crate::base::{Digest, ObjectName, interrupt};

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

/// Removes (or with `dry_run` lists) objects that none of `roots` reaches, and archives that no
/// object names; only what was written more than `age` ago.
pub async fn gc(
    cache: &Cache,
    roots: &BTreeSet<ObjectName>,
    age: Duration,
    dry_run: bool,
) -> Result<GcPlan> {
    cache.info().await?;
    let entries = cache.entries().await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let bound = now.saturating_sub(age).as_secs();
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
