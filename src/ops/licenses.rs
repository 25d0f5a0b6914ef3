//! Which licence each dep says it has, from its own tree in the store.

use serde::Serialize;

use super::{Context, Result};
use crate::base::{DepName, Platform, Version};
use crate::exchange::licence::{self, Licence};
use crate::lock::{LockedDep, Row};
use crate::store::Store;

/// A dep and its licence.
#[derive(Clone, Debug, Serialize)]
pub struct Dep {
    /// Its name.
    pub name: DepName,
    /// Its version.
    pub version: Version,
    /// What its tree says; absent when no tree of it is in the store.
    #[serde(flatten)]
    pub found: Option<Licence>,
}

/// Every dep of the lock.
pub fn list(context: &Context) -> Result<Vec<Dep>> {
    let store = context.store();
    let mut out = Vec::new();
    for (name, locked) in &context.lock()?.deps {
        let found = of(&store, locked)?;
        out.push(Dep { name: name.clone(), version: locked.version.clone(), found });
    }
    Ok(out)
}

/// What a dep's tree says: this host's, else any that is in the store.
pub(super) fn of(store: &Store, locked: &LockedDep) -> Result<Option<Licence>> {
    let host = locked.platforms.get(&Platform::host());
    for pin in host.into_iter().chain(locked.platforms.values()).filter_map(Row::pin) {
        if let Some(object) = store.get(&pin.object)? {
            return Ok(Some(licence::read(object.path())?));
        }
    }
    Ok(None)
}
