//! Writers that know the formats and no rules: every field can be wrong.
//!
//! Independent of the library's own makers and of the crates that read. References: POSIX ustar and
//! pax, APPNOTE.TXT, ar(5).

use std::io::Write as _;

/// A tar being written, block by block.
#[derive(Clone, Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    pub fn new() -> Self {
        Self::default()
    }

    /// Any entry; `change` may spoil its header before the checksum is made.
    pub fn any(
        mut self,
        name: impl AsRef<[u8]>,
        kind: u8,
        link: impl AsRef<[u8]>,
        body: impl AsRef<[u8]>,
        change: impl FnOnce(&mut [u8; 512]),
    ) -> Self {
        let (name, link, body) = (name.as_ref(), link.as_ref(), body.as_ref());
        let mut header = [0u8; 512];
        header[..name.len().min(100)].copy_from_slice(&name[..name.len().min(100)]);
        header[100..108].copy_from_slice(b"0000644\0");
        header[108..116].copy_from_slice(b"0000000\0");
        header[116..124].copy_from_slice(b"0000000\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", body.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[156] = kind;
        header[157..157 + link.len().min(100)].copy_from_slice(&link[..link.len().min(100)]);
        header[257..265].copy_from_slice(b"ustar\x0000");
        change(&mut header);
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|b| u32::from(*b)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
        self.0.extend_from_slice(body);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub fn file(self, name: impl AsRef<[u8]>, body: impl AsRef<[u8]>) -> Self {
        self.any(name, b'0', "", body, |_| ())
    }

    pub fn mode(self, name: &str, kind: u8, link: &str, mode: &str) -> Self {
        self.any(name, kind, link, "", |h| h[100..107].copy_from_slice(mode.as_bytes()))
    }

    pub fn dir(self, name: impl AsRef<[u8]>) -> Self {
        self.any(name, b'5', "", "", |_| ())
    }

    pub fn symlink(self, name: &str, target: &str) -> Self {
        self.any(name, b'2', target, "", |_| ())
    }

    pub fn hardlink(self, name: &str, target: &str) -> Self {
        self.any(name, b'1', target, "", |_| ())
    }

    /// A pax header of these records.
    pub fn pax(self, kind: u8, records: &[(&str, &str)]) -> Self {
        let body: Vec<u8> = records.iter().flat_map(|(k, v)| record(k, v)).collect();
        self.any("pax", kind, "", body, |_| ())
    }

    /// GNU's header for long names.
    pub fn long(self, kind: u8, name: impl AsRef<[u8]>) -> Self {
        self.any("././@LongLink", kind, "", name, |h| h[257..265].copy_from_slice(b"ustar  \0"))
    }

    /// With the two blocks of zeros.
    pub fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }

    /// Without them.
    pub fn open(self) -> Vec<u8> {
        self.0
    }
}

/// A pax record, whose length counts itself.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let len = (1..9).map(|digits| rest + digits).find(|len| len.to_string().len() + rest == *len);
    format!("{} {key}={value}\n", len.expect("a length")).into_bytes()
}

/// One entry of a zip: what the directory says, what the local header says, the bytes.
#[derive(Clone)]
pub struct Entry {
    pub central: Header,
    pub local: Header,
    pub data: Vec<u8>,
    /// Between the data and the next record.
    pub after: Vec<u8>,
    pub mode: u32,
    pub system: u8,
    /// Where the directory says the local header is; else where it is.
    pub at: Option<u32>,
}

/// The fields that both headers have.
#[derive(Clone)]
pub struct Header {
    pub name: Vec<u8>,
    pub flags: u16,
    pub method: u16,
    pub crc: u32,
    pub packed: u32,
    pub size: u32,
    pub extra: Vec<u8>,
}

impl Entry {
    pub fn new(name: impl AsRef<[u8]>, mode: u32, data: impl AsRef<[u8]>) -> Self {
        let data = data.as_ref().to_vec();
        let mut crc = flate2::Crc::new();
        crc.update(&data);
        let size = data.len() as u32;
        let header = Header {
            name: name.as_ref().to_vec(),
            flags: 0x800,
            method: 0,
            crc: crc.sum(),
            packed: size,
            size,
            extra: Vec::new(),
        };
        let (central, local) = (header.clone(), header);
        Self { central, local, data, after: Vec::new(), mode, system: 3, at: None }
    }

    pub fn file(name: impl AsRef<[u8]>) -> Self {
        Self::new(name, 0o100_644, "data")
    }

    pub fn link(name: &str, target: &str) -> Self {
        Self::new(name, 0o120_777, target)
    }

    /// Changes both headers.
    pub fn both(mut self, change: impl Fn(&mut Header)) -> Self {
        change(&mut self.central);
        change(&mut self.local);
        self
    }

    pub fn local(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.local);
        self
    }

    pub fn central(mut self, change: impl FnOnce(&mut Header)) -> Self {
        change(&mut self.central);
        self
    }

    /// Deflated.
    pub fn deflated(mut self) -> Self {
        let mut out = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(&self.data).expect("memory");
        self.data = out.finish().expect("memory");
        let packed = self.data.len() as u32;
        self.both(|h| {
            h.method = 8;
            h.packed = packed;
        })
    }

    /// Sizes after the data, as who streams writes them.
    pub fn streamed(mut self, descriptor: impl FnOnce(&Header) -> Vec<u8>) -> Self {
        self.after = descriptor(&self.central);
        self.both(|h| h.flags |= 8).local(|h| (h.crc, h.packed, h.size) = (0, 0, 0))
    }
}

/// The usual data descriptor.
pub fn descriptor(of: &Header) -> Vec<u8> {
    [0x0807_4b50, of.crc, of.packed, of.size].iter().flat_map(|n| n.to_le_bytes()).collect()
}

/// A zip; every part of it is at hand.
pub struct Zip {
    pub before: Vec<u8>,
    pub entries: Vec<Entry>,
    /// Between the last entry and the directory.
    pub gap: Vec<u8>,
    /// Between the directory and the end record: a 64-bit one.
    pub long: bool,
    pub comment: Vec<u8>,
    pub after: Vec<u8>,
    /// Added to what the end record says: entries, size, offset.
    pub lies: [i64; 3],
}

pub fn zip(entries: impl Into<Vec<Entry>>) -> Zip {
    Zip {
        before: Vec::new(),
        entries: entries.into(),
        gap: Vec::new(),
        long: false,
        comment: Vec::new(),
        after: Vec::new(),
        lies: [0; 3],
    }
}

impl Header {
    fn write(&self, out: &mut Vec<u8>) {
        for word in [20, self.flags, self.method, 0, 0x21] {
            out.extend(u16::to_le_bytes(word));
        }
        for word in [self.crc, self.packed, self.size] {
            out.extend(word.to_le_bytes());
        }
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend((self.extra.len() as u16).to_le_bytes());
    }
}

impl Zip {
    pub fn bytes(self) -> Vec<u8> {
        let mut out = self.before;
        let mut central = Vec::new();
        for entry in &self.entries {
            let at = entry.at.unwrap_or(out.len() as u32);
            out.extend(b"PK\x03\x04");
            entry.local.write(&mut out);
            out.extend(&entry.local.name);
            out.extend(&entry.local.extra);
            out.extend(&entry.data);
            out.extend(&entry.after);
            central.extend(b"PK\x01\x02");
            central.extend([20, entry.system]);
            entry.central.write(&mut central);
            central.extend([0; 6]);
            central.extend((entry.mode << 16).to_le_bytes());
            central.extend(at.to_le_bytes());
            central.extend(&entry.central.name);
            central.extend(&entry.central.extra);
        }
        out.extend(self.gap);
        let is = [self.entries.len() as i64, central.len() as i64, out.len() as i64];
        let said: Vec<u64> = is.iter().zip(self.lies).map(|(is, lie)| (is + lie) as u64).collect();
        out.extend(central);
        if self.long {
            let at = out.len() as u64;
            out.extend(b"PK\x06\x06");
            out.extend(44u64.to_le_bytes());
            out.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for number in [said[0], said[0], said[1], said[2]] {
                out.extend(number.to_le_bytes());
            }
            out.extend(b"PK\x06\x07\0\0\0\0");
            out.extend(at.to_le_bytes());
            out.extend(1u32.to_le_bytes());
        }
        out.extend(b"PK\x05\x06\0\0\0\0");
        if self.long {
            out.extend([0xff; 12]);
        } else {
            out.extend((said[0] as u16).to_le_bytes());
            out.extend((said[0] as u16).to_le_bytes());
            out.extend((said[1] as u32).to_le_bytes());
            out.extend((said[2] as u32).to_le_bytes());
        }
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(self.comment);
        out.extend(self.after);
        out
    }
}

/// An ar member's header, name and size as written.
pub fn member(name: &str, size: &str, body: &[u8]) -> Vec<u8> {
    let mut out =
        format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n", 0, 0, 0, 100_644).into_bytes();
    out.extend(body);
    out.resize(out.len().next_multiple_of(2), b'\n');
    out
}

/// An ar archive.
pub fn ar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = b"!<arch>\n".to_vec();
    for (name, body) in members {
        out.extend(member(name, &body.len().to_string(), body));
    }
    out
}

/// A Debian package with this data.
pub fn deb(name: &str, data: &[u8]) -> Vec<u8> {
    let control = gz(&Tar::new().file("./control", "Package: x\n").end());
    ar(&[("debian-binary", b"2.0\n"), ("control.tar.gz", &control), (name, data)])
}

pub fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

pub fn xz(bytes: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(1);
    let mut out = lzma_rust2::XzWriter::new(Vec::new(), options).expect("memory");
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}

pub fn zst(bytes: &[u8]) -> Vec<u8> {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

pub fn bz2(bytes: &[u8]) -> Vec<u8> {
    let mut out = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    out.write_all(bytes).expect("memory");
    out.finish().expect("memory")
}
