//! The lock in memory: exactly what every platform gets.
//!
//! Plain data; its JSON form is `v1`'s business. Invariant: every dep has a row for every platform
//! the profiles declare, complete or explicitly unavailable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::archive::Format;
pub use crate::base::Proof;
use crate::base::{
    CommandName, DepName, Integrity, ObjectName, Platform, RelPath, SourceRef, TreeHash, Version,
};
use crate::binary::Needs;

/// `dep.lock.json`
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    /// By project-local name.
    pub deps: BTreeMap<DepName, LockedDep>,
}

/// One dep, on every platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedDep {
    /// Where it comes from.
    pub source: SourceRef,
    /// `Requirement::canonical` of what the profiles asked for when this was locked.
    pub requirement: String,
    /// The version chosen, in the source's spelling.
    pub version: Version,
    /// What its trees are built from, when they are built.
    pub build: Option<Build>,
    /// The registry's file that says what is fetched, when one does (`aqua:`).
    pub definition: Option<Definition>,
    /// One row for each platform.
    pub platforms: BTreeMap<Platform, Row>,
}

/// What a dep is built from. The same inputs give the same trees on every host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Build {
    /// The dep of this lock that builds it.
    pub toolchain: DepName,
    /// The toolchain's version when this was locked.
    pub version: String,
    /// Every module that takes part, as `go.sum` spells it: `PATH VERSION[/go.mod] h1:…`, sorted.
    /// See <https://go.dev/ref/mod#go-sum-files>.
    pub sums: Vec<String>,
}

/// A file of a registry of definitions, at a state of it that never changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// The registry's commit.
    pub revision: String,
    /// The file's path in the registry.
    pub file: String,
    /// Hash of its bytes.
    pub integrity: Integrity,
}

/// What one platform gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A pinned tree.
    Pinned(Box<Pin>),
    /// The source has nothing for this platform.
    Unavailable {
        /// Why, for people.
        reason: String,
    },
}

impl Row {
    /// The pin, if there is one.
    pub fn pin(&self) -> Option<&Pin> {
        match self {
            Self::Pinned(pin) => Some(pin),
            Self::Unavailable { .. } => None,
        }
    }
}

/// A pinned tree of one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The archive it is unpacked from; `None` for a directory of the project (`path:`).
    pub artifact: Option<Artifact>,
    /// What is laid over the artifact's tree, in this order: layers of an image, packages of a
    /// closure.
    pub with: Vec<Artifact>,
    /// How programs and libraries of the tree were told where they find each other; `None` when
    /// they are as their publisher made them.
    pub linking: Option<Linking>,
    /// NAR hash of the unpacked tree.
    pub tree: TreeHash,
    /// Its name in the store; follows from `tree`, the dep's name and version.
    pub object: ObjectName,
    /// Commands it offers, and where they lie in the tree. These files are executable.
    pub bin: BTreeMap<CommandName, RelPath>,
    /// What its executables expect of the host; `None` when all are static.
    pub needs: Option<Needs>,
    /// What vouched for it, all artifacts of it, when it was locked.
    pub verified: Vec<Proof>,
    /// What vouched for the first artifact alone, when there are several.
    pub first: Vec<Proof>,
    /// Signed statements, which can be verified again without the network.
    pub attestations: Vec<Attestation>,
}

/// A way in which programs and libraries of a tree find each other. What each writes never changes:
/// the tree's hash depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Linking {
    /// `DT_RUNPATH` relative to each file's own place (`$ORIGIN`).
    Origin,
}

impl Pin {
    /// Every artifact, the first first.
    pub fn artifacts(&self) -> impl Iterator<Item = &Artifact> {
        self.artifact.iter().chain(&self.with)
    }

    /// Bytes of all artifacts.
    pub fn size(&self) -> u64 {
        self.artifacts().map(|artifact| artifact.size).fold(0, u64::saturating_add)
    }
}

/// A signed statement about an artifact that was verified when locking.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// What kind of statement.
    pub kind: Proof,
    /// Who signed it; the same for every version of the same publisher.
    pub signer: String,
    /// The checksum file that was signed and lists the artifact; `None` when the artifact itself
    /// was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// The artifact that it is about, when there are several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// Hash of the statement's bytes, by which they are kept.
    pub bundle: Integrity,
}

/// A file that a source serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The file's name in its source; never a URL.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Hash of its bytes.
    pub integrity: Integrity,
    /// How it is unpacked.
    pub format: Format,
    /// Leading path components dropped when unpacking.
    pub strip: u8,
}
