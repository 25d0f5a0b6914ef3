//! Hostile archives: a table of cases over every format, each refused, nothing outside touched.
//!
//! Every case goes through the library; one of each kind goes through the built binary, served as a
//! `url:` or `pypi:` dep. The snapshot holds what is said about each. `good` has the twins: unusual
//! archives that are legal and must be accepted.

mod good;
mod random;
mod served;
mod streams;
mod tar;
mod write;
mod zip;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use infra::archive::{Archive, Error, Format, Options};
use infra::base::Diagnose as _;

/// An archive and what is wrong with it.
struct Case {
    what: String,
    format: Format,
    bytes: Vec<u8>,
}

impl Case {
    fn new(what: &str, format: Format, bytes: Vec<u8>) -> Self {
        Self { what: what.to_owned(), format, bytes }
    }
}

fn cases() -> Vec<Case> {
    [tar::cases(), zip::cases(), streams::cases()].into_iter().flatten().collect()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("tempfile");
    file.write_all(bytes).expect("write");
    file
}

fn open(bytes: &[u8], format: Format) -> Result<Archive, Error> {
    let options = Options { format, strip: 0, file_name: "tool".to_owned() };
    Archive::open(file(bytes), "evil", &options)
}

/// Everything below a directory but `into`, with contents.
fn surroundings(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut out = BTreeMap::new();
    for entry in std::fs::read_dir(root).expect("list") {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        let bytes = if path.is_file() { std::fs::read(&path).expect("read") } else { Vec::new() };
        out.insert(name, bytes);
    }
    out
}

/// A place with something precious around the directory that is unpacked into.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("tempdir");
    std::fs::create_dir(place.path().join("into")).expect("create");
    for name in ["precious", "escaped", "x"] {
        std::fs::write(place.path().join(name), "kept").expect("write");
    }
    place
}

/// What is said when it is opened and unpacked; that it was refused, and nothing else touched.
fn refusal(case: &Case) -> String {
    let place = place();
    let into = place.path().join("into");
    let before = surroundings(place.path());
    let opened = open(&case.bytes, case.format);
    let when = if opened.is_err() { "open" } else { "read" };
    let what = format!("{}, {}", case.format, case.what);
    let error = match opened.and_then(|mut archive| archive.unpack(&into)) {
        Ok(_) => return format!("{} | {} | ACCEPTED", case.format, case.what),
        Err(error) => error,
    };
    assert_eq!(surroundings(place.path()), before, "{what}: something outside was touched");
    if when == "open" {
        assert_eq!(std::fs::read_dir(&into).expect("list").count(), 0, "{what}: written");
    }
    assert!(!error.hints().is_empty(), "{what}: no next step");
    let mut said = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(inner) = source {
        said = format!("{said}: {inner}");
        source = inner.source();
    }
    assert!(!said.chars().any(char::is_control), "{what}: {said:?}");
    if said.len() > 160 {
        let cut = (0..=140).rev().find(|at| said.is_char_boundary(*at)).expect("a boundary");
        said = format!("{}… ({} bytes)", &said[..cut], said.len());
    }
    format!("{} | {} | {when}, exit {} | {said}", case.format, case.what, error.kind().exit_code())
}

#[test]
fn each_is_refused_and_touches_nothing() {
    let cases = cases();
    let mut formats = std::collections::BTreeSet::new();
    let mut names = std::collections::BTreeSet::new();
    for case in &cases {
        formats.insert(case.format.to_string());
        assert!(names.insert((case.format.to_string(), case.what.clone())), "{} twice", case.what);
    }
    assert!(cases.len() >= 120, "only {} cases", cases.len());
    assert_eq!(formats.len(), 11, "a format is missing: {formats:?}");
    assert!(!Path::new("/tmp/escaped").exists());
    let table: Vec<_> = cases.iter().map(refusal).collect();
    assert!(!Path::new("/tmp/escaped").exists(), "an absolute path was written");
    let accepted: Vec<_> = table.iter().filter(|line| line.ends_with("ACCEPTED")).collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
    insta::assert_snapshot!("hostile", format!("{} cases\n{}", table.len(), table.join("\n")));
}

/// Seeds for `fuzz/`: every case, and the good archives, below the directory that
/// `FUZZ_SEEDS` names.
#[test]
#[ignore = "writes a corpus for the fuzzers"]
fn write_seeds() {
    let Some(root) = std::env::var_os("FUZZ_SEEDS") else { return };
    let good = good::all().into_iter().map(|g| (g.format, g.bytes));
    // What expands far takes long each time, and teaches nothing new.
    let hostile = cases().into_iter().filter(|c| !c.what.contains("bomb"));
    let all = hostile.map(|c| (c.format, c.bytes)).chain(good);
    for (i, (format, bytes)) in all.enumerate().filter(|(_, (_, b))| b.len() < 64 << 10) {
        let choice = ["gz", "xz", "zst", "bz2"].iter().position(|n| *n == format.to_string());
        let (target, bytes) = match (format, choice) {
            (_, Some(choice)) => ("compressed", [vec![choice as u8], bytes].concat()),
            (Format::Tar, _) => ("tar", bytes),
            (Format::Zip, _) => ("zip", bytes),
            (Format::Deb, _) => ("deb", bytes),
            _ => continue,
        };
        let dir = Path::new(&root).join(target);
        std::fs::create_dir_all(&dir).expect("create");
        std::fs::write(dir.join(format!("seed-{i:03}")), bytes).expect("write");
    }
    #[cfg(feature = "provenance")]
    write_proofs(Path::new(&root));
}

/// Seeds of proofs: documents with signed bundles, behind the number by which the fuzzer chooses
/// the reader.
#[cfg(feature = "provenance")]
fn write_proofs(root: &Path) {
    let dir = root.join("evidence");
    std::fs::create_dir_all(&dir).expect("create");
    for (name, choice, document) in proofs() {
        let bytes = [vec![choice], document.to_string().into_bytes()].concat();
        std::fs::write(dir.join(format!("seed-{name}")), bytes).expect("write");
    }
}

/// One document as each kind of server answers it.
#[cfg(feature = "provenance")]
fn proofs() -> Vec<(&'static str, u8, serde_json::Value)> {
    use crate::upstream::{Authority, Identity, attestation_object};
    use serde_json::json;

    let authority = Authority::new();
    let who = Identity::workflow("owner/name", "release.yml", "refs/tags/v1");
    let hex = "c7c5c1d70c5dec4416ab6158afd0b223ef40c29b1dc1f97ed9428b94d4cadb1c";
    let bundle = authority.attest(&who, &[("x-1.0.0.tgz", "sha256", hex)]);
    let publisher =
        json!({"kind": "GitHub", "repository": "owner/name", "workflow": "release.yml"});
    let attestations = json!([attestation_object(&bundle)]);
    let bundles = json!([{"publisher": publisher, "attestations": attestations}]);
    vec![
        ("bundle-pypi", 0, json!({"version": 1, "attestation_bundles": bundles})),
        ("bundle-npm", 1, json!({"attestations": [{"predicateType": "p", "bundle": bundle}]})),
        ("bundle-forge", 2, json!({"attestations": [{"bundle": bundle}]})),
    ]
}

/// Archives of this machine: the rules must not be so strict that real ones break. The file that
/// `REAL_ARCHIVES` names has a path per line; what is refused is printed.
#[test]
#[ignore = "reads archives that the caller lists"]
fn real_archives_are_read() {
    let Some(list) = std::env::var_os("REAL_ARCHIVES") else { return };
    let (mut read, mut refused) = (0, 0);
    for path in std::fs::read_to_string(list).expect("a list").lines().map(Path::new) {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        let format = match path.extension().and_then(|e| e.to_str()) {
            Some("crate") => Some(Format::TarGz),
            Some("jar") => Some(Format::Zip),
            _ => Format::of_name(&name),
        };
        let (Some(format), Ok(file)) = (format, File::open(path)) else { continue };
        let options = Options { format, strip: 0, file_name: "tool".to_owned() };
        match Archive::open(file, &name, &options).and_then(|mut archive| archive.hash()) {
            Ok(_) => read += 1,
            Err(error) => {
                refused += 1;
                eprintln!("{}: {error}", path.display());
            }
        }
    }
    eprintln!("{read} read, {refused} refused");
}
