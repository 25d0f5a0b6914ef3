//! Listing deps, and where one lies.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Error, Result};
use crate::base::{DepName, Integrity, ObjectName, Platform, SourceRef, TreeHash, Version};
use crate::binary::Needs;
use crate::lock::{LockedDep, Proof, Row};

/// A dep of the lock.
#[derive(Clone, Debug, Serialize)]
pub struct Dep {
    /// Its project-local name.
    pub name: DepName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: SourceRef,
    /// Whether this host's object is in the store.
    pub present: bool,
    /// Commands it offers on this host.
    pub commands: Vec<String>,
    /// Every platform's row.
    pub platforms: BTreeMap<Platform, PlatformRow>,
}

/// A row of the lock, for people and scripts.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum PlatformRow {
    /// Pinned.
    Pinned(Box<PinnedRow>),
    /// Not there.
    Unavailable {
        /// Why.
        unavailable: String,
    },
}

/// A pinned row.
#[derive(Clone, Debug, Serialize)]
pub struct PinnedRow {
    /// The artifact's file name; absent for a directory of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// Its bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Its hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrity: Option<Integrity>,
    /// What is laid over it: layers of an image, packages of a closure.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<MoreArtifact>,
    /// NAR hash of the tree.
    pub tree: TreeHash,
    /// The same in Nix base-32, as `nix-hash --type sha256 --base32` prints it.
    pub tree_nix32: String,
    /// Its object.
    pub object: ObjectName,
    /// What it expects of the host; absent when static.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Needs>,
    /// What vouched for it.
    pub verified: Vec<Proof>,
}

/// One of several artifacts of a row.
#[derive(Clone, Debug, Serialize)]
pub struct MoreArtifact {
    /// Its file name.
    pub artifact: String,
    /// Its bytes.
    pub size: u64,
    /// Its hash.
    pub integrity: Integrity,
}

impl Dep {
    /// How many platforms are pinned.
    pub fn pinned_count(&self) -> usize {
        self.platforms.values().filter(|r| matches!(r, PlatformRow::Pinned(_))).count()
    }
}

/// Every dep of the lock, by name.
pub fn list(context: &Context) -> Result<Vec<Dep>> {
    let store = context.store();
    let lock = context.lock()?;
    let mut deps = Vec::new();
    for (name, dep) in lock.deps {
        let here = dep.platforms.get(&Platform::host()).and_then(Row::pin);
        let present = match here {
            Some(pin) => store.get(&pin.object)?.is_some(),
            None => false,
        };
        let commands = here.map(|pin| pin.bin.keys().map(ToString::to_string).collect());
        let LockedDep { source, version, platforms, .. } = dep;
        let platforms = platforms.into_iter().map(|(p, row)| (p, platform_row(row))).collect();
        let commands = commands.unwrap_or_default();
        deps.push(Dep { name, version, source, present, commands, platforms });
    }
    Ok(deps)
}

fn platform_row(row: Row) -> PlatformRow {
    match row {
        Row::Unavailable { reason } => PlatformRow::Unavailable { unavailable: reason },
        Row::Pinned(pin) => PlatformRow::Pinned(Box::new(PinnedRow {
            artifact: pin.artifact.as_ref().map(|a| a.file.clone()),
            size: pin.artifact.as_ref().map(|a| a.size),
            integrity: pin.artifact.as_ref().map(|a| a.integrity.clone()),
            with: pin
                .with
                .iter()
                .map(|a| MoreArtifact {
                    artifact: a.file.clone(),
                    size: a.size,
                    integrity: a.integrity.clone(),
                })
                .collect(),
            tree: pin.tree,
            tree_nix32: pin.tree.nix32(),
            object: pin.object,
            needs: pin.needs,
            verified: pin.verified,
        })),
    }
}

/// Where a dep's object lies for this host.
pub fn path(context: &Context, name: &DepName) -> Result<PathBuf> {
    let lock = context.lock()?;
    super::lock::known(name, lock.deps.keys())?;
    let platform = Platform::host();
    let row = lock.deps.get(name).and_then(|dep| dep.platforms.get(&platform));
    match row {
        Some(Row::Pinned(pin)) => match context.store().get(&pin.object)? {
            Some(object) => Ok(object.path().to_owned()),
            None => Err(Error::NotSynced { name: name.clone() }.into()),
        },
        Some(Row::Unavailable { reason }) => {
            let (name, reason) = (name.clone(), reason.clone());
            Err(Error::Unavailable { name, platform, reason }.into())
        }
        None => {
            let reason = "the lock has no row for it".to_owned();
            Err(Error::Unavailable { name: name.clone(), platform, reason }.into())
        }
    }
}
