//! What changed from one lock to another, in words for a reviewer.
//!
//! Pure. Invariant: equal locks give no change, different locks give at least one; a hash that
//! changed while the version did not is never folded into another change.

use std::collections::BTreeMap;
use std::fmt;

use super::model::{Lock, LockedDep, Pin, Row};
use super::proofs::{Shift, shifts};
use crate::base::{DepName, Platform, SourceRef, Version};

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A dep is new.
    Added {
        /// Its name.
        dep: DepName,
        /// Its version.
        version: Version,
    },
    /// A dep is gone.
    Removed {
        /// Its name.
        dep: DepName,
        /// The version it had.
        version: Version,
    },
    /// A dep comes from elsewhere.
    Source {
        /// Its name.
        dep: DepName,
        /// The old source.
        from: SourceRef,
        /// The new one.
        to: SourceRef,
    },
    /// A dep has another version.
    Version {
        /// Its name.
        dep: DepName,
        /// The old version.
        from: Version,
        /// The new one.
        to: Version,
    },
    /// The profiles ask in other words; rows may be the same.
    Requirement {
        /// Its name.
        dep: DepName,
    },
    /// A platform has a row that it had not.
    PlatformAdded {
        /// Its name.
        dep: DepName,
        /// The platform.
        platform: Platform,
    },
    /// A platform's row is gone.
    PlatformRemoved {
        /// Its name.
        dep: DepName,
        /// The platform.
        platform: Platform,
    },
    /// A platform that had nothing is served now.
    Available {
        /// Its name.
        dep: DepName,
        /// The platform.
        platform: Platform,
    },
    /// A platform is no longer served.
    Unavailable {
        /// Its name.
        dep: DepName,
        /// The platform.
        platform: Platform,
        /// Why.
        reason: String,
    },
    /// Other bytes under the same source and version. Nobody should do that upstream.
    SameVersionOtherBytes {
        /// Its name.
        dep: DepName,
        /// The version that both locks name.
        version: Version,
        /// The platform.
        platform: Platform,
        /// What it was: the artifact's hash, or the tree's.
        from: String,
        /// What it is.
        to: String,
    },
    /// Another file of the same version, e.g. a wheel for a newer libc.
    OtherFile {
        /// Its name.
        dep: DepName,
        /// The platform.
        platform: Platform,
        /// The old file.
        from: String,
        /// The new one.
        to: String,
    },
    /// A dep was built with another toolchain, or from other modules.
    Built {
        /// Its name.
        dep: DepName,
        /// Toolchain and version before; `None` when it was not built.
        from: Option<String>,
        /// The same now.
        to: Option<String>,
    },
    /// Something else vouches for it, or somebody else.
    Proof {
        /// Its name.
        dep: DepName,
        /// The platforms where it is so.
        platforms: Vec<Platform>,
        /// What changed.
        shift: Shift,
    },
    /// The same bytes, with other commands or needs.
    Details {
        /// Its name.
        dep: DepName,
        /// The platform.
        platform: Platform,
    },
}

impl Change {
    /// Whether a reviewer must not overlook it: bytes that changed without a new version, a
    /// platform that is no longer served, less proof or another signer.
    pub fn is_alarming(&self) -> bool {
        match self {
            Self::SameVersionOtherBytes { .. } | Self::Unavailable { .. } => true,
            Self::Proof { shift, .. } => shift.is_weaker(),
            _ => false,
        }
    }
}

/// Every change from `old` to `new`, by dep.
pub fn diff(old: &Lock, new: &Lock) -> Vec<Change> {
    let mut out = Vec::new();
    let names = old.deps.keys().chain(new.deps.keys()).collect::<std::collections::BTreeSet<_>>();
    for dep in names {
        match (old.deps.get(dep), new.deps.get(dep)) {
            (Some(old), Some(new)) => diff_dep(dep, old, new, &mut out),
            (Some(old), None) => {
                out.push(Change::Removed { dep: dep.clone(), version: old.version.clone() });
            }
            (None, Some(new)) => {
                out.push(Change::Added { dep: dep.clone(), version: new.version.clone() });
            }
            (None, None) => {}
        }
    }
    out
}

fn diff_dep(dep: &DepName, old: &LockedDep, new: &LockedDep, out: &mut Vec<Change>) {
    let start = out.len();
    if old.source != new.source {
        out.push(Change::Source {
            dep: dep.clone(),
            from: old.source.clone(),
            to: new.source.clone(),
        });
    }
    if old.version != new.version {
        out.push(Change::Version {
            dep: dep.clone(),
            from: old.version.clone(),
            to: new.version.clone(),
        });
    }
    let with = |locked: &LockedDep| {
        locked.build.as_ref().map(|build| format!("{} {}", build.toolchain, build.version))
    };
    if with(old) != with(new) {
        out.push(Change::Built { dep: dep.clone(), from: with(old), to: with(new) });
    }
    // A new version or source explains new bytes, and so does another toolchain.
    let same_release = out.len() == start;
    let mut shifted: BTreeMap<Shift, Vec<Platform>> = BTreeMap::new();
    let platforms = old.platforms.keys().chain(new.platforms.keys());
    for platform in platforms.collect::<std::collections::BTreeSet<_>>() {
        let (dep, platform) = (dep.clone(), *platform);
        match (old.platforms.get(&platform), new.platforms.get(&platform)) {
            (Some(Row::Pinned(a)), Some(Row::Pinned(b))) => {
                let found = if old.source == new.source { shifts(a, b) } else { Vec::new() };
                let is_told = !found.is_empty();
                found.into_iter().for_each(|s| shifted.entry(s).or_default().push(platform));
                if same_release && a != b {
                    let change = diff_pin(dep, platform, &new.version, new.build.is_some(), a, b);
                    // Other proofs are details that are told by themselves.
                    let told =
                        is_told && matches!(change, Change::Details { .. }) && same_else(a, b);
                    out.extend((!told).then_some(change));
                }
            }
            (Some(Row::Pinned(_)), Some(Row::Unavailable { reason })) => {
                out.push(Change::Unavailable { dep, platform, reason: reason.clone() });
            }
            (Some(Row::Unavailable { .. }), Some(Row::Pinned(_))) => {
                out.push(Change::Available { dep, platform });
            }
            (Some(Row::Unavailable { reason: a }), Some(Row::Unavailable { reason: b }))
                if same_release && a != b =>
            {
                out.push(Change::Details { dep, platform });
            }
            (Some(_), None) => out.push(Change::PlatformRemoved { dep, platform }),
            (None, Some(_)) => out.push(Change::PlatformAdded { dep, platform }),
            _ => {}
        }
    }
    for (shift, platforms) in shifted {
        out.push(Change::Proof { dep: dep.clone(), platforms, shift });
    }
    if (&old.build, &old.definition) != (&new.build, &new.definition) && out.len() == start {
        out.push(Change::Built { dep: dep.clone(), from: with(old), to: with(new) });
    }
    if old.requirement != new.requirement && out.len() == start {
        out.push(Change::Requirement { dep: dep.clone() });
    }
}

/// Whether two pins are the same but for who vouches.
fn same_else(a: &Pin, b: &Pin) -> bool {
    let proofs = (b.verified.clone(), b.first.clone(), b.attestations.clone());
    let (verified, first, attestations) = proofs;
    Pin { verified, first, attestations, ..a.clone() } == *b
}

fn diff_pin(
    dep: DepName,
    platform: Platform,
    version: &Version,
    built: bool,
    a: &Pin,
    b: &Pin,
) -> Change {
    let version = version.clone();
    match (&a.artifact, &b.artifact) {
        (Some(x), Some(y)) if x.file != y.file => {
            Change::OtherFile { dep, platform, from: x.file.clone(), to: y.file.clone() }
        }
        (Some(x), Some(y)) if x.integrity != y.integrity => Change::SameVersionOtherBytes {
            dep,
            version,
            platform,
            from: x.integrity.to_string(),
            to: y.integrity.to_string(),
        },
        // A package of a closure moved under the one that was asked for.
        (Some(x), Some(y)) if x == y && a.with != b.with => diff_with(dep, platform, version, a, b),
        // One toolchain makes one tree of one version.
        (None, None) if built && a.tree != b.tree => Change::SameVersionOtherBytes {
            dep,
            version,
            platform,
            from: a.tree.to_string(),
            to: b.tree.to_string(),
        },
        // A project's own directory is expected to change; what was unpacked otherwise is not news.
        (None, None) if a.tree != b.tree => {
            Change::OtherFile { dep, platform, from: a.tree.to_string(), to: b.tree.to_string() }
        }
        (Some(x), Some(y)) if a.tree != b.tree && x == y && a.bin == b.bin => {
            Change::SameVersionOtherBytes {
                dep,
                version,
                platform,
                from: a.tree.to_string(),
                to: b.tree.to_string(),
            }
        }
        _ => Change::Details { dep, platform },
    }
}

/// The first of the other artifacts that differs.
fn diff_with(dep: DepName, platform: Platform, version: Version, a: &Pin, b: &Pin) -> Change {
    let pair = (0..a.with.len().max(b.with.len()))
        .map(|at| (a.with.get(at), b.with.get(at)))
        .find(|(x, y)| x != y);
    let name = |one: Option<&super::model::Artifact>| {
        one.map_or("nothing", |a| a.file.as_str()).to_owned()
    };
    match pair {
        Some((Some(x), Some(y))) if x.file == y.file && x.integrity != y.integrity => {
            let (from, to) = (x.integrity.to_string(), y.integrity.to_string());
            Change::SameVersionOtherBytes { dep, version, platform, from, to }
        }
        Some((x, y)) if name(x) != name(y) => {
            Change::OtherFile { dep, platform, from: name(x), to: name(y) }
        }
        _ => Change::Details { dep, platform },
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { dep, version } => write!(f, "+ {dep} {version}"),
            Self::Removed { dep, version } => write!(f, "- {dep} {version}"),
            Self::Source { dep, from, to } => write!(f, "~ {dep}: from {from} to {to}"),
            Self::Version { dep, from, to } => write!(f, "~ {dep} {from} → {to}"),
            Self::Requirement { dep } => write!(f, "~ {dep}: asked for in other words"),
            Self::PlatformAdded { dep, platform } => write!(f, "+ {dep} ({platform})"),
            Self::PlatformRemoved { dep, platform } => write!(f, "- {dep} ({platform})"),
            Self::Available { dep, platform } => {
                write!(f, "~ {dep} ({platform}): available now")
            }
            Self::Unavailable { dep, platform, reason } => {
                write!(f, "! {dep} ({platform}): no longer available: {reason}")
            }
            Self::SameVersionOtherBytes { dep, version, platform, from, to } => write!(
                f,
                "! {dep} ({platform}): the bytes of {version} CHANGED under the same version: \
                 {from} → {to}"
            ),
            Self::OtherFile { dep, platform, from, to } => {
                write!(f, "~ {dep} ({platform}): {from} → {to}")
            }
            Self::Built { dep, from, to } if from == to => {
                write!(f, "~ {dep}: made from other inputs")
            }
            Self::Built { dep, from, to } => {
                let what = |it: &Option<String>| it.clone().unwrap_or_else(|| "nothing".to_owned());
                write!(f, "~ {dep}: built with {} → {}", what(from), what(to))
            }
            Self::Proof { dep, platforms, shift } => {
                let on: Vec<_> = platforms.iter().map(|platform| platform.name()).collect();
                let mark = if shift.is_weaker() { '!' } else { '~' };
                write!(f, "{mark} {dep} ({}): {}", on.join(", "), shift.words())
            }
            Self::Details { dep, platform } => {
                write!(f, "~ {dep} ({platform}): same bytes, other details")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::base::Integrity;
    use proptest::prelude::*;

    #[test]
    fn a_changed_hash_under_the_same_version_is_loud() {
        let old = fixture::lock();
        let mut new = old.clone();
        let nats = new.deps.get_mut(&DepName::new("nats-server").expect("name")).expect("dep");
        let Some(Row::Pinned(pin)) = nats.platforms.get_mut(&Platform::X86_64Linux) else {
            panic!("pinned")
        };
        pin.artifact.as_mut().expect("artifact").integrity = Integrity::sha256_of(b"evil");
        let changes = diff(&old, &new);
        assert_eq!(changes.len(), 1);
        assert!(changes[0].is_alarming());
        assert!(changes[0].to_string().contains("CHANGED under the same version"));
        nats_version(&mut new, "2.16.0");
        let changes: Vec<_> = diff(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(changes, ["~ nats-server 2.15.1 → 2.16.0"], "a new version explains new bytes");
    }

    #[test]
    fn another_toolchain_explains_other_bytes() {
        use super::super::model::Build;
        let tools = DepName::new("tools").expect("name");
        let lock = |version: &str, seed: u8, sums: &[&str]| {
            let mut lock = fixture::lock();
            let dep = lock.deps.get_mut(&tools).expect("dep");
            let sums = sums.iter().map(|s| (*s).to_owned()).collect();
            let toolchain = DepName::new("go").expect("name");
            dep.build = Some(Build { toolchain, version: version.to_owned(), sums });
            let pin = fixture::pin("tools", "0.1.0", seed, None);
            dep.platforms = [(Platform::X86_64Linux, Row::Pinned(Box::new(pin)))].into();
            lock
        };
        let said = |a: &Lock, b: &Lock| -> Vec<String> {
            diff(a, b).iter().map(ToString::to_string).collect()
        };
        let old = lock("1.26.6", 1, &[]);
        let with = "~ tools: built with go 1.26.6 → go 1.27.3";
        assert_eq!(said(&old, &lock("1.27.3", 2, &[])), [with]);
        assert_eq!(said(&old, &lock("1.26.6", 1, &["x"])), ["~ tools: made from other inputs"]);
        let changes = diff(&old, &lock("1.26.6", 2, &[]));
        assert!(changes[0].is_alarming(), "{changes:?}");
    }

    fn nats_version(lock: &mut Lock, version: &str) {
        lock.deps.get_mut(&DepName::new("nats-server").expect("name")).expect("dep").version =
            version.parse().expect("version");
    }

    #[test]
    fn adds_removes_and_platforms() {
        let full = fixture::lock();
        let changes: Vec<_> =
            diff(&Lock::default(), &full).iter().map(ToString::to_string).collect();
        assert_eq!(changes, ["+ nats-server 2.15.1", "+ tools 0.1.0"]);
        let mut fewer = full.clone();
        fewer.deps.pop_last();
        for dep in fewer.deps.values_mut() {
            dep.platforms.remove(&Platform::Aarch64Darwin);
        }
        let changes: Vec<_> = diff(&full, &fewer).iter().map(ToString::to_string).collect();
        assert_eq!(changes, ["- nats-server (aarch64-darwin)", "- tools 0.1.0"]);
    }

    proptest! {
        #[test]
        fn no_change_exactly_for_equal_locks(a in fixture::any_lock(), b in fixture::any_lock()) {
            prop_assert!(diff(&a, &a).is_empty());
            prop_assert_eq!(diff(&a, &b).is_empty(), a == b);
        }
    }
}
