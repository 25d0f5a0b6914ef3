//! The hash of a file.

use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::{Context as _, Result, open_nofollow};
use crate::base::{Algorithm, Hasher, Integrity};

/// The hash and size of a file, which is no link.
pub fn hash_file(path: &Path, algorithm: Algorithm) -> Result<(Integrity, u64)> {
    let mut file = open_nofollow(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; 256 * 1024];
    let mut size = 0;
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok((hasher.finish(), size)),
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e).context("read", path),
        }
    }
}
