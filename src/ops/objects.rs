//! Objects of the store by what people call them: why they stay, keeping them, storing them once.

use std::path::{Path, PathBuf};

use super::{Context, Error, Result};
use crate::base::{DepName, EnvName, ObjectName, Platform};
use crate::env::Generations;
use crate::fs;
use crate::lock::Row;
use crate::store::{Kept, OptimiseOptions, OptimiseReport, Root};

/// The object that a word means: a path in the store, a dep of this project, an environment of it,
/// an object's name, or the beginning of its digest.
///
/// # Errors
/// Nothing is called so, or several objects are.
pub fn find(context: &Context, word: &str) -> Result<ObjectName> {
    let store = context.store();
    if word.contains('/') {
        return by_path(context, Path::new(word));
    }
    if let Ok(dep) = word.parse::<DepName>()
        && let Ok(lock) = context.lock()
        && let Some(locked) = lock.deps.get(&dep)
    {
        let pin = locked.platforms.get(&Platform::host()).and_then(Row::pin);
        let pin = pin.ok_or_else(|| Error::NotSynced { name: dep.clone() })?;
        let object = store.get(&pin.object)?.ok_or(Error::NotSynced { name: dep })?;
        return Ok(object.name().clone());
    }
    if let Ok(name) = word.parse::<EnvName>()
        && let Ok(Some(generation)) = Generations::new(context.project(), &name).current()
        && let Some(object) = generation.registered(&store)?
    {
        return Ok(object.name().clone());
    }
    Ok(store.find(word)?)
}

fn by_path(context: &Context, path: &Path) -> Result<ObjectName> {
    let given = context.cwd().join(path);
    // Through every link: `.infra/env/dev` and `result/bin/tool` lead into the store.
    let real = fs::canonicalize(&given)?;
    let root = fs::canonicalize(context.store().root())?.join("store");
    let name = real.strip_prefix(&root).ok().and_then(|below| below.iter().next()?.to_str());
    match name {
        Some(name) => Ok(context.store().find(name)?),
        None => Err(Error::NotInStore { path: given, store: root }.into()),
    }
}

/// What keeps an object.
pub fn why(context: &Context, word: &str) -> Result<(ObjectName, Vec<Kept>)> {
    let object = find(context, word)?;
    let kept = context.store().why(&object)?;
    Ok((object, kept))
}

/// Everything that keeps objects, and the project's directory that a link lies in, for people.
pub fn roots(context: &Context) -> Result<Vec<Root>> {
    Ok(context.store().roots()?)
}

/// Keeps an object under a name; gives the name, the object, and what the name kept before.
pub fn pin(
    context: &Context,
    word: &str,
    name: Option<&str>,
) -> Result<(String, ObjectName, Option<ObjectName>)> {
    let object = find(context, word)?;
    let name = name.unwrap_or_else(|| object.name()).to_owned();
    let before = context.store().pin(&name, &object)?;
    Ok((name, object, before))
}

/// Removes a pin.
pub fn unpin(context: &Context, name: &str) -> Result<ObjectName> {
    Ok(context.store().unpin(name)?)
}

/// Stores identical files once.
pub fn optimise(context: &Context, options: &OptimiseOptions) -> Result<OptimiseReport> {
    let bar = context.reporter().begin("optimising", None);
    Ok(context.store().optimise(options, bar.as_ref())?)
}

/// The project a root's link lies in, when it is one of a generation.
pub fn project_of(link: &Path) -> Option<(PathBuf, String)> {
    let (generations, number) = Generations::of_link(link)?;
    Some((generations.project().to_owned(), format!("{} generation {number}", generations.name())))
}
