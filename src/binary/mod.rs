//! What an executable says of itself: ELF, Mach-O and PE headers.
//!
//! Owns the reading and the comparison with a lock row's platform. Refuses nothing by itself
//! except a contradiction: an executable whose machine or libc is not its row's. Invariant: no
//! bytes make it panic; what cannot be read to its end is no executable.

mod elf;
pub mod host;
mod mach_o;
pub mod needs;
mod pe;
pub mod runpath;
mod verdict;

#[cfg(test)]
mod tests;

pub use needs::Needs;
pub use verdict::contradiction;

use crate::base::{Arch, Libc, Os};

/// What was read from an executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// The system it is for.
    pub os: Os,
    /// The machines it has code for (a universal Mach-O has several); unknown ones are left out.
    pub arches: Vec<Arch>,
    /// The machine as its header names it, for messages.
    pub machine: String,
    /// libc of a dynamic ELF; `None` when it is static or not ELF.
    pub libc: Option<Libc>,
    /// What it expects of the host.
    pub needs: Needs,
}

/// Whether bytes begin like an ELF, Mach-O or PE file. Four bytes are enough; with eight, a Java
/// class, which begins like a universal Mach-O, is told apart.
pub fn is_executable_magic(head: &[u8]) -> bool {
    match head {
        [0x7f, b'E', b'L', b'F', ..] | [b'M', b'Z', ..] => true,
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => true,
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, count @ ..] => mach_o::plausible_count(count),
        _ => false,
    }
}

/// Reads an executable; `None` when the bytes are no executable of a known format.
pub fn inspect(bytes: &[u8]) -> Option<Executable> {
    match bytes {
        [0x7f, b'E', b'L', b'F', ..] => elf::read(bytes),
        [b'M', b'Z', ..] => pe::read(bytes),
        _ if is_executable_magic(bytes) => mach_o::read(bytes),
        _ => None,
    }
}

/// A name from a header as text; libraries have no business with anything but UTF-8.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Sorted, each once.
fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort();
    names.dedup();
    names
}
