//! Environments, their deps and the deps' commands, with what each takes on disk.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Context, Result};
use crate::base::{CommandName, DepName, EnvName, ObjectName, Platform, SourceRef, Version};
use crate::lock::Row;

/// An environment.
#[derive(Clone, Debug, Serialize)]
pub struct Environment {
    /// Its name.
    pub name: EnvName,
    /// Its deps.
    pub deps: Vec<Dep>,
    /// Bytes of their objects that are in the store.
    pub bytes: u64,
}

/// A dep of an environment, on this host.
#[derive(Clone, Debug, Serialize)]
pub struct Dep {
    /// Its name.
    pub name: DepName,
    /// Where it comes from.
    pub source: SourceRef,
    /// Its version; absent when it is not locked.
    pub version: Option<Version>,
    /// Why there is nothing for this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// Bytes of its object; absent when it is not in the store.
    pub bytes: Option<u64>,
    /// Its commands.
    pub commands: Vec<CommandName>,
}

/// Every environment, or those named.
pub fn tree(context: &Context, names: &[EnvName]) -> Result<Vec<Environment>> {
    let profiles = context.profiles()?;
    let lock = context.lock()?;
    let mut sizes: BTreeMap<ObjectName, u64> = BTreeMap::new();
    for registration in context.store().objects()? {
        // An unreadable one is `store verify`'s business.
        let Ok(registration) = registration else { continue };
        sizes.insert(registration.object, registration.nar_size);
    }
    let chosen: Vec<&EnvName> =
        if names.is_empty() { profiles.names().collect() } else { names.iter().collect() };
    let mut out = Vec::new();
    for name in chosen {
        let mut deps = Vec::new();
        for (dep, requirement) in &profiles.get(name)?.deps {
            let locked = lock.deps.get(dep);
            let row = locked.and_then(|l| l.platforms.get(&Platform::host()));
            let pin = row.and_then(Row::pin);
            deps.push(Dep {
                name: dep.clone(),
                source: requirement.from.clone(),
                version: locked.map(|l| l.version.clone()),
                unavailable: match row {
                    Some(Row::Unavailable { reason }) => Some(reason.clone()),
                    _ => None,
                },
                bytes: pin.and_then(|pin| sizes.get(&pin.object).copied()),
                commands: pin.map(|pin| pin.bin.keys().cloned().collect()).unwrap_or_default(),
            });
        }
        let bytes = deps.iter().filter_map(|d| d.bytes).sum();
        out.push(Environment { name: name.clone(), deps, bytes });
    }
    Ok(out)
}
