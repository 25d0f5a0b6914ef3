//! A sink that hashes and counts.
//!
//! Owns the SHA-256 of a serialisation. Bytes pass straight into the hash function, without a copy:
//! the NAR writer gathers small strings before it hands them on, so that the compression function
//! sees long runs of blocks.

use std::io;

use sha2::{Digest as _, Sha256};

use crate::base::TreeHash;

/// Hashes and counts what is written to it.
#[derive(Clone, Default)]
pub struct HashWriter {
    state: Sha256,
    bytes: u64,
}

impl HashWriter {
    /// Nothing hashed yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The hash of everything written, and how many bytes that was.
    pub fn finish(self) -> (TreeHash, u64) {
        (TreeHash::new(self.state.finalize().into()), self.bytes)
    }
}

impl io::Write for HashWriter {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.state.update(data);
        self.bytes += data.len() as u64;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
