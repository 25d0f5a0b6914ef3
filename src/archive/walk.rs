//! One pass over a guarded tree: hashed, and on the way handed to a taker.
//!
//! Hashing alone and unpacking run this same code with different takers, so that both see the same
//! bytes in the same order.

use super::body::Body;
use super::error::Fault;
use super::index::Place;
use super::{Archive, Entry, EntryKind, Error};
use crate::base::{RelPath, TreeHash};
use crate::nar::{Directory, HashWriter, Node, Writer};

/// Who gets the tree, entry by entry, parents first.
pub(super) trait Taker: Send {
    /// A directory.
    fn directory(&mut self, path: &RelPath) -> Result<(), Error>;
    /// A link.
    fn symlink(&mut self, path: &RelPath, target: &str) -> Result<(), Error>;
    /// A file begins.
    fn file(&mut self, path: &RelPath) -> Result<(), Error>;
    /// Its next bytes.
    fn bytes(&mut self, part: &[u8]) -> Result<(), Error>;
    /// It is whole.
    fn done(&mut self, executable: bool) -> Result<(), Error>;
}

/// Takes nothing: for hashing alone.
pub(super) struct Nothing;

impl Taker for Nothing {
    fn directory(&mut self, _: &RelPath) -> Result<(), Error> {
        Ok(())
    }
    fn symlink(&mut self, _: &RelPath, _: &str) -> Result<(), Error> {
        Ok(())
    }
    fn file(&mut self, _: &RelPath) -> Result<(), Error> {
        Ok(())
    }
    fn bytes(&mut self, _: &[u8]) -> Result<(), Error> {
        Ok(())
    }
    fn done(&mut self, _: bool) -> Result<(), Error> {
        Ok(())
    }
}

/// Walks the whole tree; gives its NAR hash and NAR size.
pub(super) fn walk(
    archive: &mut Archive,
    taker: &mut impl Taker,
) -> Result<(TreeHash, u64), Error> {
    let Archive { shown, entries, places, bodies, .. } = archive;
    let mut writer = Writer::new(HashWriter::new());
    let mut walk = Walk { shown, entries, places, bodies, buffer: Vec::new(), taker };
    let root = writer.root().directory().map_err(|e| serialise(shown, e))?;
    walk.fill(root, 0, 1)?;
    Ok(writer.finish().map_err(|e| serialise(shown, e))?.finish())
}

fn serialise(archive: &str, source: crate::nar::Error) -> Error {
    Error::Serialise { archive: archive.to_owned(), source }
}

struct Walk<'a, T> {
    shown: &'a str,
    entries: &'a [Entry],
    places: &'a [Place],
    bodies: &'a mut [Body],
    buffer: Vec<u8>,
    taker: &'a mut T,
}

impl<T: Taker> Walk<'_, T> {
    /// Writes the entries of one directory, from `at` on; gives the first that is not below it.
    fn fill(
        &mut self,
        mut directory: Directory<'_, HashWriter>,
        mut at: usize,
        depth: usize,
    ) -> Result<usize, Error> {
        let (shown, entries) = (self.shown, self.entries);
        let fail = |e| serialise(shown, e);
        while let Some(entry) = entries.get(at) {
            if entry.path.components().count() != depth {
                break;
            }
            let node = directory.entry(entry.path.file_name().as_bytes()).map_err(fail)?;
            match &entry.kind {
                EntryKind::Directory => {
                    self.taker.directory(&entry.path)?;
                    at = self.fill(node.directory().map_err(fail)?, at + 1, depth + 1)?;
                    continue;
                }
                EntryKind::Symlink { target } => {
                    self.taker.symlink(&entry.path, target)?;
                    node.symlink(target.as_bytes()).map_err(fail)?;
                }
                EntryKind::File { executable, size } => {
                    self.file(node, &entry.path, *executable, *size, self.places[at])?;
                }
            }
            at += 1;
        }
        directory.finish().map_err(fail)?;
        Ok(at)
    }

    fn file(
        &mut self,
        node: Node<'_, HashWriter>,
        path: &RelPath,
        executable: bool,
        size: u64,
        place: Place,
    ) -> Result<(), Error> {
        let Self { shown, bodies, buffer, taker, .. } = self;
        let (body, place) = (&mut bodies[place.body], place.at);
        let fail = |e| serialise(shown, e);
        let mut out = node.file(executable, size).map_err(fail)?;
        taker.file(path)?;
        let fault = |fault: Fault| fault.of(shown, path.as_str());
        if let Some(whole) = body.whole(place, size).map_err(fault)? {
            // Hashing is pure computing and taking mostly waits for memory: side by side they take
            // as long as the longer one.
            let taker = &mut **taker;
            std::thread::scope(|scope| {
                let taken = scope.spawn(|| taker.bytes(&whole));
                out.write(&whole).map_err(fail)?;
                taken.join().unwrap_or_else(|e| std::panic::resume_unwind(e))
            })?;
            out.finish().map_err(fail)?;
            return taker.done(executable);
        }
        body.stream(place, size, size, buffer, |part| {
            taker.bytes(part)?;
            out.write(part).map_err(fail)
        })
        .map_err(fault)?;
        out.finish().map_err(fail)?;
        taker.done(executable)
    }
}
