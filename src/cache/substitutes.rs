//! Caches that a sync asks before a source.
//!
//! What is wanted is an object's name and its tree hash, both from the lock: that is all the trust
//! there is, and no signature is needed. A cache that fails or lies is passed over from then on,
//! for this command, with one warning. Invariant: whatever the caches do, the answer is an object
//! that the lock names, or none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::cached::Cache;
use super::pull::{Trust, believe, fetch};
use super::{Error, Result};
use crate::base::{ObjectName, Reporter, Task, TreeHash, chain};
use crate::store::{ObjectPath, Store};

/// Caches in the order in which they are asked.
#[derive(Debug, Default)]
pub struct Substitutes {
    caches: Vec<(Cache, AtomicBool)>,
}

impl Substitutes {
    /// These, in this order.
    pub fn new(caches: impl IntoIterator<Item = Cache>) -> Self {
        Self { caches: caches.into_iter().map(|cache| (cache, AtomicBool::new(false))).collect() }
    }

    /// Whether there is none to ask.
    pub fn is_empty(&self) -> bool {
        self.caches.is_empty()
    }

    /// Whether one has an object of that name and tree.
    pub async fn have(&self, object: &ObjectName, tree: &TreeHash) -> bool {
        for (cache, is_out) in &self.caches {
            if is_out.load(Ordering::Relaxed) {
                continue;
            }
            if let Ok(Some(info)) = cache.narinfo(object.digest()).await
                && believe(cache, object, &info, Some(tree), &Trust::default()).is_ok()
            {
                return true;
            }
        }
        false
    }

    /// The object, from the first cache that proves to have it; `None` when the source has to be
    /// asked. Failures are warned of, once for each cache.
    pub async fn fetch(
        &self,
        store: &Store,
        object: &ObjectName,
        tree: &TreeHash,
        shown: &str,
        task: &Arc<dyn Task>,
        reporter: &dyn Reporter,
    ) -> Option<ObjectPath> {
        for (cache, is_out) in &self.caches {
            if is_out.load(Ordering::Relaxed) {
                continue;
            }
            match from(cache, store, object, tree, shown, task).await {
                Ok(Some(found)) => return Some(found),
                Ok(None) => {}
                Err(e) => {
                    // Others that were under way at the same time fail for the same reason.
                    if !is_out.swap(true, Ordering::Relaxed) {
                        let why = chain(&e);
                        let name = cache.shown();
                        reporter.warn(&format!("the cache `{name}` is not asked any more: {why}"));
                    }
                }
            }
        }
        None
    }
}

async fn from(
    cache: &Cache,
    store: &Store,
    object: &ObjectName,
    tree: &TreeHash,
    shown: &str,
    task: &Arc<dyn Task>,
) -> Result<Option<ObjectPath>> {
    task.stage("asking the cache");
    let Some(info) = cache.narinfo(object.digest()).await? else { return Ok(None) };
    match believe(cache, object, &info, Some(tree), &Trust::default()) {
        // It has another name for the same digest: not ours, and no lie either.
        Err(Error::NotThere { .. }) => return Ok(None),
        other => other?,
    }
    fetch(store, cache, &info, shown, task).await.map(Some)
}
