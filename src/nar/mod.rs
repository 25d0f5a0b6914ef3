//! NAR, Nix's archive format: the serialisation whose SHA-256 is a tree's identity.
//!
//! Owns the wire format ([`wire`]), a writer that cannot be made to emit a malformed archive
//! ([`writer`]), a strict [`reader`], and the serialisation of a tree on disk ([`disk`]). Only names,
//! contents, the executable bit and link targets survive; entries are sorted bytewise. Refuses what
//! has no place in a tree: devices, sockets, names that leave their directory. Reference: the Nix
//! manual, "Nix Archive (NAR) format"; Dolstra, "The Purely Functional Software Deployment Model",
//! figure 5.2. Invariant: one tree has exactly one serialisation, so its hash names it.

pub mod disk;
pub mod error;
pub mod hash;
pub mod reader;
pub mod wire;
pub mod writer;

#[cfg(test)]
pub(crate) mod tests;

pub use disk::{dump, hash_path};
pub use error::{Error, Result};
pub use hash::HashWriter;
pub use reader::{Event, Reader};
pub use writer::{Directory, FileWriter, Node, Writer};
