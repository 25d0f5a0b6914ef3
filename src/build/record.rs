//! What earlier builds made, by everything that went into them.
//!
//! Owns small files in a cache directory; each may go at any time. Refuses one that cannot be read:
//! it is then built again. Invariant: the key holds every input of a build, so that two builds with
//! one key give the same tree.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::environment::FLAGS;
use super::go::{Target, Wish};
use crate::base::{Integrity, TreeHash};
use crate::binary::Needs;
use crate::fs;

/// The number of this form, and of how trees are put together.
const FORM: u32 = 1;

/// What a build made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The tree's hash.
    pub tree: TreeHash,
    /// The command's path in it.
    pub command: String,
    /// What it expects of the host.
    pub needs: Option<Needs>,
    /// The sums of the modules that took part.
    pub sums: Vec<String>,
}

/// The name of a build's record: a hash over the toolchain's tree, what was found for it, the
/// command and the target.
pub fn key(toolchain: &TreeHash, found: &[String], wish: &Wish<'_>, target: Target) -> String {
    let Wish { package, version, flags } = *wish;
    let mut text = format!("{FORM}\n{toolchain}\n{package}@{version}\n{}\n", target.shown());
    text.push_str(&format!("{FLAGS:?}\n{:?}\n{:?}\n", flags.tags, flags.ldflags));
    for line in found {
        text.push_str(line);
        text.push('\n');
    }
    Integrity::sha256_of(text.as_bytes()).hex()
}

/// Looks a record up.
pub fn get(directory: &Path, key: &str) -> Option<Record> {
    let bytes = fs::read(&directory.join(format!("{key}.json"))).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Keeps a record. Not being able to is no failure.
pub fn put(directory: &Path, key: &str, record: &Record) {
    if let Ok(bytes) = serde_json::to_vec(record) {
        let file = directory.join(format!("{key}.json"));
        let _ = fs::create_dir_all(directory).and_then(|()| fs::write_atomic(&file, &bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::super::go::Flags;
    use super::*;
    use crate::base::Platform;

    #[test]
    fn every_input_counts() {
        let (one, other) = (TreeHash::new([1; 32]), TreeHash::new([2; 32]));
        let (plain, tagged) = (Flags::default(), Flags { tags: vec!["x".into()], ldflags: None });
        let linked = Flags { tags: Vec::new(), ldflags: Some("-s".into()) };
        let linux = Target::of(Platform::X86_64Linux);
        let sums = ["example.com/a v1 h1:x".to_owned()];
        let wish = |package, version, flags| Wish { package, version, flags };
        let first = wish("example.com/a", "v1", &plain);
        let keys = [
            key(&one, &sums, &first, linux),
            key(&other, &sums, &first, linux),
            key(&one, &[], &first, linux),
            key(&one, &sums, &wish("example.com/b", "v1", &plain), linux),
            key(&one, &sums, &wish("example.com/a", "v2", &plain), linux),
            key(&one, &sums, &wish("example.com/a", "v1", &tagged), linux),
            key(&one, &sums, &wish("example.com/a", "v1", &linked), linux),
            key(&one, &sums, &first, Target::of(Platform::X86_64Darwin)),
            key(&one, &sums, &first, Target::of(Platform::Aarch64Linux)),
        ];
        let different: std::collections::BTreeSet<_> = keys.iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(Target::of(Platform::X86_64LinuxMusl), linux, "one build serves both");

        let dir = tempfile::tempdir().expect("tempdir");
        let record =
            Record { tree: one, command: "bin/a".into(), needs: None, sums: sums.to_vec() };
        let at = dir.path().join("built");
        assert_eq!(get(&at, &keys[0]), None);
        put(&at, &keys[0], &record);
        assert_eq!(get(&at, &keys[0]), Some(record));
        fs::write_atomic(&at.join(format!("{}.json", keys[0])), b"{").expect("write");
        assert_eq!(get(&at, &keys[0]), None);
    }
}
