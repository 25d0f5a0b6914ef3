//! A streaming writer that follows the grammar by its types.
//!
//! [`Writer::root`] gives a place for one [`Node`]; a node becomes a file, a link or a directory and
//! is thereby used up; a [`Directory`] gives a place for each entry. Refuses at run time what types
//! cannot see: names that are not strictly sorted or not names, contents of another size than
//! announced, and a node dropped unfinished. Invariant: if [`Writer::finish`] succeeds, the bytes
//! are the one NAR of the tree that was described.

use std::io::{self, Write};

use super::wire::{self, put, shown};
use super::{Error, Result};

/// Strings are gathered up to this many bytes before the sink sees them.
const GATHER: usize = 32 * 1024;

/// Contents at least this long skip the gathering.
const DIRECT: usize = 4 * 1024;

/// A NAR in the making.
pub struct Writer<W> {
    core: Core<W>,
    rooted: bool,
}

struct Core<W> {
    sink: W,
    gathered: Vec<u8>,
    /// Nodes begun and not finished.
    open: usize,
    /// The sink refused bytes once: what it holds is no prefix to go on from.
    broken: bool,
}

/// A place for exactly one node.
#[must_use = "a place that stays empty makes the archive unfinished"]
pub struct Node<'w, W> {
    core: &'w mut Core<W>,
    /// What closes the node: `)`, and once more when it is an entry.
    closings: u8,
    /// A second root.
    spent: bool,
}

/// A directory whose entries are being written.
#[must_use = "a directory must be finished"]
pub struct Directory<'w, W> {
    core: &'w mut Core<W>,
    closings: u8,
    level: usize,
    last: Vec<u8>,
}

/// A file whose contents are being written.
#[must_use = "a file must be finished"]
pub struct FileWriter<'w, W> {
    core: &'w mut Core<W>,
    closings: u8,
    size: u64,
    given: u64,
}

impl<W: Write> Writer<W> {
    /// A NAR into `sink`.
    pub fn new(sink: W) -> Self {
        let mut gathered = Vec::with_capacity(GATHER + 2 * DIRECT);
        put(&mut gathered, wire::MAGIC);
        // The root counts as open until it is written, so that an empty archive is an error.
        Self { core: Core { sink, gathered, open: 1, broken: false }, rooted: false }
    }

    /// The place of the root node. A second root is an error when it is written.
    pub fn root(&mut self) -> Node<'_, W> {
        let spent = std::mem::replace(&mut self.rooted, true);
        Node { core: &mut self.core, closings: 1, spent }
    }

    /// The sink, once the whole tree was written.
    pub fn finish(mut self) -> Result<W> {
        if self.core.open != 0 || self.core.broken {
            return Err(Error::Unfinished);
        }
        self.core.hand_on()?;
        self.core.sink.flush().map_err(Error::Write)?;
        Ok(self.core.sink)
    }
}

impl<W: Write> Core<W> {
    fn put(&mut self, text: &[u8]) -> Result<()> {
        put(&mut self.gathered, text);
        if self.gathered.len() >= GATHER { self.hand_on() } else { Ok(()) }
    }

    fn put_all(&mut self, texts: &[&[u8]]) -> Result<()> {
        texts.iter().try_for_each(|text| self.put(text))
    }

    fn hand_on(&mut self) -> Result<()> {
        let result = self.sink.write_all(&self.gathered);
        self.gathered.clear();
        self.check(result)
    }

    fn check(&mut self, result: io::Result<()>) -> Result<()> {
        self.broken |= result.is_err();
        result.map_err(Error::Write)
    }

    fn contents(&mut self, data: &[u8]) -> Result<()> {
        if data.len() >= DIRECT {
            self.hand_on()?;
            let result = self.sink.write_all(data);
            return self.check(result);
        }
        self.gathered.extend_from_slice(data);
        if self.gathered.len() >= GATHER { self.hand_on() } else { Ok(()) }
    }

    /// Closes a node that has been written.
    fn close(&mut self, closings: u8) -> Result<()> {
        (0..closings).try_for_each(|_| self.put(b")"))?;
        self.open -= 1;
        Ok(())
    }
}

impl<'w, W: Write> Node<'w, W> {
    fn begin(&self) -> Result<()> {
        if self.spent { Err(Error::Unfinished) } else { Ok(()) }
    }

    /// A file of exactly `size` bytes.
    pub fn file(self, executable: bool, size: u64) -> Result<FileWriter<'w, W>> {
        self.begin()?;
        self.core.put_all(&[b"(", b"type", b"regular"])?;
        if executable {
            self.core.put_all(&[b"executable", b""])?;
        }
        self.core.put(b"contents")?;
        self.core.gathered.extend_from_slice(&size.to_le_bytes());
        Ok(FileWriter { core: self.core, closings: self.closings, size, given: 0 })
    }

    /// A symbolic link.
    pub fn symlink(self, target: &[u8]) -> Result<()> {
        self.begin()?;
        wire::check_target(target)?;
        self.core.put_all(&[b"(", b"type", b"symlink", b"target", target])?;
        self.core.close(self.closings)
    }

    /// A directory, to be filled.
    pub fn directory(self) -> Result<Directory<'w, W>> {
        self.begin()?;
        let level = self.core.open;
        if level > wire::MAX_DEPTH {
            return Err(Error::TooDeep(wire::MAX_DEPTH));
        }
        self.core.put_all(&[b"(", b"type", b"directory"])?;
        Ok(Directory { core: self.core, closings: self.closings, level, last: Vec::new() })
    }
}

impl<W: Write> Directory<'_, W> {
    /// The place of the next entry; names must come strictly sorted, bytewise.
    pub fn entry(&mut self, name: &[u8]) -> Result<Node<'_, W>> {
        if self.core.open != self.level {
            return Err(Error::Unfinished);
        }
        wire::check_name(name)?;
        if name <= self.last.as_slice() {
            return Err(Error::Unsorted { name: shown(name), after: shown(&self.last) });
        }
        self.last.clear();
        self.last.extend_from_slice(name);
        self.core.open += 1;
        self.core.put_all(&[b"entry", b"(", b"name", name, b"node"])?;
        Ok(Node { core: self.core, closings: 2, spent: false })
    }

    /// No more entries.
    pub fn finish(self) -> Result<()> {
        if self.core.open != self.level {
            return Err(Error::Unfinished);
        }
        self.core.close(self.closings)
    }
}

impl<W: Write> FileWriter<'_, W> {
    /// The next part of the contents.
    pub fn write(&mut self, data: &[u8]) -> Result<()> {
        let given = self.given + data.len() as u64;
        if given > self.size {
            return Err(Error::Size { announced: self.size, given });
        }
        self.given = given;
        self.core.contents(data)
    }

    /// The contents are whole.
    pub fn finish(self) -> Result<()> {
        if self.given != self.size {
            return Err(Error::Size { announced: self.size, given: self.given });
        }
        self.core.gathered.extend_from_slice(&[0; 8][..wire::padding(self.size)]);
        self.core.close(self.closings)
    }
}

/// For [`io::copy`]; a wrong size surfaces as [`io::ErrorKind::InvalidData`].
impl<W: Write> Write for FileWriter<'_, W> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        match FileWriter::write(self, data) {
            Ok(()) => Ok(data.len()),
            Err(Error::Write(e)) => Err(e),
            Err(e) => Err(io::Error::new(io::ErrorKind::InvalidData, e)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
