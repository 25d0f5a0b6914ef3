//! Archives: the same tree hashed and unpacked, and nothing beside it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use infra::archive::{Archive, Format, Options, Part};

use crate::PLACE;

/// The bytes as a file in memory.
fn file(bytes: &[u8]) -> File {
    let fd = rustix::fs::memfd_create("fuzz", rustix::fs::MemfdFlags::CLOEXEC).expect("memfd");
    let mut file = File::from(fd);
    file.write_all(bytes).expect("memory");
    file
}

fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).expect("a directory");
    let mut names: Vec<_> =
        entries.map(|e| e.expect("entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Opens, hashes and unpacks. Refused or not: nothing beside the target is touched, and what was
/// unpacked has the hash that was announced.
pub fn archive(bytes: &[u8], format: Format) {
    let options = Options { format, strip: 0, file_name: "tool".to_owned() };
    if let Ok(archive) = Archive::open(file(bytes), "fuzz", &options) {
        unpacked(archive);
    }
}

fn unpacked(mut archive: Archive) {
    let announced = archive.hash();
    // Large trees are only hashed: the disk is in memory.
    let large = announced.as_ref().is_ok_and(|(_, size)| *size > 16 << 20);
    if large || archive.entries().len() > 2000 {
        return;
    }
    let into = PLACE.join("into");
    let _ = std::fs::remove_dir_all(&into);
    std::fs::create_dir(&into).expect("create");
    let unpacked = archive.unpack(&into);
    assert_eq!(names(&PLACE), ["into"], "something is outside");
    match (announced, unpacked) {
        (Ok(announced), Ok(unpacked)) => {
            assert_eq!(announced, unpacked, "hashing and unpacking see two trees");
            assert_eq!(infra::nar::hash_path(&into).expect("readable"), unpacked, "on disk");
        }
        (Err(_), Err(_)) => {}
        (announced, unpacked) => panic!("{announced:?} but {unpacked:?}"),
    }
}

/// The bytes with the checksum of everything that looks like a tar header put right.
pub fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for block in bytes.chunks_exact_mut(512) {
        if !block[257..].starts_with(b"ustar") {
            continue;
        }
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|b| u32::from(*b)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    bytes
}

/// A compressed file; the first byte chooses the compression.
pub fn compressed(data: &[u8]) {
    let Some((choice, rest)) = data.split_first() else { return };
    let formats = [Format::FileGz, Format::FileXz, Format::FileZst, Format::FileBz2];
    archive(rest, formats[usize::from(*choice) % formats.len()]);
}

/// Layers of an image over each other: the first byte says how many, each is as long as the others.
pub fn layers(data: &[u8]) {
    let Some((count, rest)) = data.split_first() else { return };
    let length = rest.len() / 512 / (usize::from(*count) % 3 + 1) * 512;
    if length == 0 {
        return;
    }
    let bytes = with_checksums(rest);
    let parts = bytes.chunks(length).map(|bytes| Part {
        file: file(bytes),
        options: Options { format: Format::Layer, strip: 0, file_name: "tool".to_owned() },
    });
    if let Ok(archive) = Archive::open_stack(parts.collect(), "fuzz") {
        unpacked(archive);
    }
}
