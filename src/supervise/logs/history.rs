//! A service's log read from its files: oldest first, compressed ones too, then as it grows.
//!
//! Needs no supervisor and asks none: the files have every line before anyone else gets it.
//! Invariant: while files are rotated, compressed and removed under the reader, each line is given
//! once and in order; files that went before they were read are counted, never passed over in
//! silence. What is not a whole line yet is not given.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flate2::read::MultiGzDecoder;

use super::names::{self, Old};
use crate::base::ServiceName;
use crate::fs::{self, Context as _};

/// Bytes read at once, also backwards.
const CHUNK: usize = 64 * 1024;

/// How often the directory is looked at again when it changes meanwhile.
const TRIES: usize = 100;

/// What [`History::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// A line is in the buffer, without its newline.
    Line,
    /// So many files were rotated away before they were read.
    Lost(u64),
    /// Nothing more for now.
    End,
}

/// A place in the log of one service.
pub struct History {
    path: PathBuf,
    /// Files last written before this are passed over.
    since: Option<SystemTime>,
    /// The number of the next file; the current one has the number it will get.
    next: u64,
    /// Bytes to pass over in it.
    skip: u64,
    open: Option<Open>,
    /// Whether a gap before `next` would be a loss: not before the first file.
    begun: bool,
    lost: u64,
}

struct Open {
    reader: Box<dyn BufRead + Send>,
    path: PathBuf,
    number: u64,
    /// Its inode, as long as it is the file that is written.
    live: Option<u64>,
    /// A line of which the end is not there yet.
    partial: Vec<u8>,
}

/// All files at one moment.
struct Look {
    old: Vec<Old>,
    /// The current file, open, its inode and the number it will get.
    current: Option<(File, u64, u64)>,
}

fn look(path: &Path) -> fs::Result<Look> {
    let mut found = Look { old: Vec::new(), current: None };
    for _ in 0..TRIES {
        let file = fs::missing_is_none(fs::open(path))?;
        found.old = names::family(path)?.old;
        let Some(file) = file else { break };
        let inode = file.metadata().context("look at", path)?.ino();
        let number = found.old.last().map_or(1, |o| o.number + 1);
        found.current = Some((file, inode, number));
        // A name, once left, never comes back: if it is the same now, it was while we looked.
        if fs::lstat_if_exists(path)?.is_some_and(|meta| meta.ino() == inode) {
            break;
        }
    }
    Ok(found)
}

impl History {
    /// Everything that is kept of a service's log, except files last written before `since`.
    pub fn new(data: &Path, service: &ServiceName, since: Option<SystemTime>) -> Self {
        let path = super::path(data, service);
        Self { path, since, next: 0, skip: 0, open: None, begun: false, lost: 0 }
    }

    /// Goes to the last `count` lines of what is there.
    pub fn to_tail(&mut self, count: usize) -> fs::Result<()> {
        let Look { old, current } = look(&self.path)?;
        let mut left = count;
        self.next = old.last().map_or(0, |o| o.number + 1);
        if let Some((mut file, _, number)) = current {
            let size = file.metadata().context("look at", &self.path)?.len();
            let (found, at) = back(&mut file, size, left).context("read", &self.path)?;
            (self.next, self.skip) = (number, at);
            left -= found;
        }
        for one in old.iter().rev() {
            if left == 0 {
                break;
            }
            // One that is gone meanwhile was the oldest.
            let Some(mut file) = fs::missing_is_none(fs::open(&one.path))? else { break };
            let (found, at) = if one.compressed {
                forward(&mut unpacked(file), left).context("decompress", &one.path)?
            } else {
                let size = file.metadata().context("look at", &one.path)?.len();
                back(&mut file, size, left).context("read", &one.path)?
            };
            (self.next, self.skip) = (one.number, at);
            left -= found;
        }
        Ok(())
    }

    /// The next line, into `line`.
    pub fn next(&mut self, line: &mut Vec<u8>) -> fs::Result<Found> {
        loop {
            if self.lost > 0 {
                return Ok(Found::Lost(std::mem::take(&mut self.lost)));
            }
            let Some(open) = &mut self.open else {
                if !self.advance()? {
                    return Ok(Found::End);
                }
                continue;
            };
            if open.read(line)? {
                return Ok(Found::Line);
            }
            match open.end(&self.path)? {
                End::Grows => return Ok(Found::End),
                End::Again => continue,
                End::Done => {}
            }
            self.next = open.number + 1;
            let rest = std::mem::take(&mut open.partial);
            self.open = None;
            if !rest.is_empty() {
                *line = rest;
                return Ok(Found::Line);
            }
        }
    }

    /// Opens the next file; `false` when there is none yet.
    fn advance(&mut self) -> fs::Result<bool> {
        for _ in 0..TRIES {
            let Look { old, current } = look(&self.path)?;
            let next = old.into_iter().find(|o| o.number >= self.next);
            let (number, path, live, file, packed) = match (next, current) {
                (Some(old), _) => match fs::missing_is_none(fs::open(&old.path))? {
                    Some(file) => (old.number, old.path, None, file, old.compressed),
                    // Compressed or removed since we looked.
                    None => continue,
                },
                (None, Some((file, inode, number))) if number >= self.next => {
                    (number, self.path.clone(), Some(inode), file, false)
                }
                _ => return Ok(false),
            };
            let written = file.metadata().and_then(|m| m.modified()).ok();
            let stale = self.since.zip(written).is_some_and(|(since, time)| time < since);
            let skip = if number == self.next { std::mem::take(&mut self.skip) } else { 0 };
            self.lost += if self.begun { number.saturating_sub(self.next) } else { 0 };
            self.begun = true;
            if stale && live.is_none() {
                self.next = number + 1;
                continue;
            }
            let reader = Open::reader(file, packed, skip).context("read", &path)?;
            let partial = Vec::new();
            self.open = Some(Open { reader, path, number, live, partial });
            return Ok(true);
        }
        Ok(false)
    }
}

fn unpacked(file: File) -> BufReader<MultiGzDecoder<BufReader<File>>> {
    BufReader::with_capacity(CHUNK, MultiGzDecoder::new(BufReader::with_capacity(CHUNK, file)))
}

impl Open {
    fn reader(mut file: File, packed: bool, skip: u64) -> io::Result<Box<dyn BufRead + Send>> {
        if packed {
            let mut reader = unpacked(file);
            io::copy(&mut reader.by_ref().take(skip), &mut io::sink())?;
            return Ok(Box::new(reader));
        }
        file.seek(SeekFrom::Start(skip))?;
        Ok(Box::new(BufReader::with_capacity(CHUNK, file)))
    }

    /// A whole line into `line`; `false` when there is none now.
    fn read(&mut self, line: &mut Vec<u8>) -> fs::Result<bool> {
        self.reader.read_until(b'\n', &mut self.partial).context("read", &self.path)?;
        if self.partial.last() != Some(&b'\n') {
            return Ok(false);
        }
        self.partial.pop();
        line.clear();
        std::mem::swap(line, &mut self.partial);
        Ok(true)
    }

    /// At its end: what may come.
    fn end(&mut self, current: &Path) -> fs::Result<End> {
        let Some(inode) = self.live else { return Ok(End::Done) };
        if fs::lstat_if_exists(current)?.is_some_and(|meta| meta.ino() == inode) {
            return Ok(End::Grows);
        }
        // Something may have been written between our read and its renaming.
        self.live = None;
        Ok(End::Again)
    }
}

/// What may come after a file's end.
enum End {
    /// Nothing.
    Done,
    /// What came since we looked.
    Again,
    /// It is the one that is written.
    Grows,
}

/// From the end: how many of the last `count` lines a file has, and where they begin.
fn back(file: &mut File, size: u64, count: usize) -> io::Result<(usize, u64)> {
    let (mut at, mut found) = (size, 0);
    let mut chunk = vec![0; CHUNK];
    // The newline that ends a line begins the one after it; a last line without one counts, too.
    let mut first = true;
    while at > 0 && count > 0 {
        let length = usize::try_from(at).unwrap_or(CHUNK).min(CHUNK);
        at -= length as u64;
        file.seek(SeekFrom::Start(at))?;
        file.read_exact(&mut chunk[..length])?;
        if std::mem::take(&mut first) && chunk[length - 1] != b'\n' {
            found = 1;
        }
        for newline in memchr::memrchr_iter(b'\n', &chunk[..length]) {
            if found == count {
                return Ok((found, at + newline as u64 + 1));
            }
            found += 1;
        }
    }
    // The newlines seen are as many as the lines, since the first line has none before it.
    Ok((found, if count == 0 { size } else { 0 }))
}

/// The same for what can only be read forwards.
fn forward(reader: &mut impl BufRead, count: usize) -> io::Result<(usize, u64)> {
    let (mut begins, mut at) = (VecDeque::new(), 0u64);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = reader.read_until(b'\n', &mut line)?;
        if length == 0 {
            return Ok((begins.len(), begins.front().copied().unwrap_or(at)));
        }
        begins.push_back(at);
        at += length as u64;
        if begins.len() > count {
            begins.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
