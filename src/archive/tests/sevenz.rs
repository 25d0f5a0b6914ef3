//! 7z archives, as the crate and p7zip write them.

use std::io::Cursor;

use sevenz_rust2::{ArchiveEntry, ArchiveWriter, EncoderMethod};

use super::*;
use crate::archive::EntryKind;

/// An entry with a Unix mode, as p7zip has it.
fn entry(name: &str, mode: u32) -> ArchiveEntry {
    let mut entry = ArchiveEntry::new_file(name);
    entry.has_windows_attributes = true;
    entry.windows_attributes = 0x8000 | mode << 16;
    entry
}

fn sevenz(entries: Vec<(ArchiveEntry, &[u8])>) -> Vec<u8> {
    let mut writer = ArchiveWriter::new(Cursor::new(Vec::new())).expect("writer");
    for (entry, data) in entries {
        writer.push_archive_entry(entry, Some(data)).expect("entry");
    }
    writer.finish().expect("finish").into_inner()
}

#[test]
fn reads_files_modes_and_links() {
    let bytes = sevenz(vec![
        (entry("tool/bin/run", 0o100_755), b"program"),
        (entry("tool/README", 0o100_644), b"read me"),
        (entry("tool/link", 0o120_777), b"bin/run"),
        (ArchiveEntry::new_file("tool/from-windows"), b"x"),
    ]);
    let mut archive = open(&bytes, Format::SevenZ).expect("opens");
    let want =
        ["tool", "tool/README", "tool/bin", "tool/bin/run", "tool/from-windows", "tool/link"];
    assert_eq!(names(&archive), want);
    assert_eq!(archive.read(&rel("tool/bin/run")).expect("read"), b"program");
    let kinds: Vec<_> = archive.entries().iter().map(|e| e.kind.clone()).collect();
    assert_eq!(kinds[3], EntryKind::File { executable: true, size: 7 });
    assert_eq!(kinds[1], EntryKind::File { executable: false, size: 7 });
    assert_eq!(kinds[5], EntryKind::Symlink { target: "bin/run".into() });
    let place = Place::new();
    let hash = archive.hash().expect("hash");
    assert_eq!(archive.unpack(&place.target()).expect("unpack"), hash);
}

/// As 7-Zip and some builders write them; Deflate64 is a method of its own, and not read.
#[test]
fn reads_every_method_that_is_documented() {
    let data = b"bytes that repeat, bytes that repeat, bytes that repeat".repeat(40);
    for method in [
        EncoderMethod::COPY,
        EncoderMethod::LZMA,
        EncoderMethod::LZMA2,
        EncoderMethod::PPMD,
        EncoderMethod::BZIP2,
        EncoderMethod::DEFLATE,
    ] {
        let mut writer = ArchiveWriter::new(Cursor::new(Vec::new())).expect("writer");
        writer.set_content_methods(vec![method.into()]);
        writer.push_archive_entry(entry("x", 0o100_755), Some(&data[..])).expect("entry");
        let bytes = writer.finish().expect("finish").into_inner();
        let mut archive = open(&bytes, Format::SevenZ).expect("opens");
        assert_eq!(archive.read(&rel("x")).expect("read"), data, "{}", method.name());
        // The bounds hold for each.
        let bomb = Limits { expanded: 100, ..Limits::DEFAULT };
        let error = refused_within(&bytes, Format::SevenZ, &bomb);
        assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    }
}

#[test]
fn refuses_what_other_archives_may_not_hold() {
    for (one, data, why) in [
        (entry("../x", 0o100_644), "", Refusal::Parent),
        (entry("/x", 0o100_644), "", Refusal::Absolute),
        (entry("x", 0o104_755), "", Refusal::SetId),
        (entry("x", 0o020_644), "", Refusal::Special("device, pipe or socket")),
        (entry("x", 0o120_777), "../y", Refusal::LinkEscapes("../y".into())),
    ] {
        let bytes = sevenz(vec![(one, data.as_bytes())]);
        assert_refusal(&bytes, Format::SevenZ, &why);
    }
    let twice = sevenz(vec![(entry("a", 0o100_644), b"1"), (entry("a", 0o100_644), b"2")]);
    assert_refusal(&twice, Format::SevenZ, &Refusal::Duplicate);
}

#[test]
fn bounds_and_damage() {
    let zeros = vec![0; 3 << 20];
    let bomb = sevenz(vec![(entry("x", 0o100_644), &zeros)]);
    let small = Limits { expanded: 1 << 20, ..Limits::DEFAULT };
    let error = refused_within(&bomb, Format::SevenZ, &small);
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    let dense = Limits { ratio: 10, ratio_from: 1 << 20, ..Limits::DEFAULT };
    let error = refused_within(&bomb, Format::SevenZ, &dense);
    assert!(matches!(error, Error::Ratio { .. }), "{error:?}");

    let good = sevenz(vec![(entry("x", 0o100_644), b"some bytes that are packed")]);
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        if let Ok(mut archive) = open(&bad, Format::SevenZ)
            && archive.entries().iter().any(|e| e.path.as_str() == "x")
        {
            assert_eq!(archive.read(&rel("x")).expect("read"), b"some bytes that are packed");
        }
        let cut = open(&good[..at], Format::SevenZ).err().expect("cut");
        assert_eq!(cut.kind(), Kind::Integrity, "{at}: {cut:?}");
    }
}
