//! How archives in a cache are packed.
//!
//! Owns reading every form that we read, and writing zstd. Memory is bounded: windows that a header
//! may ask for are, and every byte streams. Refuses `br`, `lzip`, `lz4` and what else Nix may write
//! and hardly anybody does. Invariant: packing the same bytes gives the same bytes.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::str::FromStr;

/// Largest window of a zstd frame, as a power of two: what `zstd --ultra -22` uses.
const MAX_WINDOW_LOG: u32 = 27;
/// Memory for xz, in KiB: its dictionary at level 9 and its own needs.
const XZ_KIB: u32 = 160 << 10;
/// What packing tries: measured in `docs/technical/cache.md`.
const LEVEL: i32 = 3;

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As it is.
    None,
    /// Zstandard (RFC 8878).
    Zstd,
    /// xz.
    Xz,
    /// bzip2.
    Bzip2,
    /// gzip (RFC 1952).
    Gzip,
}

impl Compression {
    /// Every form.
    pub const ALL: [Self; 5] = [Self::None, Self::Zstd, Self::Xz, Self::Bzip2, Self::Gzip];

    /// The word in a narinfo.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
            Self::Gzip => "gzip",
        }
    }

    /// What follows `.nar` in a file's name.
    pub const fn suffix(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Zstd => ".zst",
            Self::Xz => ".xz",
            Self::Bzip2 => ".bz2",
            Self::Gzip => ".gz",
        }
    }

    /// Unpacks while reading.
    pub fn reader<'a>(
        self,
        source: impl Read + Send + 'a,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        let source = BufReader::with_capacity(256 << 10, source);
        Ok(match self {
            Self::None => Box::new(source),
            Self::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(source)?;
                decoder.window_log_max(MAX_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Self::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(source, true, XZ_KIB)),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(source)),
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(source)),
        })
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A form that is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no compression that is read here")]
pub struct Unknown(pub String);

impl FromStr for Compression {
    type Err = Unknown;
    fn from_str(text: &str) -> Result<Self, Unknown> {
        let found = Self::ALL.into_iter().find(|form| form.name() == text);
        found.ok_or_else(|| Unknown(text.to_owned()))
    }
}

/// Packs what is written to it with zstd.
pub(super) struct Packer<W: Write>(zstd::Encoder<'static, W>);

impl<W: Write> Packer<W> {
    /// Into `sink`.
    pub(super) fn new(sink: W) -> io::Result<Self> {
        let mut encoder = zstd::Encoder::new(sink, LEVEL)?;
        encoder.include_checksum(true)?;
        Ok(Self(encoder))
    }

    /// Ends the frame and gives the sink back.
    pub(super) fn finish(self) -> io::Result<W> {
        self.0.finish()
    }
}

impl<W: Write> Write for Packer<W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.0.write(data)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut packer = Packer::new(Vec::new()).expect("packer");
        packer.write_all(bytes).expect("write");
        packer.finish().expect("finish")
    }

    #[test]
    fn the_same_bytes_pack_to_the_same() {
        let bytes: Vec<u8> = (0..300_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let packed = pack(&bytes);
        assert_eq!(packed, pack(&bytes));
        assert!(packed.len() < bytes.len() / 4);
        let mut out = Vec::new();
        Compression::Zstd.reader(&packed[..]).expect("reader").read_to_end(&mut out).expect("read");
        assert_eq!(out, bytes);
    }

    #[test]
    fn a_cut_or_changed_file_is_an_error() {
        let packed = pack(&vec![7; 100_000]);
        let read = |bytes: &[u8]| {
            Compression::Zstd.reader(bytes).and_then(|mut r| r.read_to_end(&mut Vec::new()))
        };
        assert!(read(&packed[..packed.len() - 1]).is_err());
        let mut changed = packed.clone();
        *changed.last_mut().expect("byte") ^= 1;
        assert!(read(&changed).is_err(), "its checksum");
        assert!(read(&packed).is_ok());
    }
}
