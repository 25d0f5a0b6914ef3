//! Removing a dep: from every profile that declares it, then from the lock. Needs no network.

use std::path::PathBuf;

use super::{Context, Error, Result, lock as lock_ops};
use crate::base::DepName;
use crate::fs;
use crate::lock::{self, Change};
use crate::profile::{Profiles, edit};

/// What was done.
#[derive(Clone, Debug)]
pub struct Removed {
    /// The profiles' files that declared it.
    pub files: Vec<PathBuf>,
    /// What changed in the lock.
    pub changes: Vec<Change>,
}

/// Removes a dep. When the profiles are not whole without it, they are put back as they were.
pub fn remove(context: &Context, name: &DepName) -> Result<Removed> {
    let profiles = context.profiles()?;
    let path = context.lock_path();
    let locked = lock::read_if_exists(&path)?;
    // One that only the lock still has: a removal was killed before it had written that.
    if !locked.as_ref().is_some_and(|lock| lock.deps.contains_key(name)) {
        lock_ops::known(name, profiles.union()?.requirements.keys())?;
    }
    let mut before: Vec<(PathBuf, String)> = Vec::new();
    for profile in profiles.iter() {
        let Some(file) = profile.files.first() else { continue };
        let text = fs::read_to_string(file)?;
        if let Ok(new) = edit::remove_dep(&text, name) {
            fs::write_atomic(file, new.as_bytes())?;
            before.push((file.clone(), text));
        }
    }
    // A service or a variable may still name the dep: then the error says where.
    if let Err(error) = Profiles::load(context.project()) {
        for (file, text) in &before {
            fs::write_atomic(file, text.as_bytes())?;
        }
        return Err(Error::StillUsed { name: name.clone(), source: Box::new(error) }.into());
    }
    let files = before.into_iter().map(|(file, _)| file).collect();
    let Some(old) = locked else {
        return Ok(Removed { files, changes: Vec::new() });
    };
    let mut new = old.clone();
    new.deps.remove(name);
    lock::write(&path, &new)?;
    Ok(Removed { files, changes: lock::diff(&old, &new) })
}
