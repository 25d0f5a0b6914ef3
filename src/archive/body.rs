//! The bytes of an archive's files.
//!
//! Owns how they are reached: through the zip reader, or at an offset of a file. Invariant: exactly
//! the announced number of bytes is handed on, in large parts, or an error says why not; a zip
//! entry's checksum is compared when it is read to its end. Large files are inflated while what came
//! before is taken.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::FileExt as _;

use super::Error;
use super::error::Fault;
use super::window::Window;
use crate::nar::overlap;

/// Where the bytes are.
pub(super) enum Body {
    /// Places are indices of the central directory.
    Zip(zip::ZipArchive<Window>),
    /// Places are offsets.
    Flat(File),
}

impl Body {
    /// Bytes that it holds on the disk beside the archive itself.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Zip(_) => 0,
            Self::Flat(file) => file.metadata().map_or(0, |meta| meta.len()),
        }
    }

    /// Hands the first `len` of the `size` bytes at `place` to `taker`. A zip entry is read to its
    /// end, where its checksum is compared, if `len` is its size.
    pub(super) fn stream(
        &mut self,
        place: u64,
        size: u64,
        len: u64,
        buffer: &mut Vec<u8>,
        mut taker: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Fault> {
        let mut taken = 0;
        let take = |part: &[u8]| {
            taken += part.len() as u64;
            // A zip entry can hold more than it announces.
            if taken > len {
                return Err(Fault::Size(size));
            }
            taker(part).map_err(Fault::Taker)
        };
        match self {
            Self::Flat(file) => {
                let mut part = At { file, at: place }.take(len);
                overlap::pass(len, buffer, |buffer| fill(&mut part, buffer), take)?;
            }
            Self::Zip(archive) => {
                let at = usize::try_from(place).unwrap_or(usize::MAX);
                let mut entry = archive.by_index(at).map_err(|e| Fault::Damaged(e.into()))?;
                if len == size {
                    overlap::pass(len, buffer, |buffer| fill(&mut entry, buffer), take)?;
                } else {
                    let mut part = entry.take(len);
                    overlap::pass(len, buffer, |buffer| fill(&mut part, buffer), take)?;
                }
            }
        }
        if taken == len { Ok(()) } else { Err(Fault::Size(size)) }
    }

    /// The `size` bytes at `place` at once, where that is faster than in parts.
    pub(super) fn whole(&mut self, place: u64, size: u64) -> Result<Option<Vec<u8>>, Fault> {
        match self {
            Self::Zip(archive) if ONE_GO.contains(&size) => {
                inflate(archive, usize::try_from(place).unwrap_or(usize::MAX), size)
            }
            _ => Ok(None),
        }
    }
}

/// Sizes of zip entries that are inflated in one go: there it is about three times as fast as in
/// parts, and the memory it takes is the entry's size. The rest is read in parts.
const ONE_GO: std::ops::RangeInclusive<u64> = 64 << 10..=64 << 20;

/// A deflated entry as a whole, its checksum compared; `None` for an entry that is stored.
fn inflate(
    archive: &mut zip::ZipArchive<Window>,
    at: usize,
    size: u64,
) -> Result<Option<Vec<u8>>, Fault> {
    let damaged = |why: &str| Fault::Damaged(io::Error::new(io::ErrorKind::InvalidData, why));
    let entry = archive.by_index_raw(at).map_err(|e| Fault::Damaged(e.into()))?;
    if entry.compression() != zip::CompressionMethod::Deflated {
        return Ok(None);
    }
    let (checksum, packed_size) = (entry.crc32(), entry.compressed_size());
    // Deflate never makes more of it than this; a header that says so lies.
    if packed_size > size + (size >> 8) + 64 {
        return Ok(None);
    }
    let mut packed = Vec::new();
    entry.take(packed_size).read_to_end(&mut packed).map_err(Fault::Damaged)?;
    let mut whole = vec![0; usize::try_from(size).map_err(|_| Fault::Size(size))?];
    match libdeflater::Decompressor::new().deflate_decompress(&packed, &mut whole) {
        Ok(length) if length == whole.len() => {}
        Ok(_) | Err(libdeflater::DecompressionError::InsufficientSpace) => {
            return Err(Fault::Size(size));
        }
        Err(libdeflater::DecompressionError::BadData) => return Err(damaged("bad deflate data")),
    }
    if libdeflater::crc32(&whole) != checksum {
        return Err(damaged("Invalid checksum"));
    }
    Ok(Some(whole))
}

/// Reads from a position on, without the file's cursor.
pub(super) struct At<'f> {
    pub(super) file: &'f File,
    pub(super) at: u64,
}

impl io::Read for At<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

/// Fills the buffer as far as there are bytes: a decompressor gives them in small parts.
fn fill(source: &mut impl io::Read, buffer: &mut [u8]) -> Result<usize, Fault> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Fault::Damaged(e)),
        }
    }
    Ok(filled)
}
