//! Archives that sources serve, read as one guarded tree.
//!
//! Every format is first indexed into sorted entries; the index is checked as a whole against the
//! rules (nothing leaves the tree, no devices, no duplicate names, bounds) before a byte is
//! written. Then the tree is hashed, or written and hashed in the same pass. Invariant: the
//! tree hash is the same whichever of the two is done.

mod ar;
mod body;
mod deb;
mod disk;
pub mod error;
mod extended;
pub mod format;
mod index;
mod inflate;
mod limits;
mod links;
mod names;
mod portable;
mod records;
mod tar;
mod walk;
mod window;
mod zip;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Seek as _;
use std::path::Path;

pub use error::{Error, Refusal};
pub use format::{Compression, Format};

use crate::base::{RelPath, TreeHash};
use body::Body;
use index::Raw;
use limits::Limits;

/// An archive that was indexed and found harmless.
pub struct Archive {
    shown: String,
    entries: Vec<Entry>,
    /// Where the bytes of each entry are, as [`Body`] counts.
    places: Vec<u64>,
    body: Body,
}

/// How to read an archive.
#[derive(Clone, Debug)]
pub struct Options {
    /// The format.
    pub format: Format,
    /// Leading components to drop.
    pub strip: u8,
    /// Name of the only file, for formats that are one.
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
    /// Indexes and checks an archive. `shown` names it in errors. What is compressed as a
    /// whole is inflated into an anonymous temporary file, so that its entries can be read in sorted
    /// order.
    pub fn open(file: File, shown: &str, options: &Options) -> Result<Self, Error> {
        Self::open_within(file, shown, options, &Limits::DEFAULT)
    }

    fn open_within(
        mut file: File,
        shown: &str,
        options: &Options,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable {
            archive: shown.to_owned(),
            format: options.format,
            source,
        };
        file.rewind().map_err(unreadable)?;
        let packed = file.metadata().map_err(unreadable)?.len();
        let (raws, body) = match options.format {
            Format::Zip => zip::index(file, shown, limits)?,
            Format::Deb => deb::index(&file, shown, limits)?,
            format => {
                let plain = match format.compression() {
                    Some(how) => inflate::inflate(&file, how, packed, shown, format, limits)?,
                    None => file,
                };
                if format.is_file() {
                    let size = plain.metadata().map_err(unreadable)?.len();
                    let raw = Raw::file(options.file_name.as_bytes(), true, size, 0);
                    (vec![raw], Body::Flat(plain))
                } else {
                    tar::index(plain, shown, limits)?
                }
            }
        };
        // A single file has no directories to drop.
        let strip = if options.format.is_file() { 0 } else { options.strip };
        let (entries, places) = index::build(raws, shown, strip, packed, limits)?;
        portable::check(&entries, options.format)
            .map_err(|(entry, why)| index::refused(shown, entry.as_bytes(), why))?;
        Ok(Self { shown: shown.to_owned(), entries, places, body })
    }

    /// The entries, parents before children, sorted: a walk through the tree in which the entries
    /// of each directory come sorted bytewise.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Marks these files executable, whatever the archive says.
    pub fn set_executable(&mut self, paths: &BTreeSet<RelPath>) -> Result<(), Error> {
        // All or none: look first, so that an error changes nothing.
        let found: Vec<_> = paths.iter().map(|p| self.find(p)).collect::<Result<_, _>>()?;
        for (at, _) in found {
            if let EntryKind::File { executable, .. } = &mut self.entries[at].kind {
                *executable = true;
            }
        }
        Ok(())
    }

    /// The bytes of one file.
    pub fn read(&mut self, path: &RelPath) -> Result<Vec<u8>, Error> {
        let (at, size) = self.find(path)?;
        self.take(at, size, size)
    }

    /// The first `len` bytes of one file, fewer if it is shorter.
    pub fn read_head(&mut self, path: &RelPath, len: usize) -> Result<Vec<u8>, Error> {
        let (at, size) = self.find(path)?;
        self.take(at, size, size.min(len as u64))
    }

    /// NAR hash and NAR size of the tree, without writing anything.
    pub fn hash(&mut self) -> Result<(TreeHash, u64), Error> {
        walk::walk(self, &mut walk::Nothing)
    }

    /// Writes the tree into an empty directory and hashes it in the same pass. Files get mode 0444
    /// or 0555 and mtime 1, directories mode 0755 (sealing them is the store's business). Nothing
    /// is flushed to the disk.
    ///
    /// # Errors
    /// A file whose size or checksum is not what the index announced ends the work; what was
    /// written until then is left for the caller to remove.
    pub fn unpack(&mut self, into: &Path) -> Result<(TreeHash, u64), Error> {
        if !crate::fs::read_dir_names(into)?.is_empty() {
            return Err(Error::NotEmpty { path: into.to_owned() });
        }
        walk::walk(self, &mut disk::Disk::new(into))
    }

    /// Position and size of a file of the tree.
    fn find(&self, path: &RelPath) -> Result<(usize, u64), Error> {
        self.entries
            .binary_search_by(|e| names::tree_order(e.path.as_str(), path.as_str()))
            .ok()
            .and_then(|at| match self.entries[at].kind {
                EntryKind::File { size, .. } => Some((at, size)),
                _ => None,
            })
            .ok_or_else(|| Error::NoFile {
                archive: self.shown.clone(),
                entry: path.as_str().to_owned(),
            })
    }

    fn take(&mut self, at: usize, size: u64, len: u64) -> Result<Vec<u8>, Error> {
        // A size is a claim until the bytes came: reserve a little of it, not all.
        let mut bytes = Vec::with_capacity(len.min(1 << 26) as usize);
        let mut buffer = Vec::new();
        let entry = self.entries[at].path.as_str();
        self.body
            .stream(self.places[at], size, len, &mut buffer, |part| {
                bytes.extend_from_slice(part);
                Ok(())
            })
            .map_err(|fault| fault.of(&self.shown, entry))?;
        bytes.truncate(len as usize);
        Ok(bytes)
    }
}
