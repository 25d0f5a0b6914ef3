//! Compressed bytes into an anonymous temporary file, within the bounds.
//!
//! Owns every decompressor. Refuses more bytes than [`Limits`] allow while they come, so that a
//! bomb fills neither disk nor memory: the windows that xz and zstd headers may ask for are bounded
//! too. Several streams (gzip members, xz streams, zstd frames) in a row are one, as their tools
//! have it.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write as _};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::format::Compression;
use super::limits::{Limits, MAX_WINDOW};
use super::{Error, Format};
use crate::nar::overlap::BUFFER;

/// Inflates all of `source`, which is `packed` bytes of an archive.
pub(super) fn inflate(
    source: impl Read,
    compression: Compression,
    packed: u64,
    archive: &str,
    format: Format,
    limits: &Limits,
) -> Result<File, Error> {
    let source = BufReader::with_capacity(128 * 1024, source);
    let copy = Copy { packed, archive, format, limits };
    match compression {
        Compression::Gzip => copy.run(flate2::bufread::MultiGzDecoder::new(source)),
        Compression::Bzip2 => copy.run(bzip2::bufread::MultiBzDecoder::new(source)),
        Compression::Xz => {
            let window = u32::try_from(MAX_WINDOW >> 10).unwrap_or(u32::MAX);
            copy.run(lzma_rust2::XzReader::new_mem_limit(source, true, window))
        }
        Compression::Zstd => copy.run(Zstd::new(source)),
    }
}

/// Copies bytes that are not compressed, in the same way.
pub(super) fn copy(
    source: impl Read,
    packed: u64,
    archive: &str,
    format: Format,
    limits: &Limits,
) -> Result<File, Error> {
    Copy { packed, archive, format, limits }.run(source)
}

struct Copy<'a> {
    packed: u64,
    archive: &'a str,
    format: Format,
    limits: &'a Limits,
}

impl Copy<'_> {
    fn run(&self, mut source: impl Read) -> Result<File, Error> {
        let archive = || self.archive.to_owned();
        let mut out = tempfile::tempfile().map_err(|e| temporary("create", e))?;
        let mut buffer = vec![0; BUFFER];
        let mut expanded = 0u64;
        loop {
            let n = match source.read(&mut buffer) {
                Ok(0) => return Ok(out),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                    return Err(Error::Truncated { archive: archive() });
                }
                Err(source) => {
                    let format = self.format;
                    return Err(Error::Unreadable { archive: archive(), format, source });
                }
            };
            expanded += n as u64;
            if expanded > self.limits.expanded {
                return Err(Error::TooLarge { archive: archive(), limit: self.limits.expanded });
            }
            if self.limits.ratio_exceeded(expanded, self.packed) {
                return Err(Error::Ratio { archive: archive(), limit: self.limits.ratio });
            }
            out.write_all(&buffer[..n]).map_err(|e| temporary("write", e))?;
        }
    }
}

pub(super) fn temporary(what: &str, source: io::Error) -> Error {
    let action = match what {
        "create" => "create a temporary file in",
        _ => "write a temporary file in",
    };
    Error::Fs(crate::fs::Error::Io { action, path: std::env::temp_dir(), source })
}

/// Zstd frames one after the other, skippable ones passed over, each compared with its checksum
/// where it has one (the decoder leaves that to its caller).
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    in_frame: bool,
    /// Whether there was one, so that nothing at all is no empty file.
    any: bool,
    /// Bytes that the frame gave until now.
    given: u64,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(MAX_WINDOW);
        Self { source, decoder, in_frame: false, any: false, given: 0 }
    }

    /// Begins the next frame; false at the end.
    fn next_frame(&mut self) -> io::Result<bool> {
        loop {
            if self.source.fill_buf()?.is_empty() {
                return if self.any { Ok(false) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            self.any = true;
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let mut skipped = (&mut self.source).take(length);
                    if io::copy(&mut skipped, &mut io::sink())? < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(e) => return Err(invalid(e)),
            }
        }
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.in_frame {
                if !self.next_frame()? {
                    return Ok(0);
                }
                self.in_frame = true;
                self.given = 0;
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1))
                    .map_err(invalid)?;
            }
            let n = self.decoder.read(buffer)?;
            if n > 0 {
                self.given += n as u64;
                return Ok(n);
            }
            self.in_frame = false;
            // Zero means that the frame does not say; a frame that says zero gives nothing at all.
            let size = self.decoder.content_size();
            if size != 0 && size != self.given {
                let why = "it has not the size that its header announces";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            let announced = self.decoder.get_checksum_from_data();
            if announced.is_some() && announced != self.decoder.get_calculated_checksum() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its checksum is wrong"));
            }
        }
    }
}

/// An end that comes too early is said as such, however deep the decoder has it.
fn invalid(error: FrameDecoderError) -> io::Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<io::Error>();
        if io.is_some_and(|e| e.kind() == io::ErrorKind::UnexpectedEof) {
            return io::ErrorKind::UnexpectedEof.into();
        }
        cause = inner.source();
    }
    io::Error::new(io::ErrorKind::InvalidData, error)
}
