//! Archives that sources serve, read as one guarded tree.
//!
//! Every format is first indexed into sorted entries; the index is checked as a whole against the
//! rules (nothing leaves the tree, no devices, no duplicate names, bounds) before a byte is
//! written. Then the tree is hashed, or written and hashed in the same pass. Invariant: the
//! tree hash is the same whichever of the two is done.

pub mod format;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;

pub use format::Format;

use crate::base::{Diagnose, RelPath, TreeHash};

/// An archive that was indexed and found harmless.
pub struct Archive {
    _private: (),
}

/// How to read an archive.
#[derive(Clone, Debug)]
pub struct Options {
    /// The format.
    pub format: Format,
    /// Leading components to drop.
    pub strip: u8,
    /// Name of the only file of `Format::File`.
    pub file_name: String,
}

/// One entry of the tree, after stripping.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path.
    pub path: RelPath,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A file.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// Bytes.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// As written.
        target: String,
    },
}

impl Archive {
    /// Indexes and checks an archive. `shown` names it in errors.
    pub fn open(file: File, shown: &str, options: &Options) -> Result<Self, Error> {
        let _ = (file, shown, options);
        todo!()
    }

    /// The entries, parents before children, sorted.
    pub fn entries(&self) -> &[Entry] {
        todo!()
    }

    /// Marks these files executable, whatever the archive says.
    pub fn set_executable(&mut self, paths: &BTreeSet<RelPath>) -> Result<(), Error> {
        let _ = paths;
        todo!()
    }

    /// The bytes of one file.
    pub fn read(&mut self, path: &RelPath) -> Result<Vec<u8>, Error> {
        let _ = path;
        todo!()
    }

    /// The first `len` bytes of one file.
    pub fn read_head(&mut self, path: &RelPath, len: usize) -> Result<Vec<u8>, Error> {
        let _ = (path, len);
        todo!()
    }

    /// NAR hash and NAR size of the tree, without writing anything.
    pub fn hash(&mut self) -> Result<(TreeHash, u64), Error> {
        todo!()
    }

    /// Writes the tree into an empty directory and hashes it in the same pass. Files get mode 0444
    /// or 0555 and mtime 1, directories mode 0755 (sealing them is the store's business).
    pub fn unpack(&mut self, into: &Path) -> Result<(TreeHash, u64), Error> {
        let _ = into;
        todo!()
    }
}

/// Why an archive is refused.
#[derive(Debug, thiserror::Error)]
#[error("placeholder")]
pub struct Error;

impl Diagnose for Error {}
