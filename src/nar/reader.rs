//! A strict reader: only what the writer would have written.
//!
//! Gives the archive as a flat run of [`Event`]s. Refuses unsorted or duplicate names, names that
//! leave their directory, padding that is not zero, unknown words, lengths that no tree has, and
//! bytes after the end. Invariant: the events of an accepted archive, written again, give the same
//! bytes.

use std::io::{self, Read};

use super::wire::{self, MAX_DEPTH, MAX_NAME, MAX_TARGET, shown};
use super::{Error, Result};

/// Longest word of the grammar.
const MAX_WORD: usize = 16;

/// One step through an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A directory begins; entries follow until [`Event::End`].
    Directory,
    /// An entry of the innermost open directory; its node follows.
    Entry(Vec<u8>),
    /// The innermost open directory ends.
    End,
    /// A file; its bytes come from [`Reader::contents`], or are skipped.
    File {
        /// Whether its owner may execute it.
        executable: bool,
        /// Bytes.
        size: u64,
    },
    /// A symbolic link.
    Symlink(Vec<u8>),
}

/// What the grammar allows next.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Start,
    Node,
    Contents { size: u64, left: u64 },
    Between,
    Done,
    Failed,
}

/// Reads a NAR, event by event.
pub struct Reader<R> {
    source: R,
    offset: u64,
    state: State,
    /// Last name of each open directory.
    open: Vec<Vec<u8>>,
    /// Whether other bytes may follow the archive.
    within: bool,
}

impl<R: Read> Reader<R> {
    /// Reads from `source`, which should be buffered.
    pub fn new(source: R) -> Self {
        Self { source, offset: 0, state: State::Start, open: Vec::new(), within: false }
    }

    /// Reads an archive that is a part of `source`, and no byte after it.
    pub fn within(source: R) -> Self {
        Self { within: true, ..Self::new(source) }
    }

    /// The next event; `None` once the archive ended and nothing follows it. After an error the
    /// archive stays refused.
    #[allow(clippy::should_implement_trait, reason = "the contents borrow the reader in between")]
    pub fn next(&mut self) -> Result<Option<Event>> {
        let result = self.advance();
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    /// The rest of the contents of the file whose event came last; empty after any other event.
    pub fn contents(&mut self) -> Contents<'_, R> {
        Contents { reader: self }
    }

    fn advance(&mut self) -> Result<Option<Event>> {
        loop {
            match self.state {
                State::Start => {
                    self.word(wire::MAGIC, "the magic `nix-archive-1`")?;
                    self.state = State::Node;
                }
                State::Node => return self.node().map(Some),
                State::Contents { size, .. } => {
                    io::copy(&mut self.contents(), &mut io::sink()).map_err(Error::Read)?;
                    self.padding(size)?;
                    self.word(b")", "`)` after a file")?;
                    self.state = State::Between;
                    self.after_node()?;
                }
                State::Between if self.open.is_empty() => {
                    self.state = State::Done;
                    let mut byte = [0];
                    if !self.within && self.fill(&mut byte)? != 0 {
                        return Err(self.malformed("the end"));
                    }
                }
                State::Between => return self.entry_or_end().map(Some),
                State::Done => return Ok(None),
                State::Failed => return Err(self.malformed("nothing after an error")),
            }
        }
    }

    fn node(&mut self) -> Result<Event> {
        self.word(b"(", "`(` before a node")?;
        self.word(b"type", "`type`")?;
        match self.string(MAX_WORD, "type")?.as_slice() {
            b"regular" => self.file(),
            b"symlink" => {
                self.word(b"target", "`target`")?;
                let target = self.string(MAX_TARGET, "link target")?;
                wire::check_target(&target)?;
                self.word(b")", "`)` after a link")?;
                self.state = State::Between;
                self.after_node()?;
                Ok(Event::Symlink(target))
            }
            b"directory" => {
                if self.open.len() == MAX_DEPTH {
                    return Err(Error::TooDeep(MAX_DEPTH));
                }
                self.open.push(Vec::new());
                self.state = State::Between;
                Ok(Event::Directory)
            }
            _ => Err(self.malformed("`regular`, `symlink` or `directory`")),
        }
    }

    fn file(&mut self) -> Result<Event> {
        let mut word = self.string(MAX_WORD, "word")?;
        let executable = word == b"executable";
        if executable {
            self.word(b"", "an empty string after `executable`")?;
            word = self.string(MAX_WORD, "word")?;
        }
        if word != b"contents" {
            return Err(self.malformed("`contents`"));
        }
        let size = self.length(i64::MAX as u64, "contents")?;
        self.state = State::Contents { size, left: size };
        Ok(Event::File { executable, size })
    }

    fn entry_or_end(&mut self) -> Result<Event> {
        match self.string(MAX_WORD, "word")?.as_slice() {
            b")" => {
                self.open.pop();
                self.after_node()?;
                Ok(Event::End)
            }
            b"entry" => {
                self.word(b"(", "`(` after `entry`")?;
                self.word(b"name", "`name`")?;
                let name = self.string(MAX_NAME, "name")?;
                wire::check_name(&name)?;
                if let Some(last) = self.open.last_mut() {
                    if name <= *last {
                        return Err(Error::Unsorted { name: shown(&name), after: shown(last) });
                    }
                    last.clone_from(&name);
                }
                self.word(b"node", "`node`")?;
                self.state = State::Node;
                Ok(Event::Entry(name))
            }
            _ => Err(self.malformed("`entry` or `)`")),
        }
    }

    /// An entry's own `)`; the root is nobody's entry.
    fn after_node(&mut self) -> Result<()> {
        if self.open.is_empty() { Ok(()) } else { self.word(b")", "`)` after an entry") }
    }

    fn malformed(&self, expected: &'static str) -> Error {
        Error::Malformed { expected, offset: self.offset }
    }

    fn word(&mut self, word: &[u8], expected: &'static str) -> Result<()> {
        let offset = self.offset;
        match self.string(MAX_WORD, "word") {
            Ok(found) if found == word => Ok(()),
            Err(e @ Error::Read(_)) => Err(e),
            _ => Err(Error::Malformed { expected, offset }),
        }
    }

    fn length(&mut self, limit: u64, what: &'static str) -> Result<u64> {
        let offset = self.offset;
        let mut bytes = [0; 8];
        self.exact(&mut bytes)?;
        let length = u64::from_le_bytes(bytes);
        if length > limit {
            return Err(Error::TooLong { what, length, limit, offset });
        }
        Ok(length)
    }

    fn string(&mut self, limit: usize, what: &'static str) -> Result<Vec<u8>> {
        let length = self.length(limit as u64, what)?;
        let mut text = vec![0; length as usize];
        self.exact(&mut text)?;
        self.padding(length)?;
        Ok(text)
    }

    fn padding(&mut self, length: u64) -> Result<()> {
        let mut zeros = [0; 8];
        let zeros = &mut zeros[..wire::padding(length)];
        self.exact(zeros)?;
        if zeros.iter().any(|b| *b != 0) {
            return Err(self.malformed("zeros as padding"));
        }
        Ok(())
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Result<()> {
        let wanted = buffer.len();
        if self.fill(buffer)? == wanted { Ok(()) } else { Err(self.malformed("more bytes")) }
    }

    /// Fills as much of the buffer as the source has.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.source.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::Read(e)),
            }
        }
        self.offset += filled as u64;
        Ok(filled)
    }
}

/// The contents of one file.
pub struct Contents<'r, R> {
    reader: &'r mut Reader<R>,
}

impl<R: Read> Read for Contents<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let State::Contents { size, left } = self.reader.state else { return Ok(0) };
        if left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
        let n = crate::fs::read_part(&mut self.reader.source, &mut buffer[..most])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.reader.offset += n as u64;
        self.reader.state = State::Contents { size, left: left - n as u64 };
        Ok(n)
    }
}
