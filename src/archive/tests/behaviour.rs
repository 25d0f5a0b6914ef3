//! What a good archive becomes.

use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

use tar::EntryType;

use super::make::{gzip, tar, tar_file, tar_header, tar_link, zip, zip_entry, zip_file, zip_link};
use super::*;
use crate::archive::{Entry, EntryKind};
use crate::nar::hash_path;
use crate::nar::tests::tree::Tree;

#[test]
fn modes_times_and_links_on_disk() {
    let bytes = zip(&[
        zip_entry("bin/run", 0o100_750, "#!"),
        zip_entry("bin/data", 0o100_677, "x"),
        zip_link("bin/link", "../lib"),
        zip_entry("lib/", 0o040_700, ""),
    ]);
    let place = Place::new();
    let mut archive = open(&bytes, Format::Zip).expect("opens");
    let result = archive.unpack(&place.target()).expect("unpacks");
    place.assert_untouched();
    let mode = |path: &str| {
        let meta = crate::fs::lstat(&place.target().join(path)).expect("lstat");
        (meta.permissions().mode() & 0o7777, meta.mtime())
    };
    assert_eq!(mode("bin/run"), (0o555, 1));
    assert_eq!(mode("bin/data"), (0o444, 1), "only the owner's bit counts");
    assert_eq!(mode("bin/link").1, 1);
    assert_eq!((mode("bin").0, mode("lib").0), (0o755, 0o755));
    let target = crate::fs::read_link(&place.target().join("bin/link")).expect("link");
    assert_eq!(target, Path::new("../lib"));

    let tree = Tree::dir([
        (
            "bin",
            Tree::dir([
                ("data", Tree::file("x")),
                ("link", Tree::Link("../lib".into())),
                ("run", Tree::program("#!")),
            ]),
        ),
        ("lib", Tree::dir([])),
    ]);
    assert_eq!(result, tree.hash());
    assert_eq!(result, hash_path(&place.target()).expect("hash"));
    assert_eq!(result, open(&bytes, Format::Zip).expect("opens").hash().expect("hash"));
}

#[test]
fn the_exec_bit_counts_only_from_unix() {
    let mut dos = zip_entry("x", 0o100_755, "");
    dos.system = 0;
    let archive = open(&zip(&[dos]), Format::Zip).expect("opens");
    assert_eq!(archive.entries()[0].kind, EntryKind::File { executable: false, size: 0 });
}

#[test]
fn strips_components() {
    let bytes = gzip(&tar(&[
        (tar_header("package", EntryType::Directory, 0), vec![]),
        tar_file("package/bin/run"),
        tar_link("package/hard", EntryType::Link, "package/bin/run"),
        tar_file("other/x"),
    ]));
    let options = Options { strip: 1, ..options(Format::TarGz) };
    let mut archive = Archive::open(make::file(&bytes), "x.tgz", &options).expect("opens");
    assert_eq!(names(&archive), ["bin", "bin/run", "hard", "x"]);
    assert_eq!(archive.read(&rel("hard")).expect("read"), b"data");

    let top = tar(&[tar_file("a/b"), tar_file("README")]);
    let options = Options { strip: 1, format: Format::Tar, ..options };
    let error = Archive::open(make::file(&top), "x.tar", &options).err().expect("refused");
    assert!(matches!(&error, Error::Stripped { entry, .. } if entry == "README"), "{error:?}");
    assert_eq!(error.kind(), Kind::User);

    // What is dropped is held to the rules all the same, and two trees do not merge.
    for (entries, why) in [
        (vec![tar_file("../b")], Refusal::Parent),
        (vec![tar_file("a/x"), tar_file("b/x")], Refusal::Duplicate),
        (vec![tar_link("a/l", EntryType::Symlink, "../x")], Refusal::LinkEscapes("../x".into())),
    ] {
        let error = Archive::open(make::file(&tar(&entries)), "x.tar", &options).err();
        assert!(matches!(&error, Some(Error::Refused { why: w, .. }) if *w == why), "{error:?}");
    }
}

#[test]
fn one_file() {
    let mut archive = open(b"#!/bin/sh\n", Format::File).expect("opens");
    let kind = EntryKind::File { executable: true, size: 10 };
    assert_eq!(archive.entries(), [Entry { path: rel("tool"), kind }]);
    assert_eq!(
        archive.hash().expect("hash"),
        Tree::dir([("tool", Tree::program("#!/bin/sh\n"))]).hash()
    );
    let place = Place::new();
    archive.unpack(&place.target()).expect("unpacks");
    assert!(exists(&place.target().join("tool")));

    let options = Options { file_name: "../precious".into(), ..options(Format::File) };
    let error = Archive::open(make::file(b"x"), "x", &options).err().expect("refused");
    assert!(matches!(error, Error::Refused { why: Refusal::Parent, .. }), "{error:?}");
}

#[test]
fn marks_executables() {
    let bytes = zip(&[zip_file("a/b"), zip_file("c"), zip_link("l", "c")]);
    let mut archive = open(&bytes, Format::Zip).expect("opens");
    archive.set_executable(&BTreeSet::from([rel("a/b")])).expect("marks");
    let tree = Tree::dir([
        ("a", Tree::dir([("b", Tree::program("data"))])),
        ("c", Tree::file("data")),
        ("l", Tree::Link("c".into())),
    ]);
    assert_eq!(archive.hash().expect("hash"), tree.hash());
    for path in ["a", "l", "none", "a/b/c"] {
        let error = archive.set_executable(&BTreeSet::from([rel("c"), rel(path)]));
        let error = error.expect_err(path);
        assert!(matches!(&error, Error::NoFile { entry, .. } if entry == path), "{error:?}");
        assert_eq!(error.kind(), Kind::User);
    }
    assert_eq!(archive.hash().expect("hash"), tree.hash(), "an error marks nothing");
}

#[test]
fn reads_files_and_heads() {
    let big: Vec<u8> = (0..600_000u32).map(|i| (i / 3) as u8).collect();
    let zipped = zip(&[zip_entry("d/big", 0o100_644, &big), zip_file("e")]);
    let header = tar_header("d/big", EntryType::Regular, big.len() as u64);
    let tarred = tar(&[(header, big.clone()), tar_file("e")]);
    for (bytes, format) in [(zipped, Format::Zip), (tarred, Format::Tar)] {
        let mut archive = open(&bytes, format).expect("opens");
        assert_eq!(archive.read(&rel("d/big")).expect("read"), big);
        assert_eq!(archive.read_head(&rel("d/big"), 4).expect("head"), &big[..4]);
        assert_eq!(archive.read_head(&rel("d/big"), 0).expect("head"), b"");
        assert_eq!(archive.read_head(&rel("d/big"), 300_000).expect("head"), &big[..300_000]);
        assert_eq!(archive.read_head(&rel("e"), 100).expect("head"), b"data");
        for path in ["d", "none"] {
            assert!(matches!(archive.read(&rel(path)), Err(Error::NoFile { .. })), "{path}");
        }
    }
}

#[test]
fn unpacks_only_into_an_empty_directory() {
    let place = Place::new();
    crate::fs::write_atomic(&place.target().join("a"), b"mine").expect("write");
    let mut archive = open(&zip(&[zip_file("a")]), Format::Zip).expect("opens");
    assert!(matches!(archive.unpack(&place.target()), Err(Error::NotEmpty { .. })));
    assert_eq!(crate::fs::read(&place.target().join("a")).expect("read"), b"mine");
}

#[test]
fn links_inside_the_tree_are_kept() {
    let bytes = zip(&[
        zip_link("a/up", ".."),
        zip_link("a/b/c", "../../x/./y"),
        zip_link("dangling", "nowhere/at/all"),
        zip_link("root", "."),
        zip_link("chain", "a/up/root/dangling"),
    ]);
    let mut archive = open(&bytes, Format::Zip).expect("opens");
    let place = Place::new();
    let result = archive.unpack(&place.target()).expect("unpacks");
    assert_eq!(result, hash_path(&place.target()).expect("hash"));
}

#[test]
fn an_empty_archive_is_an_empty_tree() {
    let empty = Tree::dir([]).hash();
    for (bytes, format) in
        [(zip(&[]), Format::Zip), (tar(&[]), Format::Tar), (gzip(&tar(&[])), Format::TarGz)]
    {
        assert_eq!(open(&bytes, format).expect("opens").hash().expect("hash"), empty);
    }
}

#[test]
fn global_headers_are_no_entries() {
    let comment = make::pax_record("comment", "0123456789");
    let header = tar_header("pax_global_header", EntryType::XGlobalHeader, comment.len() as u64);
    let bytes = tar(&[(header, comment), tar_file("a")]);
    assert_eq!(names(&open(&bytes, Format::Tar).expect("opens")), ["a"]);
}
