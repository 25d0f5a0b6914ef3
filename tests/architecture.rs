//! Holds the house together: layers, file openings, and the table in the crate's documentation.
//!
//! Reads `src/**/*.rs` as text. A room may use only rooms of a lower layer; siblings do not know
//! each other; every file opens with `//!`; `lib.rs` lists exactly the rooms there are.

#![allow(
    clippy::disallowed_methods,
    reason = "tests stand outside the house and look at it with the standard library"
)]
#![allow(unreachable_pub, missing_docs, reason = "nothing here is a library")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. `lib.rs` shows the same table.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["fs"],
    &["binary", "config", "http", "nar", "profile", "ui"],
    &["archive", "oci"],
    &["build", "lock", "provenance", "store"],
    &["cache", "env", "exchange", "sandbox", "source"],
    &["supervise", "sync"],
    &["ops", "tui"],
    &["cli"],
];

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(dir: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            rust_files(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Every source file with its room (`None` for `lib.rs` and `main.rs`) and its text.
fn files() -> Vec<(PathBuf, Option<String>, String)> {
    let root = source_root();
    let mut paths = Vec::new();
    rust_files(&root, &mut paths);
    paths
        .into_iter()
        .map(|path| {
            let relative = path.strip_prefix(&root).expect("below src");
            let room = (relative.components().count() > 1).then(|| {
                relative.components().next().expect("room").as_os_str().to_string_lossy().into()
            });
            let text = fs::read_to_string(&path).expect("read");
            (path, room, text)
        })
        .collect()
}

/// The names that follow `crate::` in code: `crate::fs::x` and `crate::{base::A, fs}`.
fn rooms_used(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for line in text.lines().filter(|l| !l.trim_start().starts_with("//")) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group.split(',').collect(),
                None => vec![rest],
            };
            for name in names {
                let name: String = name
                    .trim()
                    .chars()
                    .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                    .collect();
                if !name.is_empty() {
                    used.insert(name);
                }
            }
        }
    }
    used
}

fn layer_of() -> BTreeMap<&'static str, usize> {
    LAYERS.iter().enumerate().flat_map(|(n, rooms)| rooms.iter().map(move |r| (*r, n))).collect()
}

#[test]
fn every_room_has_a_layer() {
    let on_disk: BTreeSet<String> = files().into_iter().filter_map(|(_, room, _)| room).collect();
    let listed: BTreeSet<String> =
        LAYERS.iter().flat_map(|l| l.iter()).map(|r| (*r).into()).collect();
    assert_eq!(on_disk, listed, "rooms on disk and rooms with a layer");
}

#[test]
fn no_upward_or_sideways_use() {
    let layers = layer_of();
    let mut wrong = Vec::new();
    for (path, room, text) in files() {
        let Some(room) = room else { continue };
        let own = layers[room.as_str()];
        for used in rooms_used(&text) {
            if used == room {
                continue;
            }
            match layers.get(used.as_str()) {
                Some(layer) if *layer < own => {}
                Some(_) => wrong.push(format!("{}: `{room}` uses `{used}`", path.display())),
                None => wrong.push(format!("{}: `crate::{used}` is no room", path.display())),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_owns() {
    for (path, _, text) in files() {
        let first = text.lines().next().unwrap_or_default();
        assert!(
            first.starts_with("//! ") && first.len() > 8,
            "{} opens with `//!`",
            path.display()
        );
    }
}

#[test]
fn the_crate_doc_shows_this_table() {
    let lib = fs::read_to_string(source_root().join("lib.rs")).expect("lib.rs");
    for (n, rooms) in LAYERS.iter().enumerate() {
        let cells: Vec<String> = rooms.iter().map(|r| format!("[`{r}`]")).collect();
        let row = format!("//! | {n} | {} |", cells.join(", "));
        assert!(lib.contains(&row), "lib.rs lacks the row\n{row}");
    }
}

#[test]
fn the_checker_sees_both_spellings() {
    let used = rooms_used(
        "use crate::{base::A, fs};\nlet x = crate::store::Y; // crate::cli\n// crate::web",
    );
    assert!(used.contains("base") && used.contains("fs") && used.contains("store"));
    assert!(!used.contains("web"));
}
