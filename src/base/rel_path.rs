//! Paths inside a tree or a project.
//!
//! Invariant: relative, `/`-separated, no empty, `.` or `..` component, no NUL, no backslash: it
//! can be joined to any directory without leaving it (links are the unpacker's business).

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A relative path that stays inside what it is joined to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

impl RelPath {
    /// Checks the rule of this module.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidRelPath> {
        let text = text.into();
        let good = text.split('/').all(|c| !c.is_empty() && c != "." && c != "..")
            && !text.contains(['\0', '\\']);
        if good { Ok(Self(text)) } else { Err(InvalidRelPath(text)) }
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Joined to a directory.
    pub fn under(&self, base: &Path) -> PathBuf {
        base.join(&self.0)
    }

    /// The components, first to last.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// The last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Without the first `count` components; `None` when nothing is left.
    pub fn strip(&self, count: usize) -> Option<Self> {
        let rest: Vec<_> = self.components().skip(count).collect();
        (!rest.is_empty()).then(|| Self(rest.join("/")))
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for RelPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The text is not a path that stays inside its tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a relative path inside its tree (no leading `/`, no `..`, no backslash)")]
pub struct InvalidRelPath(pub String);

impl FromStr for RelPath {
    type Err = InvalidRelPath;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::new(s)
    }
}

impl TryFrom<String> for RelPath {
    type Error = InvalidRelPath;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        Self::new(s)
    }
}

impl From<RelPath> for String {
    fn from(value: RelPath) -> Self {
        value.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_inside() {
        for good in ["a", "a/b", "a..b", "...", "ä/b c"] {
            assert!(RelPath::new(good).is_ok(), "{good}");
        }
        for bad in ["", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\\b", "a\0"] {
            assert!(RelPath::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn strips() {
        let path = RelPath::new("a/b/c").expect("path");
        assert_eq!(path.strip(1).expect("rest").as_str(), "b/c");
        assert_eq!(path.strip(3), None);
    }
}
