//! Tars built to do harm.

use tar::{EntryType, Header};

use super::make::{gzip, packed, pax_record, tar, tar_file, tar_header, tar_link, tar_open};
use super::*;

/// Every compressed form of a tar that is held to exactly the same rules.
const PACKED: [Format; 4] = [Format::TarGz, Format::TarXz, Format::TarZst, Format::TarBz2];

fn assert_tar(entries: &[(Header, Vec<u8>)], why: &Refusal) {
    let bytes = tar(entries);
    assert_refusal(&bytes, Format::Tar, why);
    for format in PACKED {
        assert_refusal(&packed(&bytes, format), format, why);
    }
}

fn symlink(name: &str, target: &str) -> (Header, Vec<u8>) {
    tar_link(name, EntryType::Symlink, target)
}

fn hard_link(name: &str, target: &str) -> (Header, Vec<u8>) {
    tar_link(name, EntryType::Link, target)
}

#[test]
fn the_maker_makes_good_tars() {
    let bytes = tar(&[
        (tar_header("./", EntryType::Directory, 0), vec![]),
        tar_file("a/b"),
        symlink("a/c", "b"),
        hard_link("d", "a/b"),
        hard_link("e", "./d"),
    ]);
    for (bytes, format) in [(bytes.clone(), Format::Tar), (gzip(&bytes), Format::TarGz)] {
        let mut archive = open(&bytes, format).expect("opens");
        assert_eq!(names(&archive), ["a", "a/b", "a/c", "d", "e"]);
        assert_eq!(archive.read(&rel("e")).expect("copy of a copy"), b"data");
    }
}

#[test]
fn names_that_leave_the_tree() {
    for (name, why) in [
        ("../precious", Refusal::Parent),
        ("a/../../precious", Refusal::Parent),
        ("/tmp/precious", Refusal::Absolute),
        ("./../precious", Refusal::Parent),
        ("..\\precious", Refusal::Backslash),
        ("a//b", Refusal::OddComponent),
        ("a/./b", Refusal::OddComponent),
        ("a\nb", Refusal::Control),
    ] {
        assert_tar(&[tar_file("good"), tar_file(name)], &why);
        let directory = tar_header(name, EntryType::Directory, 0);
        assert_tar(&[(directory, vec![])], &why);
    }
    assert_tar(&[tar_file(b"\xff")], &Refusal::NotUtf8);
    assert_tar(&[tar_file("d/".repeat(40) + "f/")], &Refusal::Contents);
    assert_tar(&[tar_file(".")], &Refusal::Nameless);
}

#[test]
fn names_in_extended_headers_are_held_to_the_same_rules() {
    let record = pax_record("path", "../precious");
    let header = tar_header("pax", EntryType::XHeader, record.len() as u64);
    assert_tar(&[(header, record), tar_file("good")], &Refusal::Parent);

    let long = format!("{}../precious\0", "d/".repeat(100)).into_bytes();
    let header = tar_header("././@LongLink", EntryType::GNULongName, long.len() as u64);
    assert_tar(&[(header, long), tar_file("good")], &Refusal::Parent);

    let record = pax_record("linkpath", "../x");
    let header = tar_header("pax", EntryType::XHeader, record.len() as u64);
    assert_tar(&[(header, record), symlink("l", "y")], &Refusal::LinkEscapes("../x".into()));
}

#[test]
fn two_names_for_one_place() {
    assert_tar(&[tar_file("a"), tar_file("a")], &Refusal::Duplicate);
    assert_tar(&[tar_file("a"), tar_file("./a")], &Refusal::Duplicate);
    assert_tar(&[tar_file("a"), symlink("a", "b")], &Refusal::Duplicate);
    assert_tar(&[tar_file("Ab"), tar_file("aB")], &Refusal::Collides("Ab".into()));
}

#[test]
fn parents_that_are_no_directories() {
    assert_tar(&[tar_file("a"), tar_file("a/b")], &Refusal::BelowFile("a".into()));
    assert_tar(&[symlink("a", "b"), tar_file("a/c")], &Refusal::BelowLink("a".into()));
    assert_tar(&[tar_file("a/b/c"), symlink("a", ".")], &Refusal::BelowLink("a".into()));
    assert_tar(
        &[tar_file("a"), hard_link("b", "a"), tar_file("b/c")],
        &Refusal::BelowFile("b".into()),
    );
}

#[test]
fn links_that_leave_the_tree() {
    for target in ["/etc/passwd", "../x", "a/../../x"] {
        assert_tar(&[symlink("l", target)], &Refusal::LinkEscapes(target.into()));
    }
    assert_tar(&[symlink("l", "")], &Refusal::LinkTarget(String::new()));
    for target in ["/etc/passwd", "../precious", "missing", "later", "d", "l", ""] {
        let directory = (tar_header("d", EntryType::Directory, 0), vec![]);
        let link = symlink("l", "d");
        assert_tar(
            &[directory, link, hard_link("h", target), tar_file("later")],
            &Refusal::HardLink(target.into()),
        );
    }
}

#[test]
fn things_that_are_no_files() {
    for (kind, what) in [
        (EntryType::Char, "character device"),
        (EntryType::Block, "block device"),
        (EntryType::Fifo, "named pipe"),
    ] {
        assert_tar(&[(tar_header("x", kind, 0), vec![])], &Refusal::Special(what));
    }
    for mode in [0o4755, 0o2755, 0o6000] {
        let (mut header, data) = tar_file("x");
        header.set_mode(mode);
        header.set_cksum();
        assert_tar(&[(header, data)], &Refusal::SetId);
    }
    for kind in [EntryType::Directory, EntryType::Symlink, EntryType::Link] {
        let (mut header, _) = tar_link("x", kind, "y");
        header.set_size(4);
        header.set_cksum();
        assert_tar(&[(header, b"data".to_vec())], &Refusal::Contents);
    }
}

#[test]
fn what_is_not_read() {
    let sparse = pax_record("GNU.sparse.major", "1");
    let header = tar_header("pax", EntryType::XHeader, sparse.len() as u64);
    for bytes in [
        tar(&[(header, sparse), tar_file("x")]),
        tar(&[(tar_header("x", EntryType::new(b'V'), 0), vec![])]),
    ] {
        let error = refused(&bytes, Format::Tar);
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
        assert_eq!(error.kind(), Kind::User);
    }
}

#[test]
fn bombs() {
    let zeros = vec![0u8; 4 << 20];
    let bytes = tar(&[(tar_header("x", EntryType::Regular, zeros.len() as u64), zeros)]);
    let small = Limits { expanded: 1 << 20, ..Limits::DEFAULT };
    let dense = Limits { ratio: 10, ratio_from: 1 << 20, ..Limits::DEFAULT };
    for format in Format::ALL.into_iter().filter(|f| f.compression().is_some() || *f == Format::Deb)
    {
        let packed = packed(&bytes, format);
        let error = refused_within(&packed, format, &small);
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
        let error = refused_within(&packed, format, &dense);
        assert!(matches!(error, Error::Ratio { .. }), "{error:?}");
        open(&packed, format).expect("harmless under the real bounds");
    }

    let few = Limits { entries: 3, ..Limits::DEFAULT };
    let many: Vec<_> = ["a", "b", "c", "d"].map(tar_file).into();
    let error = refused_within(&tar(&many), Format::Tar, &few);
    assert!(matches!(error, Error::TooManyEntries { limit: 3, .. }), "{error:?}");

    // Hard links multiply what a file takes.
    let mut copies = vec![(tar_header("f", EntryType::Regular, 1 << 20), vec![1; 1 << 20])];
    copies.extend((0..20).map(|i| hard_link(&format!("h{i}"), "f")));
    let tight = Limits { expanded: 10 << 20, ..Limits::DEFAULT };
    let error = refused_within(&tar(&copies), Format::Tar, &tight);
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");

    // A name that would have to be held in memory.
    let long = vec![b'n'; 3 << 20];
    let header = tar_header("././@LongLink", EntryType::GNULongName, long.len() as u64);
    let error = refused(&tar(&[(header, long), tar_file("x")]), Format::Tar);
    assert!(matches!(error, Error::Unreadable { .. }), "{error:?}");
}

#[test]
fn cut_short() {
    let entries = [tar_file("a"), symlink("b", "a")];
    let bytes = tar_open(&entries);
    for cut in (0..=bytes.len()).step_by(64) {
        let error = refused(&bytes[..cut], Format::Tar);
        assert_eq!(error.kind(), Kind::Integrity, "cut at {cut}: {error:?}");
    }
    for format in PACKED {
        let packed = packed(&tar(&entries), format);
        for cut in 0..packed.len() {
            let error = refused(&packed[..cut], format);
            assert_eq!(error.kind(), Kind::Integrity, "{format} cut at {cut}: {error:?}");
        }
    }
    for format in [Format::FileXz, Format::FileGz, Format::FileBz2, Format::FileZst] {
        let packed = packed(b"a program", format);
        for cut in 1..packed.len() {
            let error = refused(&packed[..cut], format);
            assert_eq!(error.kind(), Kind::Integrity, "{format} cut at {cut}: {error:?}");
        }
    }
    // A size beyond the end, up to where sums overflow.
    for size in [5000, u64::MAX / 2, u64::MAX - 600, u64::MAX] {
        let record = pax_record("size", &size.to_string());
        let header = tar_header("pax", EntryType::XHeader, record.len() as u64);
        let error = refused(&tar(&[(header, record), tar_file("x")]), Format::Tar);
        assert_eq!(error.kind(), Kind::Integrity, "{error:?}");
    }
}

#[test]
fn garbage() {
    for bytes in [&b"MZ not an archive"[..], b"PK\x05\x06", b"\x1f\x8b\x08"] {
        for format in Format::ALL.into_iter().filter(|f| *f != Format::File) {
            assert_eq!(refused(bytes, format).kind(), Kind::Integrity, "{format}");
        }
    }
    let mut damaged = tar(&[tar_file("a")]);
    damaged[0] ^= 1;
    assert!(matches!(refused(&damaged, Format::Tar), Error::Unreadable { .. }));
    let mut packed = gzip(&tar(&[tar_file("a")]));
    let at = packed.len() - 6;
    packed[at] ^= 1;
    assert!(matches!(refused(&packed, Format::TarGz), Error::Unreadable { .. }), "checksum");
}

#[test]
fn what_follows_the_end_of_a_stream() {
    let plain = tar(&[tar_file("a")]);
    let (first, second) = plain.split_at(600);
    for format in PACKED {
        // Several streams in a row are one, as their tools write and read them.
        let streams = [packed(first, format), packed(second, format)].concat();
        let mut archive = open(&streams, format).expect("opens");
        assert_eq!(archive.read(&rel("a")).expect("read"), b"data", "{format}");
    }
    for format in [Format::TarXz, Format::TarZst] {
        let garbage = [packed(&plain, format), b"garbage and more".to_vec()].concat();
        assert_eq!(refused(&garbage, format).kind(), Kind::Integrity, "{format}");
    }
}

#[test]
fn checksums_of_compressed_bytes() {
    for format in PACKED {
        let good = packed(&tar(&[tar_file("a")]), format);
        let mut silent = 0;
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let Ok(mut archive) = open(&bad, format) else { continue };
            // What is not covered (the time in a gzip header) changes nothing.
            assert_eq!(archive.read(&rel("a")).expect("read"), b"data", "{format} at {at}");
            silent += 1;
        }
        assert!(silent < 16, "{format}: {silent}");
    }
}
