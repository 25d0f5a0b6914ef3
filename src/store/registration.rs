//! Registrations: the small JSON files that make a tree in the store an object.
//!
//! Refuses unknown versions, and a name that does not follow from tree and references, so that an
//! edited registration vouches for nothing. Invariant: what parses was complete when written.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::layout::Layout;
use super::moment::Moment;
use super::stamp::Stamp;
use super::{Error, fs};
use crate::base::{Digest, Integrity, ObjectName, TreeHash};
use crate::fs::Context as _;

/// The number in every registration.
const VERSION: u32 = 1;
/// Bytes that are read at once: more than most registrations have.
const READ: usize = 16 << 10;

/// What the store knows of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    version: u32,
    /// Its name.
    pub object: ObjectName,
    /// Its tree hash, compared when it was added.
    pub tree: TreeHash,
    /// Length of its NAR serialisation in bytes; close to what it takes on disk.
    pub nar_size: u64,
    /// The objects it links to.
    pub references: BTreeSet<ObjectName>,
    /// Where it came from.
    pub origin: Origin,
    /// When it was added, in seconds since 1970.
    pub added: u64,
    /// The same moment by a clock that nobody sets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    moment: Option<Moment>,
    /// What a quick check compares.
    pub(super) stamp: Stamp,
}

/// Where an object came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Origin {
    /// Unpacked from an artifact.
    Artifact {
        /// The artifact's hash.
        integrity: Integrity,
        /// Dep, version and platform, for people.
        shown: String,
    },
    /// Copied from a directory.
    Directory {
        /// Dep, version and platform, for people.
        shown: String,
    },
    /// Taken from a binary cache or from a file that another store exported.
    Substituted {
        /// Dep, version and platform, or the object's name, for people.
        shown: String,
    },
    /// Made here, from other objects.
    Built,
}

impl Origin {
    /// Dep, version and platform; `None` for what was built here.
    pub fn shown(&self) -> Option<&str> {
        match self {
            Self::Artifact { shown, .. }
            | Self::Directory { shown }
            | Self::Substituted { shown } => Some(shown),
            Self::Built => None,
        }
    }
}

/// Why bytes are no registration.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Invalid {
    Newer(u64),
    Bad(String),
}

impl Registration {
    pub(super) fn new(
        object: ObjectName,
        tree: TreeHash,
        nar_size: u64,
        references: BTreeSet<ObjectName>,
        origin: Origin,
        stamp: Stamp,
    ) -> Self {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let added = now.map(|d| d.as_secs()).unwrap_or_default();
        let moment = Moment::now();
        Self { version: VERSION, object, tree, nar_size, references, origin, added, moment, stamp }
    }

    /// As if it had been added so many seconds earlier, in another boot.
    #[cfg(test)]
    pub(super) fn made_older(&mut self, seconds: u64) {
        self.added -= seconds;
        self.moment = None;
    }

    /// How long ago it was added, in whatever way is known: within one boot by its clock, else by
    /// the wall clock. `None` when that is in the future, so that nobody knows.
    pub(super) fn age(&self, now: Option<&Moment>) -> Option<Duration> {
        if let Some(age) = self.moment.as_ref().zip(now).and_then(|(then, now)| then.age(now)) {
            return Some(age);
        }
        let added = SystemTime::UNIX_EPOCH + Duration::from_secs(self.added);
        SystemTime::now().duration_since(added).ok()
    }

    /// The same object, as it lies on the disk now.
    pub(super) fn with_stamp(&self, stamp: Stamp) -> Self {
        Self { stamp, ..self.clone() }
    }

    /// Reads the JSON form.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        #[derive(Deserialize)]
        struct Probe {
            version: u64,
        }
        let bad = |e: serde_json::Error| Invalid::Bad(e.to_string());
        let parsed: Self = match serde_json::from_slice(bytes) {
            Ok(parsed) => parsed,
            Err(e) => match serde_json::from_slice(bytes).map_err(bad)? {
                Probe { version } if version > u64::from(VERSION) => {
                    return Err(Invalid::Newer(version));
                }
                Probe { .. } => return Err(bad(e)),
            },
        };
        if parsed.version > VERSION {
            return Err(Invalid::Newer(parsed.version.into()));
        }
        if parsed.version != VERSION {
            return Err(Invalid::Bad(format!("there is no version {}", parsed.version)));
        }
        match ObjectName::for_tree(&parsed.tree, &parsed.references, parsed.object.name()) {
            Ok(name) if name == parsed.object => Ok(parsed),
            _ => Err(Invalid::Bad("the name does not follow from tree and references".to_owned())),
        }
    }

    /// The registration of a digest; `None` when there is none.
    pub(super) fn load(layout: &Layout, digest: Digest) -> Result<Option<Self>, Error> {
        let path = layout.registration(digest);
        let Some(bytes) = fs::missing_is_none(fs::read(&path))? else { return Ok(None) };
        Self::of(Self::parse(&bytes), digest, || path).map(Some)
    }

    /// Like [`Registration::load`], from the open directory of all; `buffer` is reused. Three system
    /// calls: a file that ends as a registration does, and is one, is not asked whether it goes on,
    /// since no part of one is one.
    pub(super) fn load_from(
        dir: &fs::Dir,
        digest: Digest,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<Self>, Error> {
        let name = format!("{digest}.json");
        let path = || dir.path().join(&name);
        let Some(mut file) = dir.open_file_if_exists(name.as_ref())? else { return Ok(None) };
        buffer.resize(buffer.len().max(READ), 0);
        let mut length = 0;
        loop {
            if length == buffer.len() {
                buffer.resize(length * 2, 0);
            }
            let read = match file.read(&mut buffer[length..]) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                read => read.context("read", &path())?,
            };
            length += read;
            let bytes = &buffer[..length];
            if read > 0 && !bytes.ends_with(b"}\n") {
                continue;
            }
            match Self::parse(bytes) {
                Err(_) if read > 0 => {}
                parsed => return Self::of(parsed, digest, path).map(Some),
            }
        }
    }

    /// What was read as the registration of `digest`, from the file at `path`.
    fn of(
        parsed: Result<Self, Invalid>,
        digest: Digest,
        path: impl FnOnce() -> PathBuf,
    ) -> Result<Self, Error> {
        match parsed {
            Ok(it) if it.object.digest() == digest => Ok(it),
            Ok(it) => {
                Err(Error::BadRegistration { path: path(), why: format!("it is of {}", it.object) })
            }
            Err(Invalid::Bad(why)) => Err(Error::BadRegistration { path: path(), why }),
            Err(Invalid::Newer(found)) => {
                Err(Error::Newer { path: path(), found: found.to_string(), known: VERSION })
            }
        }
    }

    /// Writes it as one durable step.
    pub(super) fn store(&self, layout: &Layout) -> Result<(), Error> {
        let path = layout.registration(self.object.digest());
        let mut bytes = serde_json::to_vec_pretty(self)
            .map_err(|e| Error::BadRegistration { path: path.clone(), why: e.to_string() })?;
        bytes.push(b'\n');
        Ok(layout.write_file(&path, &bytes)?)
    }
}

/// The digests that have a registration, sorted; other files there are nobody's.
pub(super) fn digests(meta: &Path) -> Result<Vec<Digest>, Error> {
    let names = fs::read_dir_names_if_exists(meta)?;
    Ok(names.iter().filter_map(|name| digest_of(name)).collect())
}

/// The digest whose registration has this file name.
pub(super) fn digest_of(name: &OsStr) -> Option<Digest> {
    name.to_str()?.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Registration {
        let tree = TreeHash::new([3; 32]);
        let object = ObjectName::for_tree(&tree, &BTreeSet::new(), "x-1.0").expect("name");
        let origin = Origin::Artifact {
            integrity: Integrity::sha256_of(b"x"),
            shown: "x 1.0 (x86_64-linux)".to_owned(),
        };
        Registration::new(object, tree, 120, BTreeSet::new(), origin, Stamp::of_bytes(b"s"))
    }

    #[test]
    fn reads_what_it_writes() {
        let bytes = serde_json::to_vec(&sample()).expect("json");
        assert_eq!(Registration::parse(&bytes), Ok(sample_at(sample().added, &bytes)));
    }

    fn sample_at(_: u64, bytes: &[u8]) -> Registration {
        let value: serde_json::Value = serde_json::from_slice(bytes).expect("json");
        let moment = serde_json::from_value(value["moment"].clone()).expect("moment");
        Registration { added: value["added"].as_u64().expect("added"), moment, ..sample() }
    }

    #[test]
    fn an_edited_tree_hash_vouches_for_nothing() {
        let mut edited = sample();
        edited.tree = TreeHash::new([4; 32]);
        let bytes = serde_json::to_vec(&edited).expect("json");
        assert!(matches!(Registration::parse(&bytes), Err(Invalid::Bad(_))));
    }

    #[test]
    fn a_later_version_is_not_called_damaged() {
        assert_eq!(Registration::parse(br#"{"version": 2, "x": []}"#), Err(Invalid::Newer(2)));
        let mut later = sample();
        later.version = 7;
        let bytes = serde_json::to_vec(&later).expect("json");
        assert_eq!(Registration::parse(&bytes), Err(Invalid::Newer(7)));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Registration::parse(&bytes).is_err());
        }

        #[test]
        fn no_cut_or_flip_is_taken_for_another_object(at in 0usize..2000, flip in 1u8..) {
            let mut bytes = serde_json::to_vec(&sample()).expect("json");
            let at = at % bytes.len();
            prop_assert!(Registration::parse(&bytes[..at]).is_err());
            bytes[at] ^= flip;
            if let Ok(parsed) = Registration::parse(&bytes) {
                prop_assert_eq!(parsed.object, sample().object);
                prop_assert_eq!(parsed.tree, sample().tree);
            }
        }
    }
}
