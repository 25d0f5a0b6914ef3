//! Version 1 of the file: the JSON form of a [`Lock`], and nothing but the form.
//!
//! ```text
//! version        1
//! requirements   hash over the wishes that the rows answer, for tools and reviewers
//! deps.NAME      source, requirement, version, build?, definition?
//!   .platforms.P artifact, size, integrity, format, strip?   (not for `path:`)
//!                with? (more artifacts), linking?, tree, object, bin, needs?, verified, first?,
//!                attestations?
//!             or unavailable: the reason
//! ```
//! Refuses unknown fields and names that are listed twice (a merge can do that, and JSON parsers
//! commonly keep the last silently). Invariant: fields in this order, maps sorted.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::model::{
    Artifact, Attestation, Build, Definition, Linking, Lock, LockedDep, Pin, Proof, Row,
};
use crate::archive::Format;
use crate::base::{
    CommandName, DepName, Integrity, ObjectName, Platform, RelPath, SourceRef, TreeHash, Version,
};
use crate::binary::Needs;

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;

/// The whole file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileV1 {
    pub(super) version: u32,
    requirements: Integrity,
    pub(super) deps: Unique<DepName, DepV1>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DepV1 {
    source: SourceRef,
    requirement: String,
    version: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    build: Option<Build>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    definition: Option<Definition>,
    platforms: Unique<Platform, RowV1>,
}

/// One row; which fields must be there is decided by [`RowV1::into_row`].
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowV1 {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    artifact: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    integrity: Option<Integrity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strip: Option<u8>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    with: Vec<ArtifactV1>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    linking: Option<Linking>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tree: Option<TreeHash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    object: Option<ObjectName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bin: Option<Unique<CommandName, RelPath>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    needs: Option<Needs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verified: Option<Vec<Proof>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    first: Vec<Proof>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attestations: Vec<Attestation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unavailable: Option<String>,
}

/// One of several artifacts of a row.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ArtifactV1 {
    artifact: String,
    size: u64,
    integrity: Integrity,
    format: Format,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strip: Option<u8>,
}

impl ArtifactV1 {
    fn of(artifact: &Artifact) -> Self {
        let Artifact { file, size, integrity, format, strip } = artifact.clone();
        let strip = (strip > 0).then_some(strip);
        Self { artifact: file, size, integrity, format, strip }
    }

    fn into_artifact(self) -> Result<Artifact, String> {
        let Self { artifact, size, integrity, format, strip } = self;
        check_file(&artifact)?;
        Ok(Artifact { file: artifact, size, integrity, format, strip: strip.unwrap_or(0) })
    }
}

/// A row that breaks the form: dep, version, platform, and how.
#[derive(Debug)]
pub(super) struct BadRow {
    pub(super) shown: String,
    pub(super) why: String,
}

impl FileV1 {
    /// The model of the file.
    pub(super) fn into_lock(self) -> Result<Lock, BadRow> {
        let mut deps = BTreeMap::new();
        for (dep, locked) in self.deps.0 {
            let locked = locked.into_locked(&dep)?;
            deps.insert(dep, locked);
        }
        Ok(Lock { deps })
    }

    /// The file of a model.
    pub(super) fn of(lock: &Lock) -> Self {
        let Lock { deps } = lock;
        let deps = deps.iter().map(|(dep, locked)| {
            let LockedDep { source, requirement, version, build, definition, platforms } = locked;
            let rows = platforms.iter().map(|(p, row)| (*p, RowV1::of(row))).collect();
            let locked = DepV1 {
                source: source.clone(),
                requirement: requirement.clone(),
                version: version.to_string(),
                build: build.clone(),
                definition: definition.clone(),
                platforms: Unique(rows),
            };
            (dep.clone(), locked)
        });
        Self { version: VERSION, requirements: lock.summary(), deps: Unique(deps.collect()) }
    }
}

impl DepV1 {
    /// The model of an entry.
    pub(super) fn into_locked(self, dep: &DepName) -> Result<LockedDep, BadRow> {
        let Self { source, requirement, version, build, definition, platforms } = self;
        // Versions of different sources look alike and mean different things.
        let version = Version::of(source.kind(), &version)
            .map_err(|e| BadRow { shown: format!("`{dep}`"), why: e.to_string() })?;
        let mut rows = BTreeMap::new();
        for (platform, row) in platforms.0 {
            let row = row
                .into_row()
                .map_err(|why| BadRow { shown: format!("`{dep}` {version} ({platform})"), why })?;
            rows.insert(platform, row);
        }
        Ok(LockedDep { source, requirement, version, build, definition, platforms: rows })
    }
}

impl RowV1 {
    pub(super) fn of(row: &Row) -> Self {
        let pin = match row {
            Row::Unavailable { reason } => {
                return Self { unavailable: Some(reason.clone()), ..Self::default() };
            }
            Row::Pinned(pin) => pin,
        };
        let Pin {
            artifact,
            with,
            linking,
            tree,
            object,
            bin,
            needs,
            verified,
            first,
            attestations,
        } = pin.as_ref();
        let mut out = Self {
            tree: Some(*tree),
            object: Some(object.clone()),
            bin: Some(Unique(bin.clone())),
            needs: needs.clone(),
            verified: Some(verified.clone()),
            first: first.clone(),
            with: with.iter().map(ArtifactV1::of).collect(),
            linking: *linking,
            attestations: attestations.clone(),
            ..Self::default()
        };
        if let Some(Artifact { file, size, integrity, format, strip }) = artifact {
            out.artifact = Some(file.clone());
            out.size = Some(*size);
            out.integrity = Some(integrity.clone());
            out.format = Some(*format);
            out.strip = (*strip > 0).then_some(*strip);
        }
        out
    }

    fn into_row(self) -> Result<Row, String> {
        let Self {
            artifact,
            size,
            integrity,
            format,
            strip,
            with,
            linking,
            tree,
            object,
            bin,
            needs,
            verified,
            first,
            attestations,
            unavailable,
        } = self;
        let with =
            with.into_iter().map(ArtifactV1::into_artifact).collect::<Result<Vec<_>, _>>()?;
        let artifact = match (artifact, size, integrity, format) {
            (Some(file), Some(size), Some(integrity), Some(format)) => {
                check_file(&file)?;
                Some(Artifact { file, size, integrity, format, strip: strip.unwrap_or(0) })
            }
            (None, None, None, None) if strip.is_none() => None,
            _ => {
                return Err("`artifact`, `size`, `integrity` and `format` go together".to_owned());
            }
        };
        if artifact.is_none() && !with.is_empty() {
            return Err("`with` lies over an `artifact`".to_owned());
        }
        if with.is_empty() && (!first.is_empty() || attestations.iter().any(|a| a.of.is_some())) {
            return Err("`first` and `of` are about one of several artifacts".to_owned());
        }
        match (tree, object, bin, verified, unavailable) {
            (Some(tree), Some(object), Some(bin), Some(verified), None) => {
                Ok(Row::Pinned(Box::new(Pin {
                    artifact,
                    with,
                    linking,
                    tree,
                    object,
                    bin: bin.0,
                    needs,
                    verified,
                    first,
                    attestations,
                })))
            }
            (None, None, None, None, Some(reason))
                if artifact.is_none()
                    && needs.is_none()
                    && with.is_empty()
                    && linking.is_none()
                    && attestations.is_empty() =>
            {
                if reason.trim().is_empty() {
                    return Err("`unavailable` says why".to_owned());
                }
                Ok(Row::Unavailable { reason })
            }
            (_, _, _, _, Some(_)) => Err("`unavailable` stands alone".to_owned()),
            _ => Err("a pin has `tree`, `object`, `bin` and `verified`".to_owned()),
        }
    }
}

/// A file's name must not say where it lies: that is looked up in the source.
fn check_file(file: &str) -> Result<(), String> {
    let bad = file.is_empty()
        || file.contains("://")
        || file.split('/').any(|part| part == "..")
        || file.chars().any(char::is_control);
    if bad { Err(format!("`{file}` is no artifact name")) } else { Ok(()) }
}

/// A sorted map that refuses a key it already has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unique<K, V>(pub(super) BTreeMap<K, V>);

impl<K: Serialize, V: Serialize> Serialize for Unique<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(&self.0)
    }
}

impl<'de, K, V> Deserialize<'de> for Unique<K, V>
where
    K: Deserialize<'de> + Ord + fmt::Display,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<K, V>(PhantomData<(K, V)>);
        impl<'de, K, V> Visitor<'de> for Visit<K, V>
        where
            K: Deserialize<'de> + Ord + fmt::Display,
            V: Deserialize<'de>,
        {
            type Value = Unique<K, V>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut out = BTreeMap::new();
                while let Some(key) = map.next_key::<K>()? {
                    if out.contains_key(&key) {
                        return Err(A::Error::custom(format_args!("`{key}` is listed twice")));
                    }
                    out.insert(key, map.next_value()?);
                }
                Ok(Unique(out))
            }
        }
        deserializer.deserialize_map(Visit(PhantomData))
    }
}
