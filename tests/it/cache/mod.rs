//! Binary caches and exported files: sharing, serving, carrying, and everything that goes wrong.

mod carrying;
mod faults;
mod keys;
mod serving;
mod sharing;

use std::path::{Path, PathBuf};

use crate::support::Outcome;
use crate::world::World;

/// A world whose environment `dev` is built, and a cache directory that has it.
pub(super) fn pushed() -> (World, PathBuf) {
    let world = World::synced();
    let dir = world.env.root().join("cache");
    world.env.ok(["cache", "init", "-q", dir.to_str().expect("UTF-8")]);
    world.env.ok(["cache", "push", "-q", "--to", dir.to_str().expect("UTF-8"), "dev"]);
    (world, dir)
}

/// As on another machine: nothing in the store, nothing built.
pub(super) fn forget(world: &World) {
    world.lose(&[]);
    let _ = std::fs::remove_dir_all(world.env.project().join(".infra"));
    world.upstream.forget();
}

/// The files of a cache, by key, sorted.
pub(super) fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for (folder, prefix) in [(dir.to_owned(), ""), (dir.join("nar"), "nar/")] {
        for entry in std::fs::read_dir(folder).expect("list") {
            let path = entry.expect("entry").path();
            if path.is_file() {
                let name = path.file_name().expect("name").to_string_lossy().into_owned();
                found.push((format!("{prefix}{name}"), std::fs::read(&path).expect("read")));
            }
        }
    }
    found.sort();
    found
}

/// The narinfo of the object whose name contains a word, with its path.
pub(super) fn narinfo(dir: &Path, word: &str) -> (PathBuf, String) {
    let found = files(dir).into_iter().filter(|(key, _)| key.ends_with(".narinfo"));
    let mut found = found.filter_map(|(key, bytes)| {
        let text = String::from_utf8(bytes).expect("UTF-8");
        let path = text.lines().next().expect("a line").to_owned();
        path.contains(word).then(|| (dir.join(key), text))
    });
    found.next().unwrap_or_else(|| panic!("no narinfo of {word}"))
}

/// A value of a narinfo.
pub(super) fn value<'a>(text: &'a str, key: &str) -> &'a str {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
    line.unwrap_or_else(|| panic!("no {key} in {text}"))
}

pub(super) fn warnings(outcome: &Outcome) -> usize {
    outcome.stderr.lines().filter(|line| line.starts_with("warning")).count()
}
