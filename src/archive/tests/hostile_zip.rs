//! Zips built to do harm.

use super::make::{ZipEntry, zip, zip_entry, zip_file, zip_link, zip_overlapping};
use super::*;

fn assert_zip(entries: &[ZipEntry], why: &Refusal) {
    assert_refusal(&zip(entries), Format::Zip, why);
}

#[test]
fn the_maker_makes_good_zips() {
    let bytes = zip(&[zip_file("a/b"), zip_link("a/c", "b"), zip_entry("d/", 0o040_755, "")]);
    let archive = open(&bytes, Format::Zip).expect("opens");
    assert_eq!(names(&archive), ["a", "a/b", "a/c", "d"]);
}

#[test]
fn names_that_leave_the_tree() {
    for (name, why) in [
        ("../precious", Refusal::Parent),
        ("a/../../precious", Refusal::Parent),
        ("..", Refusal::Parent),
        ("/tmp/precious", Refusal::Absolute),
        ("//precious", Refusal::Absolute),
        ("./../precious", Refusal::Parent),
        ("C:/precious", Refusal::Absolute),
        ("..\\precious", Refusal::Backslash),
        ("a//b", Refusal::OddComponent),
        ("a/./b", Refusal::OddComponent),
        ("a\0b", Refusal::Control),
        ("a\r\x1b[2K", Refusal::Control),
    ] {
        assert_zip(&[zip_file("good"), zip_file(name)], &why);
    }
    assert_zip(&[zip_file(b"\xff\xfe")], &Refusal::NotUtf8);
    assert_zip(&[zip_file("")], &Refusal::Nameless);
    assert_zip(&[zip_file("n".repeat(256))], &Refusal::TooLong);
    assert_zip(&[zip_file("n/".repeat(2100) + "n")], &Refusal::TooLong);
    assert_zip(&[zip_file("d/".repeat(128) + "f")], &Refusal::TooDeep);
}

#[test]
fn two_names_for_one_place() {
    assert_zip(&[zip_file("a"), zip_file("a")], &Refusal::Duplicate);
    assert_zip(&[zip_file("a"), zip_file("./a")], &Refusal::Duplicate);
    assert_zip(&[zip_file("a"), zip_entry("a/", 0o040_755, "")], &Refusal::Duplicate);
    assert_zip(&[zip_file("Readme"), zip_file("README")], &Refusal::Collides("README".into()));
    assert_zip(&[zip_file("A/x"), zip_file("a/y")], &Refusal::Collides("A".into()));
    assert_zip(&[zip_file("é"), zip_file("e\u{301}")], &Refusal::Collides("e\u{301}".into()));
}

#[test]
fn parents_that_are_no_directories() {
    assert_zip(&[zip_file("a/b"), zip_file("a")], &Refusal::BelowFile("a".into()));
    assert_zip(&[zip_file("a/b/c"), zip_file("a")], &Refusal::BelowFile("a".into()));
    assert_zip(&[zip_link("a", "b"), zip_file("a/c")], &Refusal::BelowLink("a".into()));
    assert_zip(&[zip_link("a", "."), zip_file("A/c")], &Refusal::Collides("A".into()));
}

#[test]
fn links_that_leave_the_tree() {
    for target in ["/etc/passwd", "..", "../x", "a/../../x", "C:/x"] {
        assert_zip(&[zip_link("l", target)], &Refusal::LinkEscapes(target.into()));
    }
    assert_zip(&[zip_link("a/b/l", "../../../x")], &Refusal::LinkEscapes("../../../x".into()));
    assert_zip(&[zip_link("l", "")], &Refusal::LinkTarget(String::new()));
    assert_zip(&[zip_link("l", "a\\b")], &Refusal::LinkTarget("a\\b".into()));
    assert_zip(&[zip_link("l", "a\0b")], &Refusal::LinkTarget("a\\u{0}b".into()));
    assert_zip(&[zip_link("l", vec![b'x'; 5000])], &Refusal::LinkTarget("5000 bytes".into()));
}

#[test]
fn links_that_leave_the_tree_together() {
    // `a/up` is the root; `..` from there is outside, though the path alone looks harmless.
    assert_zip(
        &[zip_link("a/up", ".."), zip_link("a/out", "up/../x")],
        &Refusal::LinkEscapes("up/../x".into()),
    );
    // The same where case does not count.
    assert_zip(
        &[zip_link("a/up", ".."), zip_link("a/out", "UP/../x")],
        &Refusal::LinkEscapes("UP/../x".into()),
    );
    assert_zip(&[zip_link("a", "b"), zip_link("b", "a")], &Refusal::LinkLoops("b".into()));
    assert_zip(&[zip_link("a", "a/x")], &Refusal::LinkLoops("a/x".into()));
}

#[test]
fn things_that_are_no_files() {
    for (mode, what) in [
        (0o020_644, "character device"),
        (0o060_644, "block device"),
        (0o010_644, "named pipe"),
        (0o140_644, "socket"),
        (0o110_644, "thing of unknown type"),
    ] {
        assert_zip(&[zip_entry("x", mode, "")], &Refusal::Special(what));
    }
    for mode in [0o104_755, 0o102_755, 0o106_755] {
        assert_zip(&[zip_entry("x", mode, "")], &Refusal::SetId);
    }
    assert_zip(&[zip_entry("d/", 0o040_755, "x")], &Refusal::Contents);
}

#[test]
fn what_is_not_read() {
    let mut encrypted = zip_file("x");
    encrypted.flags |= 1;
    let error = refused(&zip(&[encrypted]), Format::Zip);
    assert!(matches!(error, Error::Encrypted { .. }), "{error:?}");
    assert_eq!(error.kind(), Kind::User);

    let mut bzip2 = zip_file("x");
    bzip2.method = 12;
    let error = refused(&zip(&[bzip2]), Format::Zip);
    assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    assert_eq!(error.kind(), Kind::User);
}

#[test]
fn bombs() {
    let mut huge = zip_file("x");
    huge.size = u32::MAX - 1;
    let entries: Vec<_> =
        (0..5).map(|i| ZipEntry { name: format!("x{i}").into_bytes(), ..huge.clone() }).collect();
    let error = refused(&zip(&entries), Format::Zip);
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    let error = refused(&zip(&entries[..1]), Format::Zip);
    assert!(matches!(error, Error::Ratio { .. }), "{error:?}");

    let error = refused(&zip_overlapping(&[zip_file("a"), zip_file("b")]), Format::Zip);
    assert!(matches!(error, Error::Overlap { .. }), "{error:?}");

    let few = Limits { entries: 3, ..Limits::DEFAULT };
    let many: Vec<_> = ["a", "b", "c", "d"].map(zip_file).into();
    let error = refused_within(&zip(&many), Format::Zip, &few);
    assert!(matches!(error, Error::TooManyEntries { limit: 3, .. }), "{error:?}");
    // Directories that only paths imply count too.
    let error = refused_within(&zip(&[zip_file("a/b/c/d")]), Format::Zip, &few);
    assert!(matches!(error, Error::TooManyEntries { .. }), "{error:?}");
}

#[test]
fn cut_short() {
    let bytes = zip(&[zip_file("a"), zip_file("b")]);
    for cut in 0..bytes.len() {
        let error = refused(&bytes[..cut], Format::Zip);
        assert_eq!(error.kind(), Kind::Integrity, "cut at {cut}: {error:?}");
    }
}

#[test]
fn contents_that_are_not_as_announced() {
    let mut shorter = zip_file("x");
    shorter.size = 3;
    let error = fails_later(&zip(&[zip_file("a"), shorter]), Format::Zip);
    assert!(matches!(error, Error::Size { .. } | Error::Damaged { .. }), "{error:?}");

    let mut longer = zip_file("x");
    longer.size = 5;
    let error = fails_later(&zip(&[longer]), Format::Zip);
    assert!(matches!(error, Error::Size { announced: 5, .. }), "{error:?}");

    let mut wrong = zip_file("x");
    wrong.crc ^= 1;
    let error = fails_later(&zip(&[wrong]), Format::Zip);
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");

    let mut empty = zip_entry("x", 0o100_644, "");
    empty.crc = 1;
    let error = fails_later(&zip(&[empty]), Format::Zip);
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");

    let mut garbage = zip_file("x");
    garbage.method = 8;
    let error = fails_later(&zip(&[garbage]), Format::Zip);
    assert!(matches!(error, Error::Damaged { .. } | Error::Size { .. }), "{error:?}");
}
