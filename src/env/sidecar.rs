//! `<project>/.infra/env/NAME@N.json`: what is known of a generation beside its link.
//!
//! Owns that file's form. Invariant: it can be lost without losing the environment: a generation
//! without it only counts as out of date.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::{Error, Result};
use super::inputs::Inputs;
use super::manifest::check_version;
use crate::base::{Integrity, ObjectName, TreeHash};
use crate::fs;

/// The version that this program writes, and the only one it reads.
const VERSION: u32 = 1;

/// The record of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    version: u32,
    /// When it was made.
    #[serde(with = "rfc3339")]
    pub created: Timestamp,
    /// Its object.
    pub object: ObjectName,
    /// The environment's digest: the object's tree hash.
    pub digest: TreeHash,
    /// Digest of what it was last found to be made from.
    pub inputs: Integrity,
    /// The files under that digest.
    pub files: BTreeSet<String>,
    /// The project's inputs when someone rolled back to this generation: while the project still
    /// has them, the roll-back stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Held>,
}

/// A manual roll-back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Held {
    /// Digest of the project's inputs then.
    pub inputs: Integrity,
    /// The files under that digest.
    pub files: BTreeSet<String>,
}

impl Sidecar {
    pub(super) fn new(
        object: &ObjectName,
        digest: &TreeHash,
        inputs: &Inputs,
        now: Timestamp,
    ) -> Self {
        Self {
            version: VERSION,
            created: now,
            object: object.clone(),
            digest: *digest,
            inputs: inputs.digest.clone(),
            files: inputs.files.clone(),
            held: None,
        }
    }

    /// What it was made from.
    pub fn inputs(&self) -> Inputs {
        Inputs { files: self.files.clone(), digest: self.inputs.clone() }
    }

    /// Reads a record; `None` when there is none that can be used. One that a newer infra wrote is
    /// an error, since writing over it would lose what it says.
    pub(super) fn read(path: &Path) -> Result<Option<Self>> {
        let Some(bytes) = fs::missing_is_none(fs::read(path))? else { return Ok(None) };
        match check_version(&bytes, path, VERSION) {
            Ok(()) => Ok(serde_json::from_slice(&bytes).ok()),
            Err(Error::Damaged { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::Damaged { path: path.to_owned(), why: e.to_string() })?;
        bytes.push(b'\n');
        Ok(fs::write_atomic(path, &bytes)?)
    }
}

/// RFC 3339, as people and `date -d` read it.
mod rfc3339 {
    use jiff::Timestamp;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(at)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}
