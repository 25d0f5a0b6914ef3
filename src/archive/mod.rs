//! Archives that sources serve, read as one guarded tree.
//!
//! Every format is first indexed into sorted entries; the index is checked as a whole against the
//! rules (nothing leaves the tree, no devices, no duplicate names, bounds) before a byte is
//! written. Several archives laid over each other ([`Archive::open_stack`]) are one tree under the
//! same rules, their bounds over the sum. Then the tree is hashed, or written and hashed in the same pass. Invariant: the
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
mod relink;
mod sevenz;
mod stack;
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
pub use relink::Linked;

use self::tar::Strictness;
use crate::base::{RelPath, TreeHash};
use body::Body;
use index::{Place, Raw};
use limits::{Limits, MAX_LAYERS};
use stack::Layer;

/// An archive that was indexed and found harmless.
pub struct Archive {
    shown: String,
    entries: Vec<Entry>,
    /// Where the bytes of each entry are.
    places: Vec<Place>,
    /// One for each archive of the stack.
    bodies: Vec<Body>,
    notes: Vec<Note>,
}

/// Something of an image that its tree does not keep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The entry, odd characters escaped.
    pub entry: String,
    /// What about it: a device that is left out, a set-ID bit that is dropped.
    pub why: Refusal,
}

/// One archive of a stack.
#[derive(Debug)]
pub struct Part {
    /// Its bytes.
    pub file: File,
    /// How it is read.
    pub options: Options,
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
        let part = Part { file, options: options.clone() };
        Self::open_stack(vec![part], shown)
    }

    /// Indexes and checks several archives as one tree, each laid over those before it: a later
    /// entry replaces an earlier one, directories merge, and layers of images remove what their
    /// whiteouts name.
    pub fn open_stack(parts: Vec<Part>, shown: &str) -> Result<Self, Error> {
        Self::stack_within(parts, shown, &Limits::DEFAULT)
    }

    #[cfg(test)]
    fn open_within(
        file: File,
        shown: &str,
        options: &Options,
        limits: &Limits,
    ) -> Result<Self, Error> {
        Self::stack_within(vec![Part { file, options: options.clone() }], shown, limits)
    }

    fn stack_within(parts: Vec<Part>, shown: &str, limits: &Limits) -> Result<Self, Error> {
        if parts.len() > MAX_LAYERS {
            return Err(Error::TooManyLayers { archive: shown.to_owned(), limit: MAX_LAYERS });
        }
        let everywhere = parts.iter().all(|part| portable::applies(part.options.format));
        let mut left = limits.clone();
        let (mut layers, mut bodies, mut notes, mut packed) = (vec![], vec![], vec![], 0u64);
        for Part { file, options } in parts {
            let one = Self::index_one(file, shown, &options, &left)?;
            // The disk holds all of them at once.
            left.expanded = left.expanded.saturating_sub(one.body.len());
            left.entries = left.entries.saturating_sub(one.raws.len());
            packed = packed.saturating_add(one.packed);
            // A single file has no directories to drop.
            let strip = if options.format.is_file() { 0 } else { options.strip };
            layers.push(Layer { raws: one.raws, strip, is_image: options.format.is_layer() });
            bodies.push(one.body);
            notes.extend(one.notes);
        }
        let (entries, places) = index::build(layers, shown, packed, limits)?;
        if everywhere {
            portable::check(&entries)
                .map_err(|(entry, why)| index::refused(shown, entry.as_bytes(), why))?;
        }
        Ok(Self { shown: shown.to_owned(), entries, places, bodies, notes })
    }

    fn index_one(
        mut file: File,
        shown: &str,
        options: &Options,
        limits: &Limits,
    ) -> Result<Indexed, Error> {
        let unreadable = |source| Error::Unreadable {
            archive: shown.to_owned(),
            format: options.format,
            source,
        };
        file.rewind().map_err(unreadable)?;
        let packed = file.metadata().map_err(unreadable)?.len();
        let mut notes = Vec::new();
        let (raws, body) = match options.format {
            Format::SevenZ => sevenz::index(file, shown, packed, limits)?,
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
                    let mut strictness = match format.is_layer() {
                        true => Strictness::Tell(Vec::new()),
                        false => Strictness::Refuse,
                    };
                    let indexed = tar::index(plain, shown, limits, &mut strictness)?;
                    if let Strictness::Tell(told) = strictness {
                        notes = told;
                    }
                    indexed
                }
            }
        };
        Ok(Indexed { raws, body, packed, notes })
    }

    /// What the tree does not keep of its image; empty for other archives.
    pub fn notes(&self) -> &[Note] {
        &self.notes
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
        let Place { body, at: place } = self.places[at];
        self.bodies[body]
            .stream(place, size, len, &mut buffer, |part| {
                bytes.extend_from_slice(part);
                Ok(())
            })
            .map_err(|fault| fault.of(&self.shown, entry))?;
        bytes.truncate(len as usize);
        Ok(bytes)
    }
}

/// One archive of a stack, read.
struct Indexed {
    raws: Vec<Raw>,
    body: Body,
    packed: u64,
    notes: Vec<Note>,
}
