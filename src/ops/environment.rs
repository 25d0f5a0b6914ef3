//! Making an environment current: what every command that uses one begins with.
//!
//! Invariant: the environment that is returned is registered in the store, with everything it links
//! to; its own object is as it was registered; and it is what the project's files ask for now (or
//! what a roll-back chose).

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::Timestamp;

use super::{Context, Error, Result, sync};
use crate::base::{DepName, EnvName, ObjectName, Platform, Quiet, TreeHash};
use crate::env::switch::Change;
use crate::env::{self, Generation, Generations, Inputs, Manifest};
use crate::profile;
use crate::store::{CheckLevel, ObjectPath, Store};

/// An environment that is current.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its object.
    pub object: ObjectPath,
    /// Its digest: the object's tree hash.
    pub digest: TreeHash,
    /// Its generation in this project.
    pub generation: u64,
    /// What it is.
    pub manifest: Manifest,
}

impl Environment {
    /// Its own object and every object it links to.
    pub fn objects(&self) -> BTreeSet<ObjectName> {
        let deps = self.manifest.deps.values().map(|dep| dep.object.clone());
        deps.chain([self.object.name().clone()]).collect()
    }
}

/// The current environment if nothing has to change; no network, no hashing of trees.
pub fn current(context: &Context, name: &EnvName) -> Result<Option<Environment>> {
    let store = context.store();
    match Generations::new(context.project(), name).fresh(&store, Platform::host())? {
        Some(generation) => usable(&store, &generation),
        None => Ok(None),
    }
}

/// The current environment, built (and its deps fetched) first where that is needed.
pub fn ensure(context: &Context, name: &EnvName) -> Result<Environment> {
    match current(context, name)? {
        Some(environment) => Ok(environment),
        None => build(context, name),
    }
}

/// Like [`current`], but an error that says what to do when it would have to be built.
pub fn require(context: &Context, name: &EnvName) -> Result<Environment> {
    if let Some(environment) = current(context, name)? {
        return Ok(environment);
    }
    // A wrong name or a broken profile explains more than "not built".
    profile::Profiles::load_one(context.project(), name)?;
    Err(Error::NotCurrent { name: name.clone() }.into())
}

/// A generation whose object, and every object it links to, is registered here. Its own object is
/// checked: it is a few links and small files, and says what everything else is.
pub(super) fn usable(store: &Store, generation: &Generation) -> Result<Option<Environment>> {
    let Some(object) = generation.registered(store)? else { return Ok(None) };
    store.check(&object, CheckLevel::Quick)?;
    let manifest = generation.manifest()?;
    for dep in manifest.deps.values() {
        if store.get(&dep.object)?.is_none() {
            return Ok(None);
        }
    }
    let digest = *object.tree();
    Ok(Some(Environment { object, digest, generation: generation.number, manifest }))
}

/// Checks every object that the environment links to.
pub(super) fn check(store: &Store, environment: &Environment) -> Result<()> {
    for dep in environment.manifest.deps.keys() {
        check_dep(store, environment, dep)?;
    }
    Ok(())
}

/// Checks the object of one dep of the environment.
pub(super) fn check_dep(store: &Store, environment: &Environment, dep: &DepName) -> Result<()> {
    match environment.manifest.deps.get(dep) {
        Some(dep) => {
            let missing = || crate::store::Error::Missing { object: dep.object.clone() };
            let object = store.get(&dep.object)?.ok_or_else(missing)?;
            Ok(store.check(&object, CheckLevel::Quick)?)
        }
        None => Ok(()),
    }
}

/// The environment that [`ensure`] would give, without making it current.
pub fn preview(context: &Context, name: &EnvName) -> Result<Environment> {
    if let Some(environment) = current(context, name)? {
        return Ok(environment);
    }
    let _pause = context.store().pause_gc(&Quiet)?;
    let made = make(context, name)?;
    let now = Generations::new(context.project(), name).list()?;
    let generation = now.iter().map(|g| g.number).max().unwrap_or(0) + 1;
    let digest = *made.object.tree();
    Ok(Environment { object: made.object, digest, generation, manifest: made.manifest })
}

/// The environment that the name points at now, whatever the project's files say; `None` when it
/// was never built, or parts of it are not in the store.
pub(super) fn pointed_at(context: &Context, name: &EnvName) -> Result<Option<Environment>> {
    match Generations::new(context.project(), name).current()? {
        Some(generation) => usable(&context.store(), &generation),
        None => Ok(None),
    }
}

fn build(context: &Context, name: &EnvName) -> Result<Environment> {
    let store = context.store();
    // Nothing added from here on is collected before the generation's root is there.
    let _pause = store.pause_gc(&Quiet)?;
    let Made { object, inputs, manifest } = make(context, name)?;
    let change = Change {
        inputs: &inputs,
        now: Timestamp::now(),
        wait: context.settings().lock_timeout.value,
        reporter: context.reporter(),
    };
    let switched = Generations::new(context.project(), name).switch(&store, &object, &change)?;
    let digest = *object.tree();
    let generation = switched.generation.number;
    Ok(Environment { object, digest, generation, manifest })
}

/// An environment's object, not current yet.
struct Made {
    object: ObjectPath,
    inputs: Inputs,
    manifest: Manifest,
}

/// Builds the object; what is added to the store on the way must be kept from collection.
fn make(context: &Context, name: &EnvName) -> Result<Made> {
    let project = context.project();
    let platform = Platform::host();
    let store = context.store();
    // Inputs are taken before what is built from is read: an edit while we build shows as not
    // current afterwards, never as current.
    let files: Vec<PathBuf> = profile::source_files(project, name)?;
    let etc = profile::Profiles::load_one(project, name)?.etc;
    let inputs = Inputs::collect(project, &files, &context.lock_path(), &etc, platform)?;
    let profile = profile::Profiles::load_one(project, name)?;
    let (lock, union) = super::lock::fresh(context)?;
    let locate = |path: &[&str]| profile::locate(project, name, path);
    let resolved = env::resolve(&profile, &lock, platform, &locate)?;
    let objects = sync::fetch(context, &lock, &union, profile.deps.keys())?;
    let bytes = env::build::read_files(project, &profile.etc)?;
    let object = env::build::build(&store, &resolved, &objects, bytes)?;
    Ok(Made { object, inputs, manifest: resolved.manifest })
}
