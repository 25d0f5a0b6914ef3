//! Checking what is in the store, and bringing back what is damaged.

use super::{Context, Error, Result};
use crate::base::{Platform, Reporter, Task};
use crate::lock::Row;
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

/// Removes what is damaged and fetches again what this project pins.
pub fn repair(context: &Context) -> Result<Repaired> {
    let store = context.store();
    let report = examine(&store, CheckLevel::Full, context.reporter())?;
    let mut repaired = Repaired {
        damaged: report.damaged.iter().map(ToString::to_string).collect(),
        ..Repaired::default()
    };
    if report.damaged.is_empty() {
        return Ok(repaired);
    }
    let gone = store.repair(&report)?.refetch;
    // Whatever this project pins comes back through the ordinary sync, verified as always.
    let (lock, union) = super::lock::fresh(context)?;
    let pinned = |name: &str| {
        let rows = lock.deps.values().filter_map(|dep| dep.platforms.get(&Platform::host()));
        rows.filter_map(Row::pin).any(|pin| pin.object.to_string() == name)
    };
    let gone: Vec<String> = gone.iter().map(|g| g.object.to_string()).collect();
    if gone.iter().any(|name| pinned(name)) {
        super::sync::sync(context, false)?;
    }
    let _ = union;
    // Environments are rebuilt from their deps.
    for profile in context.profiles()?.names() {
        let generations = crate::env::Generations::new(context.project(), profile);
        if let Some(generation) = generations.current()?
            && gone.contains(&generation.object.to_string())
        {
            super::environment::ensure(context, profile)?;
        }
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
