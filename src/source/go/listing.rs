//! What a proxy's documents say. Pure.
//!
//! Refuses versions that are none; whatever else stands in a list is passed over, as Go does.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::base::Version;
use crate::build::names;
use crate::source::Candidate;

/// The versions of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Released {
    /// Each, and whether it was withdrawn.
    versions: BTreeMap<Version, bool>,
}

/// A list's versions, with their `v`.
pub(super) fn versions(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let words = text.lines().filter_map(|line| line.split_whitespace().next());
    words.filter(|word| names::is_version(word)).map(str::to_owned).collect()
}

/// The version that an `.info` is about, with its `v`.
pub(super) fn info(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Info {
        #[serde(rename = "Version")]
        version: String,
    }
    let info: Info = serde_json::from_slice(body).ok()?;
    names::is_version(&info.version).then_some(info.version)
}

impl Released {
    /// From versions with their `v`.
    pub(super) fn new(versions: Vec<String>) -> Self {
        let versions = versions.iter().filter_map(|v| v[1..].parse().ok());
        Self { versions: versions.map(|version| (version, false)).collect() }
    }

    /// The newest, with its `v`, as Go takes it to look up what was withdrawn: a release, or else a
    /// pre-release.
    pub(super) fn newest(&self) -> Option<String> {
        let releases = self.versions.keys().filter(|v| !v.is_prerelease()).max();
        releases.or_else(|| self.versions.keys().max()).map(|version| format!("v{version}"))
    }

    /// Marks what lies in one of these ranges.
    pub(super) fn withdraw(&mut self, ranges: &[(String, String)]) {
        for (low, high) in ranges {
            let end = |text: &str| text.trim_start_matches('v').parse::<Version>().ok();
            let (Some(low), Some(high)) = (end(low), end(high)) else { continue };
            for (version, withdrawn) in &mut self.versions {
                let inside =
                    version.cmp_meaning(&low).is_ge() && version.cmp_meaning(&high).is_le();
                *withdrawn |= inside;
            }
        }
    }

    /// What can be chosen from.
    pub(super) fn candidates(&self) -> Vec<Candidate> {
        let one = |(version, yanked): (&Version, &bool)| Candidate {
            yanked: *yanked,
            ..Candidate::new(version.clone())
        };
        self.versions.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn documents() {
        let list =
            versions(b"v1.0.0\nv1.1.0 2020-01-01T00:00:00Z\n\nnonsense\nv2.0.0+incompatible\n");
        assert_eq!(list, ["v1.0.0", "v1.1.0", "v2.0.0+incompatible"]);
        assert_eq!(info(br#"{"Version":"v1.0.0","Time":"x"}"#).as_deref(), Some("v1.0.0"));
        for bad in [&b"{"[..], b"{}", br#"{"Version":"../x"}"#] {
            assert_eq!(info(bad), None);
        }
    }

    #[test]
    fn withdrawn_versions() {
        let all = ["v0.1.0", "v0.2.0", "v1.0.0", "v1.1.0-rc.1", "v1.0.1"];
        let mut released = Released::new(all.map(str::to_owned).into());
        assert_eq!(released.newest().as_deref(), Some("v1.0.1"), "a pre-release is not the newest");
        let range = |low: &str, high: &str| (low.to_owned(), high.to_owned());
        released.withdraw(&[range("v0.1.0", "v0.2.0"), range("v1.0.1", "v1.0.1"), range("x", "y")]);
        let yanked: Vec<_> = released
            .candidates()
            .into_iter()
            .filter(|c| c.yanked)
            .map(|c| c.version.to_string())
            .collect();
        assert_eq!(yanked, ["0.1.0", "0.2.0", "1.0.1"]);
        let early = Released::new(vec!["v0.1.0-rc.1".to_owned()]);
        assert_eq!(early.newest().as_deref(), Some("v0.1.0-rc.1"));
        assert_eq!(Released::default().newest(), None);
    }

    proptest! {
        #[test]
        fn any_document_is_read(body in proptest::collection::vec(any::<u8>(), 0..80)) {
            let list = versions(&body);
            let _ = (info(&body), Released::new(list).candidates());
        }
    }
}
