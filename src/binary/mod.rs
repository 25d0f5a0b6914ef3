//! What an executable says of itself: ELF, Mach-O and PE headers.
//!
//! Owns the reading and the comparison with a lock row's platform. Refuses nothing by itself
//! except a contradiction: an executable whose machine or libc is not its row's.

pub mod needs;

pub use needs::Needs;

use crate::base::{Arch, Libc, Os, Platform};

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

/// Whether bytes begin like an ELF, Mach-O or PE file. Four bytes are enough.
pub fn is_executable_magic(head: &[u8]) -> bool {
    let _ = head;
    todo!()
}

/// Reads an executable; `None` when the bytes are no executable of a known format.
pub fn inspect(bytes: &[u8]) -> Option<Executable> {
    let _ = bytes;
    todo!()
}

/// Why `executable` cannot run on `platform`; `None` when it can.
pub fn contradiction(executable: &Executable, platform: Platform) -> Option<String> {
    let _ = (executable, platform);
    todo!()
}
