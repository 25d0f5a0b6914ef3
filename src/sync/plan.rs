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
        /// What is laid over it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        with: Vec<More>,
    },
    /// Fetch its artifact (of several those that are missing), then unpack it.
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
        /// Whether it is in the cache, and only others are missing.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cached: bool,
        /// What is laid over it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        with: Vec<More>,
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

/// One of several artifacts of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct More {
    /// Its file name.
    pub artifact: String,
    /// Bytes.
    pub size: u64,
    /// What its bytes must hash to.
    pub integrity: Integrity,
    /// Whether it is in the cache.
    pub cached: bool,
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

    /// Bytes of the artifacts that it reads; 0 where there is none.
    pub fn size(&self) -> u64 {
        match self {
            Self::Unpack { size, with, .. } | Self::Fetch { size, with, .. } => {
                with.iter().map(|more| more.size).fold(*size, u64::saturating_add)
            }
            Self::Present { .. } | Self::Build { .. } | Self::CopyDirectory { .. } => 0,
        }
    }

    /// The artifacts that have to be fetched: file name, bytes and hash.
    pub fn missing(&self) -> Vec<(&str, u64, &Integrity)> {
        let Self::Fetch { artifact, size, integrity, cached, with, .. } = self else {
            return Vec::new();
        };
        let mut out = Vec::new();
        if !cached {
            out.push((artifact.as_str(), *size, integrity));
        }
        for More { artifact, size, integrity, cached } in with {
            // An image may have the same layer twice.
            if !cached && out.iter().all(|(_, _, other)| *other != integrity) {
                out.push((artifact.as_str(), *size, integrity));
            }
        }
        out
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
        let missing = self.steps.iter().chain(&self.tools).flat_map(Step::missing);
        missing.map(|(_, size, _)| size).fold(0, u64::saturating_add)
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
            let cached = presence.has_artifact(&artifact.integrity)?;
            let mut with = Vec::new();
            for more in &pin.with {
                with.push(More {
                    artifact: more.file.clone(),
                    size: more.size,
                    integrity: more.integrity.clone(),
                    cached: presence.has_artifact(&more.integrity)?,
                });
            }
            if cached && with.iter().all(|more| more.cached) {
                Step::Unpack { dep, version, object, artifact: file, size, with }
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
                    cached,
                    with,
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
            Self::Unpack { dep, version, artifact, with, .. } => {
                write!(f, "unpack   {dep} {version} from the cached {artifact}")?;
                match with.len() {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::Fetch { dep, version, source, with, .. } if !with.is_empty() => {
                let (missing, all) = (self.missing(), with.len() + 1);
                let size: u64 = missing.iter().map(|(_, size, _)| size).sum();
                let n = missing.len();
                write!(
                    f,
                    "fetch    {dep} {version}: {n} of {all} files ({size} bytes) from {source}"
                )
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
