//! Doors for the fuzzers in `fuzz/`: what other people wrote, into the functions that read it.
//!
//! Nothing else uses them. Owns no rule; each hands bytes to one room and drops what comes back.
//! Invariant: no bytes make any of them panic.

use super::{deb, npm, pypi};
use crate::provenance::checksum;

/// A file name of a wheel, its tags against every platform.
pub fn wheel(name: &str) {
    pypi::fuzz_wheel(name);
}

/// A page of a Python index, JSON or HTML.
pub fn python_index(page: &[u8]) {
    pypi::fuzz_index(page);
}

/// A package's document of an npm registry, and every version in it.
pub fn packument(document: &[u8]) {
    npm::fuzz(document);
}

/// A repository's `Release`, and a list of packages.
pub fn apt(text: &[u8]) {
    deb::fuzz(text);
}

/// A file of checksums; gives whether it has one for `file`.
pub fn checksums(text: &str, file: &str) -> bool {
    checksum::find(text, file).is_ok()
}
