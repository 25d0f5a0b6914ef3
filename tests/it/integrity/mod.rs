//! One changed byte anywhere: exit code 3, both hashes named, nothing registered, nothing started,
//! and a way back.

mod archives;
mod artifacts;
mod lock;
mod objects;

use std::path::Path;

use crate::crashes::fixture;
use crate::support::{Outcome, TestEnv};

/// Insists on exit code 3 and on every one of `words` in the message.
#[track_caller]
fn refused(what: &str, outcome: &Outcome, words: &[&str]) {
    let said = &outcome.stderr;
    assert_eq!(outcome.code, Some(3), "{what}: {:?}\n{}{said}", outcome.signal, outcome.stdout);
    for word in words {
        assert!(said.contains(word), "{what}: `{word}` is not in\n{said}");
    }
    assert!(said.contains("hint: "), "{what}: no next step in\n{said}");
}

/// Insists that a message names two different hashes, of the form that locks have.
#[track_caller]
fn names_both(what: &str, outcome: &Outcome) {
    let hashes: std::collections::BTreeSet<&str> = outcome
        .stderr
        .split(|c: char| c.is_whitespace() || c == ',')
        .filter(|word| word.starts_with("sha256-") || word.starts_with("sha512-"))
        .collect();
    assert_eq!(hashes.len(), 2, "{what}: {hashes:?} in\n{}", outcome.stderr);
}

/// Insists that the store has no object whose name ends in `-<suffix>`, registered or not.
#[track_caller]
pub(crate) fn nothing_of(what: &str, env: &TestEnv, suffix: &str) {
    let store = env.store();
    let end = format!("-{suffix}");
    for (path, _) in fixture::walk(&store, false) {
        let is_object = path.starts_with("store/") && path.ends_with(&end);
        assert!(!is_object, "{what}: {path} is there");
    }
    for name in names(&store.join("meta")) {
        let text = std::fs::read_to_string(store.join("meta").join(&name)).expect("read");
        assert!(!text.contains(&end), "{what}: {name} registers it");
    }
    assert_eq!(names(&store.join("tmp")), [""; 0], "{what}: left in tmp");
}

fn names(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries.map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect()
}
