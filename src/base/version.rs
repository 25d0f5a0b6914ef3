//! Versions as sources publish them, compared by one rule for every source.
//!
//! A [`Version`] keeps the source's own spelling (the lock and file names need it) beside a
//! semantic version it maps to: missing parts are zero, a fourth part, PEP 440 `.postN` and `+local`
//! become build metadata, `aN`/`bN`/`rcN`/`.devN` become pre-releases. Requirements are Cargo's
//! (`^2.15`, `~0.40`, `1.10`, `=2.1.0`, `>=1, <3`); `=` with a Debian version is that package and no
//! other. Debian's versions look like others' and mean something else (`1.6.1-3` is no pre-release),
//! so who reads one says where it is from: [`Version::of`]. References: SemVer 2.0.0; PEP 440;
//! Debian Policy 5.6.12.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{SourceKind, debian};

/// A version in its source's own spelling.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    // Boxed, since errors carry versions.
    raw: Box<str>,
    order: semver::Version,
    /// Compared as dpkg does.
    debian: bool,
}

impl Version {
    /// A version as a source of this kind spells it.
    ///
    /// # Errors
    /// The text is no version there.
    pub fn of(kind: SourceKind, text: &str) -> Result<Self, InvalidVersion> {
        match kind {
            SourceKind::Deb => {
                let order = debian::release(text).ok_or_else(|| InvalidVersion(text.to_owned()))?;
                Ok(Self { raw: text.into(), order, debian: true })
            }
            _ => text.parse(),
        }
    }

    /// The first two numbers of the release: `2.15` for 2.15.1.
    pub fn series(&self) -> String {
        format!("{}.{}", self.order.major, self.order.minor)
    }

    /// The source's spelling.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// Compares what the versions mean: `1.0` and `1.0.0` are equal, though spelled differently.
    pub fn cmp_meaning(&self, other: &Self) -> Ordering {
        self.order.cmp(&other.order)
    }

    /// Whether it is an alpha, beta, candidate or development release.
    pub fn is_prerelease(&self) -> bool {
        !self.order.pre.is_empty()
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let order = match (self.debian, other.debian) {
            (true, true) => debian::cmp(&self.raw, &other.raw),
            (false, false) => self.order.cmp(&other.order),
            // Of two sources: no order means anything, but one must be total.
            (one, another) => one.cmp(&another),
        };
        order.then_with(|| self.raw.cmp(&other.raw))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.raw)
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.raw, f)
    }
}

/// The text is no version that can be ordered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a version")]
pub struct InvalidVersion(pub String);

impl FromStr for Version {
    type Err = InvalidVersion;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        // Only Debian has these characters.
        if s.contains([':', '~']) {
            return Self::of(SourceKind::Deb, s);
        }
        let order = map(s).ok_or_else(|| InvalidVersion(s.to_owned()))?;
        Ok(Self { raw: s.into(), order, debian: false })
    }
}

impl TryFrom<String> for Version {
    type Error = InvalidVersion;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<Version> for String {
    fn from(value: Version) -> Self {
        value.raw.into_string()
    }
}

/// Maps a published version to a semantic one; `None` when it does not start with a number or
/// holds a character that no version scheme has.
fn map(raw: &str) -> Option<semver::Version> {
    if raw.len() > 64 || !raw.bytes().all(|b| b.is_ascii_alphanumeric() || b".-+_!".contains(&b)) {
        return None;
    }
    let text = raw.strip_prefix('v').unwrap_or(raw);
    if let Ok(version) = semver::Version::parse(text) {
        return Some(version);
    }
    let (public, local) = text.split_once('+').unwrap_or((text, ""));
    let release_end = public
        .char_indices()
        .find(|(i, c)| {
            let next_is_digit = public[i + 1..].chars().next().is_some_and(|n| n.is_ascii_digit());
            !(c.is_ascii_digit() || (*c == '.' && next_is_digit))
        })
        .map_or(public.len(), |(i, _)| i);
    let (release, suffix) = public.split_at(release_end);
    if suffix.starts_with("..") {
        return None;
    }
    let mut parts = Vec::new();
    for part in release.split('.') {
        parts.push(part.parse::<u64>().ok()?);
    }
    let part = |n: usize| parts.get(n).copied().unwrap_or(0);
    let mut version = semver::Version::new(part(0), part(1), part(2));

    let mut build: Vec<String> = parts.iter().skip(3).map(u64::to_string).collect();
    let mut pre = Vec::new();
    for word in words(suffix) {
        match word.as_str() {
            // PEP 440 orders dev < a < b < rc; ASCII order of these identifiers is the same
            // when development releases are spelled `0dev`-like, so give them a numeric one.
            "dev" => pre.extend(["0".to_owned(), word]),
            "post" | "rev" | "r" if pre.is_empty() => build.push("post".to_owned()),
            _ if build.last().is_some_and(|b| b == "post") => build.push(word),
            _ => pre.push(word),
        }
    }
    build.extend(words(local));
    version.pre = semver::Prerelease::new(&pre.join(".")).ok()?;
    version.build = semver::BuildMetadata::new(&build.join(".")).ok()?;
    Some(version)
}

/// Splits `a1.dev2` into `a 1 dev 2`, without separators and leading zeros.
fn words(text: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut last_digit = None;
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() {
            last_digit = None;
            continue;
        }
        let digit = c.is_ascii_digit();
        match out.last_mut() {
            Some(word) if last_digit == Some(digit) => word.push(c),
            _ => out.push(c.to_string()),
        }
        last_digit = Some(digit);
    }
    for word in &mut out {
        if word.bytes().all(|b| b.is_ascii_digit()) {
            let trimmed = word.trim_start_matches('0');
            *word = if trimmed.is_empty() { "0".to_owned() } else { trimmed.to_owned() };
        }
    }
    out
}

/// A range of acceptable versions, in Cargo's grammar.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionReq {
    raw: String,
    /// `None` when only a Debian version spelled exactly so will do.
    req: Option<semver::VersionReq>,
}

impl VersionReq {
    /// Any release.
    pub fn any() -> Self {
        Self { raw: "*".to_owned(), req: Some(semver::VersionReq::STAR) }
    }

    /// The requirement as it was written.
    pub fn as_str(&self) -> &str {
        &self.raw
    }

    /// Whether a version is acceptable. Pre-releases only match a requirement that names one.
    pub fn matches(&self, version: &Version) -> bool {
        (version.debian && self.pinned() == Some(version.as_str()))
            || self.req.as_ref().is_some_and(|req| req.matches(&version.order))
    }

    /// What stands behind a single `=`.
    fn pinned(&self) -> Option<&str> {
        pinned(&self.raw)
    }
}

impl fmt::Display for VersionReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.raw)
    }
}

impl fmt::Debug for VersionReq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.raw, f)
    }
}

/// The text is no version requirement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version requirement: {why}")]
pub struct InvalidVersionReq {
    /// What was given.
    pub text: String,
    /// The parser's reason.
    pub why: String,
}

impl FromStr for VersionReq {
    type Err = InvalidVersionReq;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        match semver::VersionReq::parse(s) {
            Ok(req) => Ok(Self { raw: s.to_owned(), req: Some(req) }),
            Err(_) if pinned(s).and_then(debian::release).is_some() => {
                Ok(Self { raw: s.to_owned(), req: None })
            }
            Err(e) => Err(InvalidVersionReq { text: s.to_owned(), why: e.to_string() }),
        }
    }
}

fn pinned(text: &str) -> Option<&str> {
    text.trim().strip_prefix('=').map(str::trim).filter(|rest| !rest.contains(','))
}

impl TryFrom<String> for VersionReq {
    type Error = InvalidVersionReq;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<VersionReq> for String {
    fn from(value: VersionReq) -> Self {
        value.raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v(s: &str) -> Version {
        s.parse().unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn orders_what_sources_publish() {
        let sorted = [
            "0.9",
            "1.0.dev3",
            "1.0a1",
            "1.0a2",
            "1.0b1",
            "1.0rc1",
            "1.0",
            "1.0.post1",
            "1.0.post2",
            "1.0.1",
            "1.2.3",
            "1.2.3.4",
            "1.10",
            "v2.0.0",
            "2024.01.05",
        ];
        for pair in sorted.windows(2) {
            assert!(v(pair[0]) < v(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn meaning_is_not_spelling() {
        assert_eq!(v("1.0").cmp_meaning(&v("1.0.0")), Ordering::Equal);
        assert_ne!(v("1.0"), v("1.0.0"));
        assert_eq!(v("1.0").cmp_meaning(&v("1.0.1")), Ordering::Less);
    }

    #[test]
    fn requirements() {
        let ok = |req: &str, version: &str| {
            req.parse::<VersionReq>().unwrap_or_else(|e| panic!("{e}")).matches(&v(version))
        };
        assert!(ok("^2.15", "2.15.1"));
        assert!(ok("^2.15", "2.99.0"));
        assert!(!ok("^2.15", "3.0.0"));
        assert!(ok("~0.40", "0.40.6"));
        assert!(!ok("~0.40", "0.41.0"));
        assert!(ok("1.10", "1.10.2.post1"));
        assert!(!ok("^2", "2.9.0b1"), "pre-releases must be asked for");
        assert!(ok("=2.1.0-rc.1", "2.1.0-rc.1"));
        assert!("^^2".parse::<VersionReq>().is_err());
    }

    #[test]
    fn debian_versions() {
        let d = |s: &str| Version::of(SourceKind::Deb, s).unwrap_or_else(|e| panic!("{e}"));
        let ok = |req: &str, version: &str| {
            req.parse::<VersionReq>().unwrap_or_else(|e| panic!("{e}")).matches(&d(version))
        };
        assert!(ok("^2.10", "2.10-3") && ok("*", "1:1.6.1-3+deb12u1") && ok("=1.6.1", "1.6.1-3"));
        assert!(ok("=2.10-3", "2.10-3") && ok("=1.6.1-3", "1.6.1-3"));
        assert!(!ok("=2.10-3", "2.10-4") && !ok("=1.6.1-3", "1.6.1-2") && !ok("^2.11", "2.10-3"));
        assert!(ok("=1:2.0~rc1-1", "1:2.0~rc1-1") && !ok("*", "1:2.0~rc1-1"));
        assert!(d("1:0.1") > d("9.0") && d("1.0~rc1") < d("1.0") && d("1.0-1") < d("1.0-1+b1"));
        assert_eq!(v("1:2.0~rc1-1"), d("1:2.0~rc1-1"), "told by its characters");
        assert_eq!((d("1:2.10-3").series(), v("v2.3.4").series()), ("2.10".into(), "2.3".into()));
        assert!(!ok("=2.10-3", "2.10-3+b1"));
        assert!("^2.10-3".parse::<VersionReq>().is_err());
    }

    #[test]
    fn refuses() {
        for bad in ["", "latest", "v", "1..2", "1/2", "1.0 ", "-1", &"1".repeat(65)] {
            assert!(bad.parse::<Version>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn keeps_its_spelling(s in "[0-9]{1,3}(\\.[0-9]{1,3}){0,3}((a|b|rc|\\.post|\\.dev)[0-9]{1,2})?") {
            prop_assert_eq!(v(&s).to_string(), s);
        }
        #[test]
        fn never_panics(s in "\\PC{0,70}") {
            let _ = s.parse::<Version>();
            let _ = s.parse::<VersionReq>();
        }
    }
}
