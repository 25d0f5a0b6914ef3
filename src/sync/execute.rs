//! Carrying out a plan: fetch, verify, unpack, register, several deps at a time.
//!
//! After the first failure no further step begins; those under way end, and what they registered
//! stays, so that the same command later has less to do. Invariant: success means that every
//! wanted dep's object is registered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt as _};

use super::artifact::{self, Wanted, blocking, cached};
use super::context::Context;
use super::error::{Error, Result, Unfetched};
use super::pin;
use super::plan::{Plan, Step};
use crate::base::{DepName, Platform, RelPath, Task};
use crate::lock::model::{Artifact, Lock, LockedDep, Pin};
use crate::lock::{Requirements, object_suffix};
use crate::profile::model::Requirement;
use crate::source::Query;
use crate::store::{Addition, ObjectPath, Store};

/// The objects of a plan in which everything [is there](Plan::is_done).
///
/// `None` when one of them is gone from the store since: plan again.
pub fn objects(store: &Store, plan: &Plan) -> Result<Option<BTreeMap<DepName, ObjectPath>>> {
    let mut out = BTreeMap::new();
    for step in &plan.steps {
        let Some(path) = store.get(step.object())? else { return Ok(None) };
        out.insert(step.dep().clone(), path);
    }
    Ok(Some(out))
}

/// Carries out a plan that was made from `lock`, on the runtime it is called in. `requirements`
/// tell sources what a lock does not (URL words, checksum files).
///
/// # Errors
/// The first error, after the steps under way have ended.
pub async fn execute(
    context: &Context<'_>,
    lock: &Lock,
    requirements: &Requirements,
    plan: &Plan,
) -> Result<BTreeMap<DepName, ObjectPath>> {
    if context.offline {
        refuse_offline(context, plan).await?;
    }
    let failed = AtomicBool::new(false);
    // Collected, since a closure kept across an await would tie the future to one thread.
    let mut work = Vec::new();
    // The largest first: what takes longest to unpack should not be the last to arrive.
    let mut steps: Vec<&Step> = plan.steps.iter().collect();
    steps.sort_by_key(|step| std::cmp::Reverse(step.size()));
    for step in steps {
        let failed = &failed;
        work.push(async move {
            if failed.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let done = run(context, lock, requirements, plan.platform, step).await;
            if done.is_err() {
                failed.store(true, Ordering::Relaxed);
            }
            done.map(|object| Some((step.dep().clone(), object)))
        });
    }
    let mut results = stream::iter(work).buffer_unordered(context.jobs());
    let mut out = BTreeMap::new();
    let mut first = None;
    // One cause, such as a store that cannot be written, fails many steps in the same words.
    let mut said = BTreeSet::new();
    while let Some(result) = results.next().await {
        match result {
            Ok(Some((dep, object))) => {
                out.insert(dep, object);
            }
            Ok(None) => {}
            Err(e) => {
                let words = artifact::chain(&e);
                if said.insert(words.clone()) && first.is_some() {
                    context.reporter.warn(&words);
                }
                first.get_or_insert(e);
            }
        }
    }
    match first {
        Some(e) => Err(e),
        None => Ok(out),
    }
}

/// Names everything that would have to be fetched, before anything is done.
async fn refuse_offline(context: &Context<'_>, plan: &Plan) -> Result<()> {
    let mut missing = Vec::new();
    for step in &plan.steps {
        let Step::Fetch { dep, version, source, artifact, integrity, .. } = step else { continue };
        let shown = shown(dep, version.as_str(), plan.platform);
        if cached(context, integrity, &shown).await?.is_none() {
            missing.push(Unfetched { shown, from: format!("`{artifact}` from {source}") });
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::Offline { missing }) }
}

/// `nats-server 2.15.1 (x86_64-linux)`
pub(super) fn shown(dep: &DepName, version: &str, platform: Platform) -> String {
    format!("`{dep}` {version} ({platform})")
}

async fn run(
    context: &Context<'_>,
    lock: &Lock,
    requirements: &Requirements,
    platform: Platform,
    step: &Step,
) -> Result<ObjectPath> {
    let dep = step.dep();
    let locked = lock.deps.get(dep).ok_or_else(|| Error::NotLocked { deps: vec![dep.clone()] })?;
    let pin = locked
        .platforms
        .get(&platform)
        .and_then(|row| row.pin())
        .ok_or_else(|| Error::NoRow { platform, deps: vec![dep.clone()] })?;
    let shown = shown(dep, locked.version.as_str(), platform);
    // Another process may have added it since the plan was made, or removed it.
    if let Some(object) = context.store.get(&pin.object)? {
        return Ok(object);
    }
    match &pin.artifact {
        None => copy_directory(context, dep, locked, pin, shown).await,
        Some(artifact) => {
            let label = format!("{dep} {}", locked.version);
            let task = context.reporter.begin(&label, Some(artifact.size));
            let job = Job { dep, locked, platform, pin, artifact, shown };
            job.run(context, requirements, &task).await
        }
    }
}

struct Job<'a> {
    dep: &'a DepName,
    locked: &'a LockedDep,
    platform: Platform,
    pin: &'a Pin,
    artifact: &'a Artifact,
    shown: String,
}

impl Job<'_> {
    async fn run(
        self,
        context: &Context<'_>,
        requirements: &Requirements,
        task: &Arc<dyn Task>,
    ) -> Result<ObjectPath> {
        let requirement = self.requirement(requirements);
        let locations = async {
            let source = (context.sources)(self.locked.source.kind());
            let definition = self.locked.definition.as_ref();
            let query = Query { definition, ..Query::new(self.dep, &requirement) };
            task.stage("looking up");
            let file = &self.artifact.file;
            Ok(source.locate(&query, &self.locked.version, self.platform, file).await?)
        };
        let wanted = Wanted {
            integrity: &self.artifact.integrity,
            size: Some(self.artifact.size),
            shown: &self.shown,
        };
        let verified = artifact::fetch(context, &wanted, locations, task).await?;
        task.stage("unpacking");
        let options = {
            let Artifact { file, format, strip, .. } = self.artifact;
            pin::options(self.dep, file, *format, *strip, &self.pin.bin)
        };
        let (store, pin, task) = (context.store.clone(), self.pin.clone(), Arc::clone(task));
        let shown = self.shown.clone();
        blocking(&self.shown, move || {
            let executables = executables(&pin);
            let addition = Addition {
                object: &pin.object,
                tree: &pin.tree,
                options: &options,
                executables: &executables,
                shown: &shown,
            };
            Ok(store.add_archive(&verified, &addition, task.as_ref())?)
        })
        .await
    }

    /// What the profile asks for, or as much of it as the lock knows.
    fn requirement(&self, requirements: &Requirements) -> Requirement {
        match requirements.deps.get(self.dep) {
            Some(requirement) if requirement.from == self.locked.source => requirement.clone(),
            _ => Requirement {
                bin: self.pin.bin.clone(),
                strip: Some(self.artifact.strip),
                ..Requirement::new(self.locked.source.clone(), crate::base::VersionReq::any())
            },
        }
    }
}

fn executables(pin: &Pin) -> BTreeSet<RelPath> {
    pin.bin.values().cloned().collect()
}

async fn copy_directory(
    context: &Context<'_>,
    dep: &DepName,
    locked: &LockedDep,
    pin: &Pin,
    shown: String,
) -> Result<ObjectPath> {
    let task = context.reporter.begin(&format!("{dep} {}", locked.version), None);
    task.stage("copying");
    let from = context.project.join(locked.source.package());
    let name = object_suffix(dep, &locked.version);
    let (store, pin, doing) = (context.store.clone(), pin.clone(), shown.clone());
    blocking(&doing, move || {
        let executables = executables(&pin);
        Ok(store.add_directory(&from, &name, &executables, Some(&pin.tree), &shown)?)
    })
    .await
}

#[cfg(test)]
#[path = "execute_tests.rs"]
mod tests;
