//! What an executable says of itself: ELF, Mach-O and PE headers.
//!
//! Owns the reading and the comparison with a lock row's platform. Refuses nothing by itself
//! except a contradiction: an executable whose machine or libc is not its row's. Invariant: no
//! bytes make it panic; what cannot be read to its end is no executable.

mod elf;
pub mod host;
mod loader;
mod mach_o;
pub mod needs;
mod pe;
pub mod runpath;
mod verdict;

#[cfg(test)]
mod tests;
/// The smallest executables, for the tests of other rooms.
#[cfg(test)]
pub(crate) use tests::make as testing;

pub use host::{Host, Lack};
pub use needs::Needs;
pub use verdict::{contradiction, contradicts_libc_only};

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
    /// Where it says that its libraries lie.
    pub search: Search,
}

/// Directories that an ELF file names for its libraries: its `DT_RUNPATH`, else its `DT_RPATH`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// As the file has them: absolute, or from `$ORIGIN`, its own directory.
    pub directories: Vec<String>,
    /// Whether they serve the libraries' own libraries too: so does `DT_RPATH`.
    pub inherited: bool,
}

impl Search {
    /// The directories from the file's own, without what begins elsewhere: `../lib`.
    pub fn from_origin(&self) -> impl Iterator<Item = &str> {
        self.directories.iter().filter_map(|directory| {
            let rest = directory
                .strip_prefix("$ORIGIN")
                .or_else(|| directory.strip_prefix("${ORIGIN}"))?;
            match rest.strip_prefix('/') {
                Some(rest) => Some(rest),
                None => rest.is_empty().then_some("."),
            }
        })
    }

    /// The absolute directories.
    pub fn absolute(&self) -> impl Iterator<Item = &str> {
        self.directories.iter().map(String::as_str).filter(|d| d.starts_with('/'))
    }
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
        [0x7f, b'E', b'L', b'F', ..] => elf::read(bytes).map(|elf| elf.executable),
        [b'M', b'Z', ..] => pe::read(bytes),
        _ if is_executable_magic(bytes) => mach_o::read(bytes),
        _ => None,
    }
}

/// Reads the headers of an ELF file that lies on this machine, and no more of it than that; `None`
/// for any other file.
pub fn inspect_file(file: std::fs::File) -> Option<Executable> {
    elf::read(&object::ReadCache::new(file)).map(|elf| elf.executable)
}

/// The interpreter that a script's first line names, with its argument: `/usr/bin/env node`.
pub fn script_program(head: &[u8]) -> Option<String> {
    let line = head.strip_prefix(b"#!")?.split(|b| *b == b'\n').next()?;
    let line = text(line).trim().to_owned();
    (!line.is_empty()).then_some(line)
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
