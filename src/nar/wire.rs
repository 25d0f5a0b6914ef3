//! The words of the format and how a string lies on the wire.
//!
//! A string is its length as a little-endian `u64`, its bytes, and zeros up to a multiple of eight.
//! Everything in a NAR is such a string. Owns the rule for entry names, which writer and reader
//! share. Invariant: what one of them accepts the other accepts.

use super::{Error, Result};

/// The first string of every NAR.
pub const MAGIC: &[u8] = b"nix-archive-1";

/// Longest name of an entry in bytes, as every common filesystem has it.
pub const MAX_NAME: usize = 255;

/// Longest target of a link in bytes (`PATH_MAX` with its NUL).
pub const MAX_TARGET: usize = 4095;

/// Most directories inside each other: more cannot be named by a path of 4096 bytes.
pub const MAX_DEPTH: usize = 2048;

/// Zero bytes that follow a string of `len` bytes.
pub const fn padding(len: u64) -> usize {
    (len.wrapping_neg() & 7) as usize
}

/// Appends a string as it lies on the wire.
pub fn put(out: &mut Vec<u8>, text: &[u8]) {
    let len = text.len() as u64;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(text);
    out.extend_from_slice(&[0; 8][..padding(len)]);
}

/// Checks that a name can be an entry of a directory and cannot lead out of it.
pub fn check_name(name: &[u8]) -> Result<()> {
    let why = match name {
        [] => "it is empty",
        b"." | b".." => "it means a directory that exists already",
        _ if name.contains(&b'/') => "it holds a slash",
        _ if name.contains(&0) => "it holds a NUL",
        _ if name.len() > MAX_NAME => "it is longer than 255 bytes",
        _ => return Ok(()),
    };
    Err(Error::Name { name: shown(name), why })
}

/// Checks that a link can have this target.
pub fn check_target(target: &[u8]) -> Result<()> {
    if target.is_empty() || target.len() > MAX_TARGET || target.contains(&0) {
        return Err(Error::Target(shown(target)));
    }
    Ok(())
}

/// Bytes as text for a message: escaped and not too long.
pub fn shown(bytes: &[u8]) -> String {
    let head = &bytes[..bytes.len().min(120)];
    let more = if head.len() < bytes.len() { "…" } else { "" };
    format!("{}{more}", head.escape_ascii())
}
