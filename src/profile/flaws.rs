//! Wrong profiles and exactly what is said about each.
//!
//! `flaws.txt` holds the cases: `=== NAME`, the files (each after `>> FILE`), `---`, and the error
//! as a person sees it. A case that no longer matches prints the whole corpus as it would be now.

use std::fmt::Write as _;
use std::path::Path;

use proptest::prelude::*;

use super::{Error, Profiles};
use crate::base::{Diagnose, EnvName};
use crate::fs;

const CORPUS: &str = include_str!("flaws.txt");

fn write(dir: &Path, file: &str, text: &str) {
    let path = dir.join("profiles").join(file);
    fs::create_dir_all(path.parent().expect("parent")).expect("create");
    fs::write_atomic(&path, text.as_bytes()).expect("write");
}

/// Message, place with what stands there, label, details, hints.
fn shown(error: &Error) -> String {
    let mut out = format!("error: {error}\n");
    if let Some(at) = error.excerpt() {
        let before = &at.text[..at.span.start];
        let line = before.matches('\n').count() + 1;
        let column = before.len() - before.rfind('\n').map_or(0, |i| i + 1) + 1;
        let text = &at.text[at.span.clone()];
        let file = at.file.display();
        writeln!(out, "  {file}:{line}:{column}  {text:?}  {}", at.label).expect("write");
    }
    for detail in error.details() {
        writeln!(out, "  {detail}").expect("write");
    }
    for hint in error.hints() {
        writeln!(out, "hint: {hint}").expect("write");
    }
    out
}

fn load(files: &str) -> Result<(), Error> {
    let dir = tempfile::tempdir().expect("directory");
    fs::create_dir_all(&dir.path().join("profiles/a-directory")).expect("create");
    fs::symlink(Path::new("/"), &dir.path().join("outside")).expect("link");
    for file in files.split(">> ").skip(1) {
        let (name, text) = file.split_once('\n').expect("a name and a text");
        write(dir.path(), name, text);
    }
    Profiles::load(dir.path())?.union().map(drop)
}

#[test]
fn corpus() {
    let mut now = String::new();
    let mut cases = 0;
    for case in CORPUS.split("=== ").skip(1) {
        let (name, rest) = case.split_once('\n').expect("a name");
        let (files, _) = rest.split_once("---\n").expect("files and what is said");
        let said = load(files).map_or_else(|e| shown(&e), |()| "no error\n".to_owned());
        write!(now, "=== {name}\n{files}---\n{said}\n").expect("write");
        cases += 1;
        assert!(!said.contains("/tmp"), "{name}: a path of the test's machine in {said}");
    }
    assert!(cases >= 30);
    assert!(CORPUS.trim_end() == now.trim_end(), "the corpus would now be:\n{now}");
}

#[test]
fn no_profiles() {
    let dir = tempfile::tempdir().expect("directory");
    let error = Profiles::load(dir.path()).expect_err("no directory");
    assert!(matches!(error, Error::NoProfiles { .. }), "{error}");
    assert!(error.hints()[0].0.contains("infra init"));
    write(dir.path(), "notes.txt", "");
    write(dir.path(), ".#dev.toml", "");
    assert!(matches!(Profiles::load(dir.path()), Err(Error::NoProfiles { .. })));
    let dev = EnvName::new("dev").expect("name");
    assert!(matches!(Profiles::load_one(dir.path(), &dev), Err(Error::NoProfiles { .. })));
}

#[test]
fn unknown_profile() {
    let dir = tempfile::tempdir().expect("directory");
    write(dir.path(), "test.toml", "");
    write(dir.path(), "dev.toml", "broken = [");
    let tset = EnvName::new("tset").expect("name");
    let error = Profiles::load_one(dir.path(), &tset).expect_err("no such profile");
    let expected = "error: no profile is called `tset`\nhint: did you mean `test`?\n\
                    hint: the profiles are `dev`, `test`\n";
    assert_eq!(shown(&error), expected);
    let test = EnvName::new("test").expect("name");
    assert!(Profiles::load_one(dir.path(), &test).is_ok(), "another file's flaw is not read");
    assert!(Profiles::load(dir.path()).is_err());
}

#[test]
fn file_name() {
    let dir = tempfile::tempdir().expect("directory");
    write(dir.path(), "my env.toml", "");
    let error = Profiles::load(dir.path()).expect_err("no name");
    assert!(error.to_string().starts_with("`profiles/my env.toml` cannot be a profile"), "{error}");
}

/// Pieces of profiles, so that random text gets past the parser now and then.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        prop::sample::select(vec![
            "[dep]\n",
            "[port]\n",
            "[env]\n",
            "[file]\n",
            "[service.a]\n",
            "[service]\n",
            "[source.pypi]\n",
            "[command]\n",
            "platforms",
            "extends",
            "data",
            "command",
            "ready",
            "after",
            "listen",
            "a",
            "b",
            " = ",
            " = false\n",
            "\"a\"",
            "['a', \"${env.a}\"]",
            "{ http = \"",
            "${port.a}",
            "${",
            "$$",
            "\"",
            "'",
            "\"\"\"",
            "\n",
            "1",
            "\"auto\"",
            "[",
            "]",
            "{",
            "}",
            ", ",
            ".",
            "ä",
            "\\u0000",
            "\r\n",
            "\u{feff}",
            "\"pypi:a@^1\"",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text_is_read_or_refused_with_a_place(pieces in prop::collection::vec(piece(), 0..24)) {
        let dir = tempfile::tempdir().expect("directory");
        write(dir.path(), "dev.toml", &pieces.concat());
        if let Err(error) = Profiles::load(dir.path()) {
            let excerpt = error.excerpt();
            prop_assert!(excerpt.is_some_and(|e| e.text.get(e.span).is_some()), "{error}");
        }
    }
}
