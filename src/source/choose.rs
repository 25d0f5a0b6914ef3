//! Which of the published versions a requirement gets.
//!
//! Invariant: the answer depends on the set of candidates, never on their order.

use super::{Candidate, Error, NoVersion, Query, Result};
use crate::base::{Version, VersionReq};

/// The newest version that the query's requirement accepts.
///
/// A withdrawn version is taken only when nothing else matches and the requirement is one `=`
/// (PEP 592). A pre-release is taken only by a requirement that names one (SemVer's rule in
/// Cargo's grammar), one that only its publisher marks as such by an exact one. Fails with [`Error::NoVersion`].
pub fn choose_version(query: &Query<'_>, candidates: &[Candidate]) -> Result<Version> {
    let wanted = &query.requirement.version;
    let exact = is_exact(wanted);
    let newest = |yanked: bool, marked: bool| {
        candidates
            .iter()
            .filter(|c| c.yanked == yanked && c.prerelease == marked && wanted.matches(&c.version))
            .map(|c| &c.version)
            .max()
    };
    // A version that is a pre-release by its text is asked for by that text.
    let marked = candidates
        .iter()
        .filter(|c| !c.yanked && c.prerelease && wanted.matches(&c.version))
        .filter(|c| exact || c.version.is_prerelease())
        .map(|c| &c.version)
        .max();
    let withdrawn = newest(true, false).or_else(|| newest(true, true));
    let found = newest(false, false).max(marked).or_else(|| withdrawn.filter(|_| exact));
    if let Some(version) = found {
        return Ok(version.clone());
    }
    let mut all: Vec<_> = candidates.iter().filter(|c| !c.yanked).map(|c| &c.version).collect();
    all.sort_unstable_by(|a, b| b.cmp(a));
    all.dedup();
    let unmarked = all.iter().find(|v| v.is_prerelease() && *wanted == VersionReq::any());
    let prerelease = newest(false, true).or(unmarked.copied());
    Err(Error::NoVersion(Box::new(NoVersion {
        subject: query.subject(),
        wanted: wanted.clone(),
        yanked: withdrawn.cloned(),
        prerelease: prerelease.cloned(),
        newest: all.into_iter().take(5).cloned().collect(),
    })))
}

pub(super) fn is_exact(wanted: &VersionReq) -> bool {
    let text = wanted.as_str().trim();
    text.starts_with('=') && !text.contains(',')
}

#[cfg(test)]
mod tests {
    use super::super::sources::tests::requirement;
    use super::*;
    use crate::base::{DepName, Diagnose as _};
    use proptest::prelude::*;

    fn candidates(list: &[&str]) -> Vec<Candidate> {
        list.iter()
            .map(|text| Candidate {
                version: text.trim_end_matches(['!', '?']).parse().expect("version"),
                yanked: text.ends_with('!'),
                prerelease: text.ends_with('?'),
            })
            .collect()
    }

    fn choose(wanted: &str, list: &[&str]) -> Result<String> {
        let dep = DepName::new("tool").expect("name");
        let requirement = requirement("pypi:tool-bin", wanted);
        let query = Query::new(&dep, &requirement);
        choose_version(&query, &candidates(list)).map(|v| v.to_string())
    }

    #[test]
    fn newest_that_matches() {
        let list = ["1.9.0", "1.10.0", "2.0.0", "1.10.1!", "2.1.0rc1", "2.0.0.post1"];
        for (wanted, got) in [
            ("^1", "1.10.0"),
            ("*", "2.0.0.post1"),
            ("=1.10.1", "1.10.1"),
            ("<2", "1.10.0"),
            ("=1.10", "1.10.0"),
            (">=2.1.0-rc", "2.1.0rc1"),
        ] {
            assert_eq!(choose(wanted, &list).expect("a match"), got, "{wanted}");
        }
        assert!(choose(">=1.10.1, <2", &list).is_err(), "withdrawn ones need a single `=`");
    }

    #[test]
    fn what_is_marked_as_prerelease_must_be_named() {
        let list = ["1.0.0", "1.1.0?", "2.0.0-rc.1?", "2.0.0-rc.2"];
        for (wanted, got) in [
            ("^1", "1.0.0"),
            ("*", "1.0.0"),
            ("=1.1.0", "1.1.0"),
            ("=2.0.0-rc.1", "2.0.0-rc.1"),
            (">=2.0.0-rc", "2.0.0-rc.2"),
        ] {
            assert_eq!(choose(wanted, &list).expect("a match"), got, "{wanted}");
        }
        let error = choose("^1.1", &list).expect_err("only a marked one");
        let hint = "1.1.0 is a pre-release; ask for it with `version = \"=1.1.0\"`";
        assert_eq!(error.hints()[0].0, hint);
    }

    #[test]
    fn says_what_there_is() {
        let error =
            choose("^9", &["1.0", "1.1", "1.2", "1.3", "1.4", "1.5", "9.0!"]).expect_err("none");
        assert_eq!(error.to_string(), "no version of `tool` (pypi:tool-bin) matches `^9`");
        assert_eq!(error.details(), ["newest  1.5, 1.4, 1.3, 1.2, 1.1"]);
        assert!(error.hints()[0].0.contains("9.0 was withdrawn"), "{:?}", error.hints());
        let error = choose("*", &["1.0rc1"]).expect_err("none");
        assert!(error.hints()[0].0.contains("1.0rc1 is a pre-release"), "{:?}", error.hints());
        assert_eq!(choose("*", &[]).expect_err("none").details(), ["published  none"]);
    }

    proptest! {
        #[test]
        fn order_does_not_matter(mut list in proptest::collection::vec((0u8..3, 0u8..4, any::<bool>()), 0..8)) {
            let text = |list: &[(u8, u8, bool)]| -> Vec<String> {
                list.iter().map(|(a, b, y)| format!("{a}.{b}.0{}", if *y { "!" } else { "" })).collect()
            };
            let ask = |list: &[(u8, u8, bool)]| {
                let text = text(list);
                choose("^1", &text.iter().map(String::as_str).collect::<Vec<_>>()).ok()
            };
            let first = ask(&list);
            list.reverse();
            prop_assert_eq!(first, ask(&list));
        }
    }
}
