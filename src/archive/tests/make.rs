//! Makers of archives, honest and not.

use std::fs::File;
use std::io::{Seek as _, Write as _};

use tar::{EntryType, Header};

pub(in crate::archive) fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().expect("tempfile");
    file.write_all(bytes).expect("write");
    file.rewind().expect("rewind");
    file
}

pub(in crate::archive) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).expect("gzip");
    out.finish().expect("gzip")
}

pub(in crate::archive) fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).expect("xz");
    out.write_all(bytes).expect("xz");
    out.finish().expect("xz")
}

pub(in crate::archive) fn zstd(bytes: &[u8]) -> Vec<u8> {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

pub(in crate::archive) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(bytes).expect("bzip2");
    out.finish().expect("bzip2")
}

/// The bytes as a format compresses them; a Debian package gets its other members.
pub(in crate::archive) fn packed(plain: &[u8], format: crate::archive::Format) -> Vec<u8> {
    use crate::archive::{Compression, Format};
    match (format, format.compression()) {
        (Format::Deb, _) => deb("data.tar.xz", &xz(plain)),
        (_, Some(Compression::Gzip)) => gzip(plain),
        (_, Some(Compression::Xz)) => xz(plain),
        (_, Some(Compression::Zstd)) => zstd(plain),
        (_, Some(Compression::Bzip2)) => bzip2(plain),
        (_, None) => plain.to_vec(),
    }
}

/// ar(5): magic, then header and bytes of each member, padded to even lengths.
pub(in crate::archive) fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, body) in members {
        let size = body.len();
        out.extend_from_slice(
            format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644).as_bytes(),
        );
        out.extend_from_slice(body);
        out.resize(out.len().next_multiple_of(2), b'\n');
    }
    out
}

/// deb(5) with this member as data.
pub(in crate::archive) fn deb(name: &str, data: &[u8]) -> Vec<u8> {
    let control = gzip(&tar(&[tar_file("control")]));
    ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), (name, data)])
}

/// A zip entry, every field free.
#[derive(Clone)]
pub(in crate::archive) struct ZipEntry {
    pub(in crate::archive) name: Vec<u8>,
    pub(in crate::archive) data: Vec<u8>,
    pub(in crate::archive) mode: u32,
    pub(in crate::archive) system: u8,
    pub(in crate::archive) flags: u16,
    pub(in crate::archive) method: u16,
    pub(in crate::archive) crc: u32,
    pub(in crate::archive) size: u32,
}

pub(in crate::archive) fn zip_entry(
    name: impl AsRef<[u8]>,
    mode: u32,
    data: impl AsRef<[u8]>,
) -> ZipEntry {
    let data = data.as_ref().to_vec();
    let mut crc = flate2::Crc::new();
    crc.update(&data);
    ZipEntry {
        name: name.as_ref().to_vec(),
        mode,
        system: 3,
        flags: 0x800,
        method: 0,
        crc: crc.sum(),
        size: data.len() as u32,
        data,
    }
}

pub(in crate::archive) fn zip_file(name: impl AsRef<[u8]>) -> ZipEntry {
    zip_entry(name, 0o100_644, "data")
}

pub(in crate::archive) fn zip_link(name: &str, target: impl AsRef<[u8]>) -> ZipEntry {
    zip_entry(name, 0o120_777, target)
}

/// APPNOTE 4.3: local headers and data, central directory, end record.
pub(in crate::archive) fn zip(entries: &[ZipEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut central = Vec::new();
    for entry in entries {
        zip_header(entry, out.len() as u32, &mut out, &mut central);
    }
    zip_end(entries.len(), out, &central)
}

/// Entries that all claim the data of the first.
pub(in crate::archive) fn zip_overlapping(entries: &[ZipEntry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut central = Vec::new();
    zip_header(&entries[0], 0, &mut out, &mut central);
    for entry in &entries[1..] {
        zip_header(entry, 0, &mut Vec::new(), &mut central);
    }
    zip_end(entries.len(), out, &central)
}

fn zip_header(entry: &ZipEntry, offset: u32, out: &mut Vec<u8>, central: &mut Vec<u8>) {
    let mut common = Vec::new();
    for word in [20, entry.flags, entry.method, 0, 0x21] {
        common.extend_from_slice(&u16::to_le_bytes(word));
    }
    for word in [entry.crc, entry.data.len() as u32, entry.size] {
        common.extend_from_slice(&word.to_le_bytes());
    }
    common.extend_from_slice(&(entry.name.len() as u16).to_le_bytes());
    common.extend_from_slice(&0u16.to_le_bytes());

    out.extend_from_slice(b"PK\x03\x04");
    out.extend_from_slice(&common);
    out.extend_from_slice(&entry.name);
    out.extend_from_slice(&entry.data);

    central.extend_from_slice(b"PK\x01\x02");
    central.extend_from_slice(&[20, entry.system]);
    central.extend_from_slice(&common);
    central.extend_from_slice(&[0; 6]);
    central.extend_from_slice(&(entry.mode << 16).to_le_bytes());
    central.extend_from_slice(&offset.to_le_bytes());
    central.extend_from_slice(&entry.name);
}

fn zip_end(count: usize, mut out: Vec<u8>, central: &[u8]) -> Vec<u8> {
    let start = out.len() as u32;
    out.extend_from_slice(central);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    out.extend_from_slice(&(count as u16).to_le_bytes());
    out.extend_from_slice(&(count as u16).to_le_bytes());
    out.extend_from_slice(&(central.len() as u32).to_le_bytes());
    out.extend_from_slice(&start.to_le_bytes());
    out.extend_from_slice(&[0, 0]);
    out
}

/// A tar header with a name that the crate would refuse to write.
pub(in crate::archive) fn tar_header(name: impl AsRef<[u8]>, kind: EntryType, size: u64) -> Header {
    let name = name.as_ref();
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_mode(0o644);
    header.set_size(size);
    header.set_mtime(0);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

pub(in crate::archive) fn tar_file(name: impl AsRef<[u8]>) -> (Header, Vec<u8>) {
    (tar_header(name, EntryType::Regular, 4), b"data".to_vec())
}

pub(in crate::archive) fn tar_link(
    name: &str,
    kind: EntryType,
    target: impl AsRef<[u8]>,
) -> (Header, Vec<u8>) {
    let target = target.as_ref();
    let mut header = tar_header(name, kind, 0);
    header.as_old_mut().linkname[..target.len()].copy_from_slice(target);
    header.set_cksum();
    (header, Vec::new())
}

/// Headers, data, closing zeros.
pub(in crate::archive) fn tar(entries: &[(Header, Vec<u8>)]) -> Vec<u8> {
    let mut out = tar_open(entries);
    out.extend_from_slice(&[0; 1024]);
    out
}

/// The same without the closing zeros.
pub(in crate::archive) fn tar_open(entries: &[(Header, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    for (header, data) in entries {
        out.extend_from_slice(header.as_bytes());
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(512), 0);
    }
    out
}

/// A pax record: its own length, key, value.
pub(in crate::archive) fn pax_record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut len = rest + 1;
    while len.to_string().len() + rest != len {
        len += 1;
    }
    format!("{len} {key}={value}\n").into_bytes()
}
