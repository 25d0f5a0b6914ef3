//! Checking what is in the store, and bringing back what is damaged.

use std::collections::BTreeSet;

use super::{Context, Error, Result};
use crate::base::{EnvName, ObjectName, Platform, Reporter, Task};
use crate::env::Generations;
use crate::fs;
use crate::lock::Row;
use crate::profile;
use crate::store::{CheckLevel, ObjectPath, Progress, Store, VerifyReport};

/// An object that matched.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Its name.
    pub name: String,
    /// Its tree hash.
    pub tree: String,
}

/// Hashes the objects of the lock for this host and compares; every one must be there.
pub fn deps(context: &Context) -> Result<Vec<Verified>> {
    let store = context.store();
    let lock = context.lock()?;
    let mut objects: Vec<ObjectPath> = Vec::new();
    for (name, dep) in &lock.deps {
        let Some(pin) = dep.platforms.get(&Platform::host()).and_then(Row::pin) else { continue };
        match store.get(&pin.object)? {
            Some(object) => objects.push(object),
            None => return Err(Error::NotSynced { name: name.clone() }.into()),
        }
    }
    let bar = context.reporter().begin("verifying", None);
    let mut verified = Vec::new();
    for object in objects {
        bar.stage(&object.name().to_string());
        store.check(&object, CheckLevel::Full)?;
        verified
            .push(Verified { name: object.name().to_string(), tree: object.tree().to_string() });
    }
    Ok(verified)
}

/// What a check of the whole store found right.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Checked {
    /// Objects checked.
    pub objects: usize,
    /// Artifacts checked.
    pub artifacts: usize,
    /// Bytes they have together.
    pub bytes: u64,
}

/// Checks every object (and, unless `quick`, every artifact); an error lists what is damaged.
pub fn store(context: &Context, quick: bool) -> Result<Checked> {
    let level = if quick { CheckLevel::Quick } else { CheckLevel::Full };
    let report = examine(&context.store(), level, context.reporter())?;
    if report.damaged.is_empty() {
        let VerifyReport { objects, artifacts, bytes, .. } = report;
        return Ok(Checked { objects, artifacts, bytes });
    }
    Err(Error::Damaged(report.damaged.iter().map(ToString::to_string).collect()).into())
}

fn examine(store: &Store, level: CheckLevel, reporter: &dyn Reporter) -> Result<VerifyReport> {
    let bar = reporter.begin("verifying", None);
    let bar: &dyn Task = bar.as_ref();
    let show = |p: Progress| bar.stage(&format!("{} of {}", p.done, p.total));
    Ok(store.verify(level, &show)?)
}

/// What a repair did.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Repaired {
    /// Damaged objects and artifacts that were found, in words.
    pub damaged: Vec<String>,
    /// Objects that are back, by name.
    pub restored: Vec<String>,
    /// Objects that nothing here pins: they come back when something asks for them.
    pub removed: Vec<String>,
}

/// Removes what is damaged, then fetches again what this project pins and builds its environments
/// anew where something of theirs is gone; also what an earlier repair removed and could not
/// restore. Outside a project it only removes.
pub fn repair(context: &Context) -> Result<Repaired> {
    let store = context.store();
    let report = examine(&store, CheckLevel::Full, context.reporter())?;
    let mut repaired = Repaired {
        damaged: report.damaged.iter().map(ToString::to_string).collect(),
        ..Repaired::default()
    };
    let done = store.repair(&report)?;
    let mut gone: BTreeSet<String> = done.refetch.iter().map(|g| g.object.to_string()).collect();
    // Without its registration an object has only its digest.
    let bare = done.registrations;
    if !fs::exists(&context.project().join(profile::DIRECTORY))? {
        repaired.removed = gone.into_iter().collect();
        return Ok(repaired);
    }
    let broken = broken_environments(context, &store)?;
    for (_, object) in &broken {
        // One that only lacks what it links to is whole again with that.
        if store.get(object)?.is_none() {
            gone.insert(object.to_string());
        }
    }
    if !gone.is_empty() || !bare.is_empty() || !broken.is_empty() {
        // Whatever this project pins comes back through the ordinary sync, verified as always.
        let (lock, _) = super::lock::fresh(context)?;
        let rows = lock.deps.values().filter_map(|dep| dep.platforms.get(&Platform::host()));
        let lost: Vec<String> = rows
            .filter_map(Row::pin)
            .filter(|p| gone.contains(&p.object.to_string()) || bare.contains(&p.object.digest()))
            .map(|pin| pin.object.to_string())
            .collect();
        if !lost.is_empty() {
            gone.extend(lost);
            super::sync::sync(context, false)?;
        }
    }
    for (name, _) in broken {
        super::environment::ensure(context, &name)?;
    }
    for name in gone {
        let back = match name.parse() {
            Ok(object) => store.get(&object)?.is_some(),
            Err(_) => false,
        };
        if back { repaired.restored.push(name) } else { repaired.removed.push(name) }
    }
    Ok(repaired)
}

/// Environments of this project whose object, or one that it links to, is not in the store.
fn broken_environments(context: &Context, store: &Store) -> Result<Vec<(EnvName, ObjectName)>> {
    let mut broken = Vec::new();
    for name in context.profiles()?.names() {
        let generations = Generations::new(context.project(), name);
        let Some(generation) = generations.current()? else { continue };
        if super::environment::usable(store, &generation)?.is_none() {
            broken.push((name.clone(), generation.object));
        }
    }
    Ok(broken)
}
