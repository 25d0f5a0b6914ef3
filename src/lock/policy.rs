//! Whether a lock keeps what `[policy]` says. Pure, and fast enough for every command.
//!
//! Ages are not here: a lock does not say when something was published, and they only matter
//! while a version is chosen.

use std::collections::BTreeSet;
use std::fmt;

use super::model::{Lock, Row};
use super::requirements::Requirements;
use crate::base::{DepName, Platform, Proof, SourceRef, Version};
use crate::profile::model::{Policy, Requirement};

/// Something that a policy refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A dep comes from where none may come from.
    Source {
        /// The dep.
        dep: DepName,
        /// Where it comes from.
        from: SourceRef,
    },
    /// A row lacks a proof.
    Proof {
        /// The dep.
        dep: DepName,
        /// Its version.
        version: Version,
        /// The platforms whose rows lack it.
        platforms: Vec<Platform>,
        /// What is lacking.
        lacking: Proof,
        /// Whether the dep itself asks for it (`proof`, `minisign`, `cosign`), not the policy.
        by_dep: bool,
    },
}

/// What must vouch for a dep: what the policy asks of its source, and what the dep itself asks for.
pub fn required(policy: &Policy, requirement: &Requirement) -> BTreeSet<Proof> {
    let mut all = policy.required(requirement.from.kind());
    all.extend(own(requirement));
    all
}

/// A key or identity in a profile is a demand.
fn own(requirement: &Requirement) -> BTreeSet<Proof> {
    let mut own = requirement.proof.clone();
    own.extend(requirement.minisign.is_some().then_some(Proof::Minisign));
    own.extend(requirement.cosign.is_some().then_some(Proof::Cosign));
    own
}

/// Deps that may not come from where they are asked for from.
pub fn forbidden(requirements: &Requirements, policy: &Policy) -> Vec<Violation> {
    let bad = requirements.deps.iter().filter(|(_, wish)| !policy.allows(&wish.from));
    bad.map(|(dep, wish)| Violation::Source { dep: dep.clone(), from: wish.from.clone() }).collect()
}

/// Everything in a lock that the policy refuses.
pub fn violations(lock: &Lock, requirements: &Requirements, policy: &Policy) -> Vec<Violation> {
    let mut out = forbidden(requirements, policy);
    for (dep, wish) in &requirements.deps {
        let wanted = required(policy, wish);
        let Some(locked) = lock.deps.get(dep).filter(|_| !wanted.is_empty()) else { continue };
        let own = own(wish);
        for lacking in wanted {
            let lacks = |row: &Row| row.pin().is_some_and(|pin| !pin.verified.contains(&lacking));
            let rows = locked.platforms.iter().filter(|(_, row)| lacks(row));
            let platforms: Vec<_> = rows.map(|(platform, _)| *platform).collect();
            if !platforms.is_empty() {
                out.push(Violation::Proof {
                    dep: dep.clone(),
                    version: locked.version.clone(),
                    platforms,
                    lacking,
                    by_dep: own.contains(&lacking),
                });
            }
        }
    }
    out
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source { dep, from } => {
                write!(f, "`{dep}` comes from `{from}`, which `sources` does not list")
            }
            Self::Proof { dep, version, platforms, lacking, by_dep } => {
                let names: Vec<_> = platforms.iter().map(|p| p.name()).collect();
                let who = if *by_dep { "the dep asks for" } else { "`require` asks for" };
                let names = names.join(", ");
                write!(f, "`{dep}` {version} has no {lacking}, which {who} ({names})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::profile::model::{SourcePattern, Whom};

    #[test]
    fn says_what_is_lacking_and_where() {
        let (lock, mut wishes) = (fixture::lock(), fixture::requirements());
        assert_eq!(violations(&lock, &wishes, &Policy::default()), []);
        let policy = Policy {
            require: [(Whom::All, [Proof::PypiAttestation].into())].into(),
            ..Policy::default()
        };
        let found = violations(&lock, &wishes, &policy);
        let shown: Vec<_> = found.iter().map(ToString::to_string).collect();
        assert_eq!(shown.len(), 1, "`path:` needs none: {shown:?}");
        assert!(shown[0].starts_with("`nats-server` 2.15.1 has no pypi-attestation"), "{shown:?}");

        let only_npm = SourcePattern { kind: crate::base::SourceKind::Npm, package: None };
        let policy = Policy { sources: Some(vec![only_npm]), ..Policy::default() };
        assert!(matches!(&violations(&lock, &wishes, &policy)[..], [Violation::Source { .. }]));

        let nats = DepName::new("nats-server").expect("name");
        wishes.deps.get_mut(&nats).expect("dep").proof = [Proof::Cosign].into();
        let found = violations(&lock, &wishes, &Policy::default());
        assert!(matches!(&found[..], [Violation::Proof { by_dep: true, .. }]));
    }
}
