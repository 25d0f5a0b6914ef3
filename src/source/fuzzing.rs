//! Doors for the fuzzers in `fuzz/`: what other people wrote, into the functions that read it.
//!
//! Nothing else uses them. Owns no rule; each hands bytes to one room and drops what comes back.
//! Invariant: no bytes make any of them panic.

use super::{aqua, crates, deb, forge, go, npm, pypi};
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

/// A file of the Aqua registry: every definition in it, for a tag, on every platform.
pub fn aqua(text: &str) {
    aqua::fuzz(text);
}

/// A crate's lines in an index, a registry's `config.json` or a `.crate` file, by `choice`.
pub fn krate(choice: u8, bytes: &[u8]) {
    crates::fuzz(choice, bytes);
}

/// A list of versions or an `.info` of a module proxy.
pub fn module_list(body: &[u8]) {
    go::fuzz(body);
}

/// A page of a repository's releases, and one release.
pub fn releases(body: &[u8]) {
    forge::fuzz(body);
}
