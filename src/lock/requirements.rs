//! What all profiles of a project ask for together: the lock's only input from them.
//!
//! Invariant: two values with the same [`Requirements::summary`] are answered by the same rows.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{DepName, Integrity, Platform};
use crate::profile::model::Requirement;

/// The wishes that a lock answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Requirements {
    /// What is asked for, by project-local name.
    pub deps: BTreeMap<DepName, Requirement>,
    /// The platforms that the profiles declare.
    pub platforms: BTreeSet<Platform>,
}

impl Requirements {
    /// The platforms one dep is locked for: those declared, or the part of them that the
    /// requirement names.
    pub fn platforms_of(&self, requirement: &Requirement) -> BTreeSet<Platform> {
        match &requirement.platforms {
            Some(only) => self.platforms.intersection(only).copied().collect(),
            None => self.platforms.clone(),
        }
    }

    /// One hash over everything asked for; equals [`super::Lock::summary`] of a fresh lock.
    pub fn summary(&self) -> Integrity {
        summary(self.deps.iter().map(|(dep, requirement)| {
            (dep, requirement.canonical(), self.platforms_of(requirement))
        }))
    }
}

/// Hashes one line per dep: its name, its requirement, the platforms it is locked for.
pub(super) fn summary<'a>(
    lines: impl Iterator<Item = (&'a DepName, String, BTreeSet<Platform>)>,
) -> Integrity {
    let mut text = String::new();
    for (dep, requirement, platforms) in lines {
        text.push_str(dep.as_str());
        text.push('\t');
        text.push_str(&requirement);
        for platform in platforms {
            text.push('\t');
            text.push_str(platform.name());
        }
        text.push('\n');
    }
    Integrity::sha256_of(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;

    #[test]
    fn a_dep_may_want_fewer_platforms_never_more() {
        let mut requirements = fixture::requirements();
        requirements.platforms = [Platform::X86_64Linux, Platform::Aarch64Linux].into();
        let mut requirement = fixture::requirement("pypi:a", "1");
        assert_eq!(requirements.platforms_of(&requirement), requirements.platforms);
        requirement.platforms = Some([Platform::X86_64Linux, Platform::X86_64Windows].into());
        assert_eq!(requirements.platforms_of(&requirement), [Platform::X86_64Linux].into());
    }

    #[test]
    fn the_summary_moves_with_every_wish() {
        let base = fixture::requirements();
        let mut other = base.clone();
        other.platforms.remove(&Platform::X86_64Windows);
        assert_ne!(base.summary(), other.summary());
        let mut other = base.clone();
        other.deps.pop_first();
        assert_ne!(base.summary(), other.summary());
        assert_eq!(base.summary(), base.clone().summary());
    }
}
