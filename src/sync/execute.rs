//! Carrying out a plan: fetch, verify, unpack, register, several deps at a time.
//!
//! After the first failure no further step begins; those under way end, and what they registered
//! stays, so that the same command later has less to do. Invariant: success means that every
//! wanted dep's object is registered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::artifact::{self, Wanted, blocking, cached};
use super::built::make;
use super::context::Context;
use super::error::{Error, Result, Unfetched};
use super::pin;
use super::plan::{Plan, Step};
use crate::base::{DepName, Platform, RelPath, Task, chain};
use crate::lock::model::{Artifact, Linking, Lock, LockedDep, Pin};
use crate::lock::{Requirements, object_suffix};
use crate::profile::model::Requirement;
use crate::source::Query;
use crate::store::{ObjectPath, Stack, Store, Verified};

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
        refuse_offline(context, lock, plan).await?;
    }
    let failed = AtomicBool::new(false);
    // Collected, since a closure kept across an await would tie the future to one thread.
    let mut work = Vec::new();
    // The largest first: what takes longest to unpack should not be the last to arrive.
    let mut steps: Vec<&Step> = plan.steps.iter().collect();
    // Building takes longer than any of them.
    let is_build = |step: &Step| matches!(step, Step::Build { .. });
    steps.sort_by_key(|step| std::cmp::Reverse((is_build(step), step.size())));
    for step in steps {
        let failed = &failed;
        work.push(async move {
            if failed.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let done = object(context, lock, requirements, plan.platform, step.dep()).await;
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
                let words = chain(&e);
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
async fn refuse_offline(context: &Context<'_>, lock: &Lock, plan: &Plan) -> Result<()> {
    let mut missing = Vec::new();
    for step in plan.steps.iter().chain(&plan.tools) {
        let locked = lock.deps.get(step.dep());
        let pin = locked.and_then(|locked| locked.platforms.get(&plan.platform)?.pin());
        if let (Some(pin), Step::Build { .. } | Step::Fetch { .. }) = (pin, step)
            && context.caches.have(&pin.object, &pin.tree).await
        {
            continue;
        }
        if let Step::Build { dep, version, source, toolchain, modules: 1.., .. } = step {
            let shown = shown(dep, version.as_str(), plan.platform);
            let from = format!("modules that {toolchain} builds {source} from");
            missing.push(Unfetched { shown, from, size: 0 });
            continue;
        }
        let Step::Fetch { dep, version, source, .. } = step else { continue };
        let shown = shown(dep, version.as_str(), plan.platform);
        for (artifact, size, integrity) in step.missing() {
            if cached(context, integrity, &shown).await?.is_none() {
                let from = format!("`{artifact}` from {source}");
                missing.push(Unfetched { shown: shown.clone(), from, size });
            }
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Error::Offline { missing }) }
}

/// `nats-server 2.15.1 (x86_64-linux)`
pub(super) fn shown(dep: &DepName, version: &str, platform: Platform) -> String {
    format!("`{dep}` {version} ({platform})")
}

/// The object of a dep, made where the store lacks it.
pub(super) async fn object(
    context: &Context<'_>,
    lock: &Lock,
    requirements: &Requirements,
    platform: Platform,
    dep: &DepName,
) -> Result<ObjectPath> {
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
    if let Some(object) = from_caches(context, dep, locked, pin, &shown).await? {
        return Ok(object);
    }
    if let (None, Some(build)) = (&pin.artifact, &locked.build) {
        let task = context.reporter.begin(&format!("{dep} {}", locked.version), None);
        let job = Job { dep, locked, platform, pin, artifact: None, shown };
        return make::object(context, lock, requirements, &job, build, &task).await;
    }
    match &pin.artifact {
        None => copy_directory(context, dep, locked, pin, shown).await,
        Some(artifact) => {
            let label = format!("{dep} {}", locked.version);
            let task = context.reporter.begin(&label, Some(pin.size()));
            let job = Job { dep, locked, platform, pin, artifact: Some(artifact), shown };
            job.run(context, requirements, &task).await
        }
    }
}

/// The object ready-made, when a cache proves to have it. Nobody is asked for what can be unpacked
/// or copied here.
async fn from_caches(
    context: &Context<'_>,
    dep: &DepName,
    locked: &LockedDep,
    pin: &Pin,
    shown: &str,
) -> Result<Option<ObjectPath>> {
    if context.caches.is_empty() {
        return Ok(None);
    }
    let mut is_here = locked.build.is_none();
    for artifact in pin.artifacts() {
        is_here &= cached(context, &artifact.integrity, shown).await?.is_some();
    }
    if is_here {
        return Ok(None);
    }
    let size = pin.artifact.is_some().then(|| pin.size());
    let task = context.reporter.begin(&format!("{dep} {}", locked.version), size);
    let Pin { object, tree, .. } = pin;
    Ok(context.caches.fetch(context.store, object, tree, shown, &task, context.reporter).await)
}

/// A row whose object is to be made.
pub(super) struct Job<'a> {
    pub(super) dep: &'a DepName,
    pub(super) locked: &'a LockedDep,
    pub(super) platform: Platform,
    pub(super) pin: &'a Pin,
    artifact: Option<&'a Artifact>,
    /// Dep, version and platform.
    pub(super) shown: String,
}

impl Job<'_> {
    async fn run(
        self,
        context: &Context<'_>,
        requirements: &Requirements,
        task: &Arc<dyn Task>,
    ) -> Result<ObjectPath> {
        let requirement = self.requirement(requirements);
        let mut work = Vec::new();
        for artifact in self.pin.artifacts() {
            work.push(self.fetch(context, &requirement, artifact, task));
        }
        let fetched: Vec<Verified> =
            stream::iter(work).buffered(context.jobs()).try_collect().await?;
        task.stage("unpacking");
        let options = self.pin.artifacts().map(|artifact| {
            let Artifact { file, format, strip, .. } = artifact;
            pin::options(self.dep, file, *format, *strip, &self.pin.bin)
        });
        let parts: Vec<_> = fetched.into_iter().zip(options).collect();
        let (store, pin, task) = (context.store.clone(), self.pin.clone(), Arc::clone(task));
        let shown = self.shown.clone();
        blocking(&self.shown, move || {
            let executables = executables(&pin);
            let addition = Stack {
                object: &pin.object,
                tree: &pin.tree,
                parts: &parts,
                is_linked: matches!(pin.linking, Some(Linking::Origin)),
                executables: &executables,
                shown: &shown,
            };
            Ok(store.add_stack(&addition, task.as_ref())?)
        })
        .await
    }

    async fn fetch(
        &self,
        context: &Context<'_>,
        requirement: &Requirement,
        artifact: &Artifact,
        task: &Arc<dyn Task>,
    ) -> Result<Verified> {
        let source = (context.sources)(self.locked.source.kind());
        let definition = self.locked.definition.as_ref();
        let query = Query { definition, ..Query::new(self.dep, requirement) };
        let (version, file) = (&self.locked.version, &artifact.file);
        let locations = async {
            task.stage("looking up");
            Ok(source.locate(&query, version, self.platform, file).await?)
        };
        let elsewhere = Box::pin(async {
            Ok(source.locate_elsewhere(&query, version, self.platform, file).await?)
        });
        let wanted = Wanted {
            integrity: &artifact.integrity,
            size: Some(artifact.size),
            shown: &self.shown,
        };
        artifact::fetch(context, &wanted, locations, elsewhere, task).await
    }

    /// What the profile asks for, or as much of it as the lock knows.
    pub(super) fn requirement(&self, requirements: &Requirements) -> Requirement {
        match requirements.deps.get(self.dep) {
            Some(requirement) if requirement.from == self.locked.source => requirement.clone(),
            _ => Requirement {
                bin: self.pin.bin.clone(),
                strip: self.artifact.map(|artifact| artifact.strip),
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
