//! Tests of reading: what each broken file is told.

use std::path::Path;

use proptest::prelude::*;

use super::super::{fixture, to_bytes};
use super::*;
use crate::base::{Diagnose, Kind};

fn golden() -> String {
    String::from_utf8(to_bytes(&fixture::lock()).expect("bytes")).expect("text")
}

fn refused(text: &str) -> Error {
    parse(text, Path::new("dep.lock.json")).expect_err("refused")
}

#[test]
fn missing() {
    let dir = tempfile::tempdir().expect("tempdir");
    let error = read(&dir.path().join("dep.lock.json")).expect_err("missing");
    assert!(matches!(error, Error::Missing { .. }));
    assert!(error.hints()[0].to_string().contains("infra dep lock"));
    assert!(read_if_exists(&dir.path().join("dep.lock.json")).expect("read").is_none());
}

#[test]
fn a_newer_version_wins_over_unknown_fields() {
    let text = r#"{"version": 2, "nodes": [], "deps": 3}"#;
    let error = refused(text);
    assert_eq!(
        error.to_string(),
        "`dep.lock.json` has format version 2; this `infra` reads version 1"
    );
    assert!(error.hints()[0].to_string().contains("update `infra`"));
    // The same when everything else is of version 1's form.
    assert!(matches!(
        refused(&golden().replace("\"version\": 1,", "\"version\": 7,")),
        Error::Version { newer: true, .. }
    ));
    assert!(matches!(refused(r#"{"version": "x"}"#), Error::Version { newer: false, .. }));
    assert!(matches!(refused(r#"{"deps": {}}"#), Error::NoVersion { .. }));
}

#[test]
fn conflict_markers_are_named_by_line() {
    let text = golden().replacen("  \"deps\"", "<<<<<<< HEAD\n  \"deps\"", 1);
    let error = refused(&text);
    assert_eq!(error.to_string(), "`dep.lock.json` has an unresolved merge conflict at line 4");
    assert_eq!(error.kind(), Kind::User);
    let excerpt = error.excerpt().expect("excerpt");
    assert_eq!(&excerpt.text[excerpt.span], "<<<<<<< HEAD");
    assert!(error.hints().iter().any(|h| h.to_string().contains("infra dep lock")));
}

#[test]
fn syntax_and_form_point_at_the_place() {
    let text = golden().replacen("\"source\"", "\"sauce\"", 1);
    let error = refused(&text);
    let Error::Malformed { line, why, .. } = &error else { panic!("{error}") };
    assert_eq!(*line, 6);
    assert!(why.contains("unknown field `sauce`"), "{why}");
    assert!(!why.contains("at line"), "{why}");
    assert!(error.excerpt().is_some());

    let cut = &golden()[..200];
    assert!(matches!(refused(cut), Error::Malformed { .. }));
    let outside = golden().replacen("bin/nats-server", "../nats-server", 1);
    assert!(refused(&outside).to_string().contains("`../nats-server` is not a relative path"));
    let url = golden().replacen("nats-server-darwin", "http://mirror.invalid/nats-server", 1);
    assert!(matches!(refused(&url), Error::Row { .. }), "{}", refused(&url));
}

#[test]
fn names_listed_twice_are_refused() {
    let text = golden().replacen("\"tools\"", "\"nats-server\"", 1);
    assert!(refused(&text).to_string().contains("`nats-server` is listed twice"));
}

#[test]
fn rows_are_whole_or_unavailable() {
    let no_size = {
        let text = golden();
        let start = text.find("          \"size\"").expect("size");
        let end = start + text[start..].find('\n').expect("line") + 1;
        format!("{}{}", &text[..start], &text[end..])
    };
    assert!(refused(&no_size).to_string().contains("go together"));
    let both = golden().replacen("\"unavailable\"", "\"bin\": {}, \"unavailable\"", 1);
    assert!(refused(&both).to_string().contains("stands alone"));
    let alone = golden().replacen("\"verified\"", "\"first\": [\"minisign\"], \"verified\"", 1);
    assert!(refused(&alone).to_string().contains("one of several artifacts"));
}

#[test]
fn an_object_must_follow_from_its_tree() {
    let lock = fixture::lock();
    let nats = lock.deps.values().next().expect("dep");
    let pin = nats.platforms[&crate::base::Platform::X86_64Linux].pin().expect("pin");
    let other = crate::base::TreeHash::new([9; 32]);
    let text = golden().replacen(&pin.tree.to_string(), &other.to_string(), 1);
    let error = refused(&text);
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(error.to_string().contains("`nats-server` 2.15.1 (x86_64-linux)"));
    assert!(error.details().iter().any(|d| d.contains(&pin.object.to_string())));
    assert_eq!(error.details().len(), 2);
}

#[test]
fn a_hand_edit_is_noticed_even_when_valid() {
    let text = golden();
    let lock = parse(&text, Path::new("x")).expect("parse");
    assert!(is_canonical(&text, &lock));
    assert!(!is_canonical(&text.replacen("  ", "   ", 1), &lock));
}

#[test]
fn not_text() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("dep.lock.json");
    crate::fs::write_atomic(&path, b"{\n \xff").expect("write");
    let error = read(&path).expect_err("refused");
    assert!(matches!(error, Error::Malformed { line: 2, column: 2, .. }), "{error}");
}

#[test]
fn thirty_deps_on_every_platform_read_whole() {
    let lock = fixture::large_lock(30);
    let text = String::from_utf8(to_bytes(&lock).expect("bytes")).expect("text");
    assert_eq!(parse(&text, Path::new("x")).expect("parse"), lock);
}

proptest! {
    #[test]
    fn never_panics_on_text(text in "\\PC{0,200}") {
        if let Err(e) = parse(&text, Path::new("x")) {
            let _ = (e.to_string(), e.excerpt(), e.hints());
        }
    }

    #[test]
    fn never_panics_on_damage(at in 0usize..4000, with in "\\PC{0,3}", cut in 0usize..40) {
        let golden = golden();
        let at = at.min(golden.len());
        let end = (at + cut).min(golden.len());
        let text = format!("{}{with}{}", &golden[..at], &golden[end..]);
        if let Err(e) = parse(&text, Path::new("x")) {
            let excerpt = e.excerpt();
            let _ = (e.to_string(), e.hints(), e.details());
            if let Some(excerpt) = excerpt {
                prop_assert!(excerpt.text.get(excerpt.span).is_some());
            }
        }
    }
}
