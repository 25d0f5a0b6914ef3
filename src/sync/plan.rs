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
use crate::build::Line;
use crate::lock::model::{Lock, LockedDep, Pin, Row};
use crate::store::{self, Store};

/// What is on this machine already.
pub trait Presence {
    /// Whether the store has an object.
    fn has_object(&self, object: &ObjectName) -> Result<bool, store::Error>;
    /// Whether the artifact cache has a file of this hash.
    fn has_artifact(&self, integrity: &Integrity) -> Result<bool, store::Error>;
    /// Whether the file of a module is kept; its path is that below a proxy.
    fn has_module(&self, file: &str) -> Result<bool, store::Error>;
}

impl Presence for Store {
    fn has_object(&self, object: &ObjectName) -> Result<bool, store::Error> {
        Ok(self.get(object)?.is_some())
    }

    fn has_artifact(&self, integrity: &Integrity) -> Result<bool, store::Error> {
        self.artifacts().contains(integrity)
    }

    fn has_module(&self, file: &str) -> Result<bool, store::Error> {
        self.artifacts().has_go(&format!("modules/{file}"))
    }
}

/// The steps for one platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The platform.
    pub platform: Platform,
    /// One for each wanted dep, by name.
    pub steps: Vec<Step>,
    /// What builds some of them and is neither wanted itself nor there, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Step>,
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
    /// Build it from its modules.
    Build {
        /// Its name.
        dep: DepName,
        /// Its version.
        version: Version,
        /// The object to make.
        object: ObjectName,
        /// What is built.
        source: SourceRef,
        /// The dep that builds it.
        toolchain: DepName,
        /// Its version.
        with: String,
        /// Files of modules that are to be fetched.
        modules: usize,
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
            | Self::Build { dep, .. }
            | Self::CopyDirectory { dep, .. } => dep,
        }
    }

    /// Bytes of the artifact that it reads; 0 where there is none.
    pub fn size(&self) -> u64 {
        match self {
            Self::Unpack { size, .. } | Self::Fetch { size, .. } => *size,
            Self::Present { .. } | Self::Build { .. } | Self::CopyDirectory { .. } => 0,
        }
    }

    /// The object that is there afterwards.
    pub fn object(&self) -> &ObjectName {
        match self {
            Self::Present { object, .. }
            | Self::Unpack { object, .. }
            | Self::Fetch { object, .. }
            | Self::Build { object, .. }
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
        self.steps.iter().chain(&self.tools).map(size).fold(0, u64::saturating_add)
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
        steps.push(step(dep, locked, pin, presence)?);
    }
    let mut tools = BTreeSet::new();
    for step in &steps {
        if let Step::Build { toolchain, .. } = step
            && !wanted.contains(toolchain)
        {
            tools.insert(toolchain);
        }
    }
    let mut needed = Vec::new();
    for toolchain in tools {
        // Whether it can be had here at all is told when something is to be built with it.
        let Some(locked) = lock.deps.get(toolchain) else { continue };
        let Some(pin) = locked.platforms.get(&platform).and_then(Row::pin) else { continue };
        let step = step(toolchain, locked, pin, presence)?;
        if !matches!(step, Step::Present { .. }) {
            needed.push(step);
        }
    }
    Ok(Plan { platform, steps, tools: needed })
}

/// What happens to one dep.
fn step(dep: &DepName, locked: &LockedDep, pin: &Pin, presence: &dyn Presence) -> Result<Step> {
    let (dep, version, object) = (dep.clone(), locked.version.clone(), pin.object.clone());
    let source = || locked.source.clone();
    if presence.has_object(&object)? {
        return Ok(Step::Present { dep, version, object });
    }
    Ok(match (&pin.artifact, &locked.build) {
        (Some(artifact), _) => {
            let (file, size) = (artifact.file.clone(), artifact.size);
            if presence.has_artifact(&artifact.integrity)? {
                Step::Unpack { dep, version, object, artifact: file, size }
            } else {
                let integrity = artifact.integrity.clone();
                Step::Fetch {
                    dep,
                    version,
                    object,
                    source: source(),
                    artifact: file,
                    size,
                    integrity,
                }
            }
        }
        (None, Some(build)) => {
            let mut modules = 0;
            for line in build.sums.iter().filter_map(|text| Line::read(text)) {
                modules += usize::from(!presence.has_module(&line.file())?);
            }
            let (toolchain, with) = (build.toolchain.clone(), build.version.clone());
            Step::Build { dep, version, object, source: source(), toolchain, with, modules }
        }
        (None, None) => {
            let path = locked.source.package().to_owned();
            Step::CopyDirectory { dep, version, object, path }
        }
    })
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
            Self::Build { dep, version, source, toolchain, with, modules, .. } => {
                write!(f, "build    {dep} {version} from {source} with {toolchain} {with}")?;
                match modules {
                    0 => Ok(()),
                    1 => write!(f, ", 1 module file to fetch"),
                    n => write!(f, ", {n} module files to fetch"),
                }
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
