//! The bytes of an archive's files.
//!
//! Owns how they are reached: through the zip reader, or at an offset of a file. Invariant: exactly
//! the announced number of bytes is handed on, in large parts, or an error says why not; a zip
//! entry's checksum is compared when it is read to its end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

use super::Error;
use super::error::Fault;
use super::window::Window;

/// Bytes handed on at once.
const BUFFER: usize = 256 * 1024;

/// A buffer for [`Body::stream`].
pub(super) fn buffer() -> Box<[u8]> {
    vec![0; BUFFER].into()
}

/// Where the bytes are.
pub(super) enum Body {
    /// Places are indices of the central directory.
    Zip(zip::ZipArchive<Window>),
    /// Places are offsets.
    Flat(File),
}

impl Body {
    /// Hands the first `len` of the `size` bytes at `place` to `taker`, or somewhat more.
    pub(super) fn stream(
        &mut self,
        place: u64,
        size: u64,
        len: u64,
        buffer: &mut [u8],
        mut taker: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Fault> {
        let mut done = 0;
        match self {
            Self::Flat(file) => {
                while done < len {
                    let most = buffer.len().min(usize::try_from(len - done).unwrap_or(usize::MAX));
                    match file.read_at(&mut buffer[..most], place + done) {
                        Ok(0) => return Err(Fault::Size(size)),
                        Ok(n) => {
                            taker(&buffer[..n]).map_err(Fault::Taker)?;
                            done += n as u64;
                        }
                        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                        Err(e) => return Err(Fault::Damaged(e)),
                    }
                }
            }
            Self::Zip(archive) => {
                let at = usize::try_from(place).unwrap_or(usize::MAX);
                let mut entry = archive.by_index(at).map_err(|e| Fault::Damaged(e.into()))?;
                // The whole entry is read on to its end, where its checksum is compared.
                while done < len || len == size {
                    let n = fill(&mut entry, buffer).map_err(Fault::Damaged)?;
                    done += n as u64;
                    if done > size || (n == 0 && done < size) {
                        return Err(Fault::Size(size));
                    }
                    if n == 0 {
                        break;
                    }
                    taker(&buffer[..n]).map_err(Fault::Taker)?;
                }
            }
        }
        Ok(())
    }
}

/// Fills the buffer as far as there are bytes: a decompressor gives them in small parts.
fn fill(source: &mut impl io::Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
