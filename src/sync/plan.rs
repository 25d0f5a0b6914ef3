//! What has to happen for a lock's deps to be in the store. Pure: lock × presence × platform.
//!
//! Only the deps that are wanted count: a dep that this platform cannot have is no error until an
//! environment wants it. Invariant: one step for each wanted dep, sorted by name; a step says
//! everything that a `--dry-run` shows.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::error::{Error, Missing, Result};
use crate::base::{DepName, Integrity, ObjectName, Platform, SourceRef, Version};
use crate::lock::model::{Lock, Row};
use crate::store::{self, Store};

/// What is on this machine already.
pub trait Presence {
    /// Whether the store has an object.
    fn has_object(&self, object: &ObjectName) -> Result<bool, store::Error>;
    /// Whether the artifact cache has a file of this hash.
    fn has_artifact(&self, integrity: &Integrity) -> Result<bool, store::Error>;
}

impl Presence for Store {
    fn has_object(&self, object: &ObjectName) -> Result<bool, store::Error> {
        Ok(self.get(object)?.is_some())
    }

    fn has_artifact(&self, integrity: &Integrity) -> Result<bool, store::Error> {
        self.artifacts().contains(integrity)
    }
}

/// The steps for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The platform.
    pub platform: Platform,
    /// One for each wanted dep, by name.
    pub steps: Vec<Step>,
}

/// What happens to one dep.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Its object is in the store.
    Present {
        /// Its name.
        dep: DepName,
        /// Its version.
        version: Version,
        /// Its object.
        object: ObjectName,
    },
    /// Its artifact is in the cache: unpack it.
    Unpack {
        /// Its name.
        dep: DepName,
        /// Its version.
        version: Version,
        /// The object to make.
        object: ObjectName,
        /// The artifact's file name.
        artifact: String,
        /// Bytes.
        size: u64,
    },
    /// Fetch its artifact, then unpack it.
    Fetch {
        /// Its name.
        dep: DepName,
        /// Its version.
        version: Version,
        /// The object to make.
        object: ObjectName,
        /// Where it comes from.
        source: SourceRef,
        /// The artifact's file name.
        artifact: String,
        /// Bytes.
        size: u64,
        /// What its bytes must hash to.
        integrity: Integrity,
    },
    /// Copy a directory of the project.
    CopyDirectory {
        /// Its name.
        dep: DepName,
        /// Its version.
        version: Version,
        /// The object to make.
        object: ObjectName,
        /// The directory, relative to the project.
        path: String,
    },
}

impl Step {
    /// The dep it is about.
    pub fn dep(&self) -> &DepName {
        match self {
            Self::Present { dep, .. }
            | Self::Unpack { dep, .. }
            | Self::Fetch { dep, .. }
            | Self::CopyDirectory { dep, .. } => dep,
        }
    }

    /// Bytes of the artifact that it reads; 0 where there is none.
    pub fn size(&self) -> u64 {
        match self {
            Self::Unpack { size, .. } | Self::Fetch { size, .. } => *size,
            Self::Present { .. } | Self::CopyDirectory { .. } => 0,
        }
    }

    /// The object that is there afterwards.
    pub fn object(&self) -> &ObjectName {
        match self {
            Self::Present { object, .. }
            | Self::Unpack { object, .. }
            | Self::Fetch { object, .. }
            | Self::CopyDirectory { object, .. } => object,
        }
    }
}

impl Plan {
    /// Whether everything is there: nothing needs a runtime, a network or a thread.
    pub fn is_done(&self) -> bool {
        self.steps.iter().all(|step| matches!(step, Step::Present { .. }))
    }

    /// Bytes to download.
    pub fn download_size(&self) -> u64 {
        let size = |step: &Step| match step {
            Step::Fetch { size, .. } => *size,
            _ => 0,
        };
        self.steps.iter().map(size).fold(0, u64::saturating_add)
    }
}

/// Plans for the `wanted` deps on one platform.
///
/// # Errors
/// [`Error::NotLocked`], [`Error::NoRow`] and [`Error::Unavailable`], each naming every dep it is
/// true of.
pub fn plan(
    lock: &Lock,
    wanted: &BTreeSet<DepName>,
    platform: Platform,
    presence: &dyn Presence,
) -> Result<Plan> {
    let mut unlocked = Vec::new();
    let mut rowless = Vec::new();
    let mut missing = Vec::new();
    let mut pins = Vec::new();
    for dep in wanted {
        let Some(locked) = lock.deps.get(dep) else {
            unlocked.push(dep.clone());
            continue;
        };
        match locked.platforms.get(&platform) {
            None => rowless.push(dep.clone()),
            Some(Row::Unavailable { reason }) => missing.push(Missing {
                dep: dep.clone(),
                version: locked.version.clone(),
                reason: reason.clone(),
            }),
            Some(Row::Pinned(pin)) => pins.push((dep, locked, pin)),
        }
    }
    if !unlocked.is_empty() {
        return Err(Error::NotLocked { deps: unlocked });
    }
    if !rowless.is_empty() {
        return Err(Error::NoRow { platform, deps: rowless });
    }
    if !missing.is_empty() {
        return Err(Error::Unavailable { platform, missing });
    }
    let mut steps = Vec::with_capacity(pins.len());
    for (dep, locked, pin) in pins {
        let (dep, version, object) = (dep.clone(), locked.version.clone(), pin.object.clone());
        let step = if presence.has_object(&object)? {
            Step::Present { dep, version, object }
        } else if let Some(artifact) = &pin.artifact {
            let (file, size) = (artifact.file.clone(), artifact.size);
            if presence.has_artifact(&artifact.integrity)? {
                Step::Unpack { dep, version, object, artifact: file, size }
            } else {
                Step::Fetch {
                    dep,
                    version,
                    object,
                    source: locked.source.clone(),
                    artifact: file,
                    size,
                    integrity: artifact.integrity.clone(),
                }
            }
        } else {
            let path = locked.source.package().to_owned();
            Step::CopyDirectory { dep, version, object, path }
        };
        steps.push(step);
    }
    Ok(Plan { platform, steps })
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present { dep, version, .. } => write!(f, "present  {dep} {version}"),
            Self::Unpack { dep, version, artifact, .. } => {
                write!(f, "unpack   {dep} {version} from the cached {artifact}")
            }
            Self::Fetch { dep, version, source, artifact, size, .. } => {
                write!(f, "fetch    {dep} {version}: {artifact} ({size} bytes) from {source}")
            }
            Self::CopyDirectory { dep, version, path, .. } => {
                write!(f, "copy     {dep} {version} from {path}")
            }
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
