//! The lock in memory: exactly what every platform gets.
//!
//! Plain data; its JSON form is `v1`'s business. Invariant: every dep has a row for every platform
//! the profiles declare, complete or explicitly unavailable.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::archive::Format;
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
    /// One row for each platform.
    pub platforms: BTreeMap<Platform, Row>,
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
    /// NAR hash of the unpacked tree.
    pub tree: TreeHash,
    /// Its name in the store; follows from `tree`, the dep's name and version.
    pub object: ObjectName,
    /// Commands it offers, and where they lie in the tree. These files are executable.
    pub bin: BTreeMap<CommandName, RelPath>,
    /// What its executables expect of the host; `None` when all are static.
    pub needs: Option<Needs>,
    /// What vouched for it when it was locked.
    pub verified: Vec<Proof>,
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

/// Something that vouches for an artifact's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The hash in the registry's index.
    RegistryHash,
    /// The digest that a forge records of a release's asset.
    ReleaseDigest,
    /// An index that the repository's keys, which this machine trusts, signed.
    SignedRelease,
    /// A checksum file that the publisher serves.
    ChecksumFile,
    /// Nothing but the first download: later ones must equal it.
    FirstUse,
    /// A directory of this project, under its own version control.
    Local,
}
