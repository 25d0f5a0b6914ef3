//! A registry of crates on the fake upstream: the sparse index and `.crate` files.

use super::archives::{Tree, tar_gz};
use super::server::FakeUpstream;
use infra::base::Integrity;

/// A crate's version to publish.
#[derive(Clone, Debug)]
pub(crate) struct Crate {
    name: String,
    version: String,
    manifest: String,
    yanked: bool,
}

impl Crate {
    /// One with the program of its name; `manifest` follows `[package]` with name, version.
    pub(crate) fn new(name: &str, version: &str, manifest: &str) -> Self {
        let head = format!("[package]\nname = \"{name}\"\nversion = \"{version}\"\n");
        let (name, version) = (name.to_owned(), version.to_owned());
        Self { name, version, manifest: format!("{head}{manifest}"), yanked: false }
    }

    /// Withdrawn.
    pub(crate) fn yanked(mut self) -> Self {
        self.yanked = true;
        self
    }
}

impl FakeUpstream {
    /// Base URL of the index.
    pub(crate) fn crates_url(&self) -> String {
        self.url("/crates/index/")
    }

    /// Path of a crate's file in the index (names of four letters and more).
    pub(crate) fn crates_index(name: &str) -> String {
        format!("/crates/index/{}/{}/{name}", &name[..2], &name[2..4])
    }

    /// Path of a version's file.
    pub(crate) fn crates_file(name: &str, version: &str) -> String {
        format!("/crates/files/{name}-{version}.crate")
    }

    /// Publishes every version of a crate.
    pub(crate) fn crates(&self, versions: &[Crate]) -> &Self {
        let mut lines = String::new();
        for one in versions {
            let Crate { name, version, manifest, yanked } = one;
            let root = format!("{name}-{version}");
            let tree = Tree::new()
                .file(&format!("{root}/Cargo.toml"), manifest.as_str())
                .file(&format!("{root}/src/main.rs"), "fn main() {}\n");
            let bytes = tar_gz(&tree);
            let line = serde_json::json!({
                "name": name, "vers": version, "deps": [], "features": {}, "yanked": yanked,
                "cksum": Integrity::sha256_of(&bytes).hex(),
            });
            lines.push_str(&format!("{line}\n"));
            self.file(&Self::crates_file(name, version), bytes);
        }
        if let Some(first) = versions.first() {
            self.file(&Self::crates_index(&first.name), lines);
        }
        let dl = self.url("/crates/files/{crate}-{version}.crate");
        let config = serde_json::json!({"dl": dl, "api": self.url("/crates/api")});
        self.file("/crates/index/config.json", config.to_string());
        self
    }
}
