//! Adding objects that arrive as Nix archives: from a binary cache, or from an exported file.
//!
//! The tree is written into staging and hashed in the same pass. Refuses bytes that do not hash to
//! the tree that was asked for, a name that does not follow from tree and references, and links
//! that leave the object. Invariant: as for every addition, the registration comes last.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use super::add::Staged;
use super::registration::{Origin, Registration};
use super::{Error, ObjectPath, Result, Store, fs, links};
use crate::base::{Digest, ObjectName, Task, TreeHash, interrupt};
use crate::fs::Context as _;
use crate::nar::overlap::BUFFER;
use crate::nar::{Event, HashWriter, Reader};

/// An object that arrives as an archive.
#[derive(Clone, Debug)]
pub struct NarAddition<'a> {
    /// Its name.
    pub object: &'a ObjectName,
    /// Its tree hash, from whoever is trusted: the lock, or a verified signature.
    pub tree: &'a TreeHash,
    /// Length of the archive in bytes.
    pub nar_size: u64,
    /// The objects it links to; they are in the store already.
    pub references: &'a BTreeSet<ObjectName>,
    /// For messages: `nats-server 2.15.1 (x86_64-linux)`, or the object's name.
    pub shown: &'a str,
}

impl Store {
    /// The registration of an object that is there.
    pub fn registration(&self, object: &ObjectName) -> Result<Option<Registration>> {
        if self.get(object)?.is_none() {
            return Ok(None);
        }
        Registration::load(&self.layout, object.digest())
    }

    /// The registration of the object with this digest, when it is there.
    pub fn registration_of(&self, digest: Digest) -> Result<Option<Registration>> {
        match Registration::load(&self.layout, digest)? {
            Some(found) => {
                let is_there = self.get(&found.object)?.is_some();
                Ok(is_there.then_some(found))
            }
            None => Ok(None),
        }
    }

    /// Adds an object from its archive; one that is there already is left as it is, and the
    /// archive unread.
    ///
    /// # Errors
    /// [`Error::TreeMismatch`] and [`Error::NameMismatch`] when it is another tree,
    /// [`Error::BadNar`] when it is none, [`Error::MissingReference`].
    pub fn add_nar(
        &self,
        archive: &mut dyn Read,
        addition: &NarAddition<'_>,
        task: &dyn Task,
    ) -> Result<ObjectPath> {
        let NarAddition { object, tree, nar_size, references, shown } = *addition;
        let named = ObjectName::for_tree(tree, references, object.name());
        let named = named.map_err(Error::InvalidName)?;
        if named != *object {
            let (shown, expected) = (shown.to_owned(), object.clone());
            return Err(Error::NameMismatch { shown, expected, actual: named });
        }
        let _pause = self.pause_gc(task)?;
        let _lock = self.lock_object(object, task)?;
        if let Some(found) = self.get(object)? {
            return Ok(found);
        }
        for reference in references {
            if self.get(reference)?.is_none() {
                let (name, reference) = (object.to_string(), reference.clone());
                return Err(Error::MissingReference { name, reference });
            }
        }
        task.stage("unpacking");
        let staged = self.stage_nar(archive, Some(nar_size), shown)?;
        if staged.tree != *tree {
            let (shown, from) = (shown.to_owned(), "the archive that came".to_owned());
            return Err(Error::TreeMismatch { shown, from, expected: *tree, actual: staged.tree });
        }
        links::check(staged.dir.path(), references, shown)?;
        let origin = Origin::Substituted { shown: shown.to_owned() };
        self.publish(staged, object.clone(), references.clone(), origin, shown)
    }

    /// Writes an archive into staging; at most `limit` bytes of it, which it then must have.
    pub(super) fn stage_nar(
        &self,
        archive: &mut dyn Read,
        limit: Option<u64>,
        shown: &str,
    ) -> Result<Staged> {
        let dir = self.stage()?;
        let mut tee = Tee { source: archive, hash: HashWriter::new(), left: limit, over: false };
        let unpacked = if limit.is_some() {
            // Nothing follows it: read ahead as far as is handy.
            let buffered = BufReader::with_capacity(BUFFER, &mut tee);
            unpack(Reader::new(buffered), dir.path(), shown)
        } else {
            unpack(Reader::within(&mut tee), dir.path(), shown)
        };
        if tee.over {
            let (shown, expected) = (shown.to_owned(), limit.unwrap_or_default());
            return Err(Error::NarTooLong { shown, expected });
        }
        unpacked?;
        let (tree, nar_size) = tee.hash.finish();
        if let Some(expected) = limit
            && nar_size != expected
        {
            let source = crate::nar::Error::Size { announced: expected, given: nar_size };
            return Err(Error::BadNar { shown: shown.to_owned(), source });
        }
        Ok(Staged { dir, tree, nar_size })
    }
}

/// Hashes what is read through it, and ends with an error after a number of bytes.
struct Tee<'a> {
    source: &'a mut dyn Read,
    hash: HashWriter,
    left: Option<u64>,
    over: bool,
}

impl Read for Tee<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        if let Some(left) = &mut self.left {
            let Some(rest) = left.checked_sub(n as u64) else {
                self.over = true;
                return Err(io::ErrorKind::InvalidData.into());
            };
            *left = rest;
        }
        self.hash.write_all(&buffer[..n])?;
        Ok(n)
    }
}

/// Writes the tree below `root`, an empty directory.
fn unpack<R: Read>(mut reader: Reader<R>, root: &Path, shown: &str) -> Result<()> {
    let bad = |source| Error::BadNar { shown: shown.to_owned(), source };
    let mut at = PathBuf::from(root);
    // Directories that are open; `at` is the path of the node that comes next.
    let mut depth = 0_usize;
    let mut buffer = Vec::new();
    loop {
        let Some(event) = reader.next().map_err(bad)? else { return Ok(()) };
        match event {
            Event::Directory => {
                if depth > 0 {
                    fs::create_dir(&at)?;
                    // Whatever the umask is.
                    fs::chmod(&at, 0o755)?;
                    interrupt::point("unpack.entry");
                }
                depth += 1;
            }
            Event::Entry(name) => at.push(std::ffi::OsStr::from_bytes(&name)),
            Event::End => {
                depth -= 1;
                if depth > 0 {
                    at.pop();
                }
            }
            Event::File { executable, size } => {
                if depth == 0 {
                    return Err(Error::NotADirectory { shown: shown.to_owned(), from: at });
                }
                write_file(&mut reader, &at, executable, size, &mut buffer, shown)?;
                interrupt::point("unpack.entry");
                at.pop();
            }
            Event::Symlink(target) => {
                if depth == 0 {
                    return Err(Error::NotADirectory { shown: shown.to_owned(), from: at });
                }
                fs::symlink(Path::new(std::ffi::OsStr::from_bytes(&target)), &at)?;
                interrupt::point("unpack.entry");
                at.pop();
            }
        }
    }
}

fn write_file<R: Read>(
    reader: &mut Reader<R>,
    path: &Path,
    executable: bool,
    size: u64,
    buffer: &mut Vec<u8>,
    shown: &str,
) -> Result<()> {
    let mut file = fs::create_new(path)?;
    let mut contents = reader.contents();
    buffer.resize(BUFFER.min(usize::try_from(size).unwrap_or(BUFFER)).max(1), 0);
    loop {
        match contents.read(buffer) {
            Ok(0) => break,
            Ok(n) => file.write_all(&buffer[..n]).context("write", path)?,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => {
                let source = crate::nar::Error::Read(e);
                return Err(Error::BadNar { shown: shown.to_owned(), source });
            }
        }
    }
    fs::chmod(path, if executable { 0o555 } else { 0o444 })?;
    Ok(())
}
