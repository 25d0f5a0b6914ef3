//! A buffered reader whose buffer survives seeking.
//!
//! The zip reader seeks to every entry's header; `BufReader` would drop its buffer each time. Reads
//! at positions of its own, so that nothing depends on the file's cursor.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt as _;

/// Read on while entries follow each other.
const FAR: usize = 128 * 1024;

/// Read after a jump: a header and a small file.
const NEAR: usize = 16 * 1024;

/// A file seen through a window.
pub(super) struct Window {
    file: File,
    len: u64,
    at: u64,
    buffer: Box<[u8]>,
    start: u64,
    filled: usize,
}

impl Window {
    /// The whole file.
    pub(super) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self { file, len, at: 0, buffer: vec![0; FAR].into(), start: 0, filled: 0 })
    }

    /// Bytes of the buffer from the current position on.
    fn ahead(&self) -> &[u8] {
        let skip = self.at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.buffer[..self.filled].get(skip..)).unwrap_or(&[])
    }

    fn refill(&mut self) -> io::Result<()> {
        let goes_on = self.at == self.start + self.filled as u64;
        let want = if goes_on { FAR } else { NEAR };
        self.start = self.at;
        self.filled = 0;
        self.filled = self.file.read_at(&mut self.buffer[..want], self.at)?;
        Ok(())
    }
}

impl Read for Window {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.ahead().is_empty() {
            self.refill()?;
        }
        let ahead = self.ahead();
        let n = ahead.len().min(out.len());
        out[..n].copy_from_slice(&ahead[..n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl Seek for Window {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.len.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::{Cursor, Write as _};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Whatever is asked of it, it answers as the bytes in memory would.
        #[test]
        fn reads_as_a_cursor_does(
            len in 0usize..400_000,
            moves in prop::collection::vec((0u64..450_000, 0usize..40_000, any::<bool>()), 1..40),
        ) {
            let bytes: Vec<u8> = (0..len).map(|i| (i ^ (i >> 8)) as u8).collect();
            let mut file = tempfile::tempfile().expect("tempfile");
            file.write_all(&bytes).expect("write");
            let mut window = Window::new(file).expect("window");
            let mut cursor = Cursor::new(&bytes);
            for (at, take, go_on) in moves {
                let to = if go_on { SeekFrom::Current(0) } else { SeekFrom::Start(at) };
                prop_assert_eq!(window.seek(to).expect("seek"), cursor.seek(to).expect("seek"));
                let (mut a, mut b) = (Vec::new(), Vec::new());
                (&mut window).take(take as u64).read_to_end(&mut a).expect("read");
                (&mut cursor).take(take as u64).read_to_end(&mut b).expect("read");
                prop_assert_eq!(a, b);
            }
        }
    }
}
