//! A service's log file and its rotation.
//!
//! Owns `NAME.log`; its predecessors' names are `names`' and their compression `compress`'. One
//! writer; rotation renames, never copies or truncates. Invariants: a batch of lines is written
//! whole into one file; what cannot be written is counted and said in the log as soon as writing
//! works again; a kill at any moment loses and doubles no line.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::compress::Compressor;
use super::frame::{self, Stamp};
use super::{Kept, Limits, names};
use crate::fs;
use crate::supervise::status::LogCounters;

pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    /// When its first line was written.
    born: SystemTime,
    /// The number of the next predecessor.
    next: u64,
    limits: Limits,
    compressor: Compressor,
    counters: LogCounters,
    /// Bytes that could not be written since the last success.
    gap: u64,
}

impl LogFile {
    /// Opens for appending: earlier runs' lines stay. Ends a line that a kill cut off, and goes on
    /// where compression was interrupted.
    pub(super) fn open(path: &Path, limits: Limits, compressor: Compressor) -> fs::Result<Self> {
        let family = names::family(path)?;
        for file in &family.left_over {
            fs::remove_file_if_exists(file)?;
        }
        let file = fs::open_append(path)?;
        let size = fs::lstat(path)?.len();
        let mut log = Self {
            path: path.to_owned(),
            file,
            size,
            born: SystemTime::now(),
            next: family.old.last().map_or(1, |o| o.number + 1),
            limits,
            compressor,
            counters: LogCounters::default(),
            gap: 0,
        };
        if size > 0 {
            log.born = first_time(path).unwrap_or(log.born);
            if !ends_with_newline(path, size) {
                let _ = log.write(b"\n");
                log.counters = LogCounters::default();
            }
        }
        if limits.compress {
            let plain = family.old.into_iter().filter(|o| !o.compressed);
            plain.for_each(|o| log.compressor.add(o.path));
        }
        Ok(log)
    }

    /// Appends whole lines.
    pub(super) fn append(&mut self, batch: &[u8], lines: u64) {
        if self.size > 0 && (self.is_full(batch.len() as u64) || self.is_old()) {
            // If the disk refuses, the file grows beyond its limit rather than losing lines.
            let _ = self.rotate();
        }
        if self.gap > 0 {
            let text = format!("… {} bytes of this log could not be written", self.gap);
            let line = frame::own_line(&text, &Stamp::now());
            if self.write(&line).is_err() {
                self.lose(batch.len());
                return;
            }
            self.gap = 0;
        }
        match self.write(batch) {
            Ok(()) => self.counters.lines += lines,
            Err(rest) => self.lose(rest),
        }
    }

    fn is_full(&self, more: u64) -> bool {
        self.size + more > self.limits.file_bytes
    }

    fn is_old(&self) -> bool {
        // A clock that was set back makes a file young, which is the harmless side.
        let age = || self.born.elapsed().unwrap_or(Duration::ZERO);
        self.limits.max_age.is_some_and(|limit| age() >= limit)
    }

    fn lose(&mut self, bytes: usize) {
        self.gap += bytes as u64;
        self.counters.unwritten += bytes as u64;
    }

    /// On failure gives how many bytes were not written.
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), usize> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(0) => return Err(bytes.len()),
                Ok(n) => {
                    self.size += n as u64;
                    self.counters.bytes += n as u64;
                    bytes = &bytes[n..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Err(bytes.len()),
            }
        }
        Ok(())
    }

    fn rotate(&mut self) -> fs::Result<()> {
        let old = names::numbered(&self.path, self.next);
        fs::rename(&self.path, &old)?;
        self.next += 1;
        self.file = fs::open_append(&self.path)?;
        self.size = 0;
        self.born = SystemTime::now();
        let all = names::family(&self.path)?.old;
        let keep = usize::try_from(self.limits.keep).unwrap_or(usize::MAX);
        for one in &all[..all.len().saturating_sub(keep)] {
            let bytes = fs::lstat_if_exists(&one.path)?.map_or(0, |meta| meta.len());
            fs::remove_file_if_exists(&one.path)?;
            self.counters.rotated_away += bytes;
        }
        if self.limits.compress && keep > 0 {
            self.compressor.add(old);
        }
        Ok(())
    }

    /// Bytes that could not be written since the last success.
    pub(super) fn gap(&self) -> u64 {
        self.gap
    }

    /// Goes on counting.
    pub(super) fn go_on(&mut self, kept: Kept) {
        (self.counters, self.gap) = (kept.counters, kept.gap);
    }

    /// The newest whole lines, at most so many bytes; none where they cannot be read.
    pub(super) fn tail(&self, most: usize) -> Vec<u8> {
        let from = self.size.saturating_sub(most as u64);
        let mut bytes = Vec::new();
        let read = fs::open(&self.path).map(|mut file| {
            file.seek(io::SeekFrom::Start(from))?;
            file.read_to_end(&mut bytes)
        });
        if !matches!(read, Ok(Ok(_))) {
            return Vec::new();
        }
        let start = match memchr::memchr(b'\n', &bytes) {
            Some(end) if from > 0 => end + 1,
            _ => 0,
        };
        bytes.drain(..start);
        bytes
    }

    pub(super) fn counters(&self) -> LogCounters {
        self.counters
    }
}

/// The time before a file's first line.
fn first_time(path: &Path) -> Option<SystemTime> {
    let mut head = [0u8; 24];
    fs::open(path).ok()?.read_exact(&mut head).ok()?;
    let time: jiff::Timestamp = std::str::from_utf8(&head).ok()?.parse().ok()?;
    Some(time.into())
}

fn ends_with_newline(path: &Path, size: u64) -> bool {
    use std::os::unix::fs::FileExt as _;
    let mut last = [0u8; 1];
    let read = fs::open(path).map(|file| file.read_at(&mut last, size.saturating_sub(1)));
    // What cannot be read is not judged.
    !matches!(read, Ok(Ok(1))) || last == *b"\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(path: &Path, limits: Limits) -> LogFile {
        LogFile::open(path, limits, Compressor::default()).unwrap()
    }

    fn plain(file_bytes: u64, keep: u32) -> Limits {
        Limits { file_bytes, keep, compress: false, ..Limits::default() }
    }

    #[test]
    fn rotates_by_rename_and_counts_what_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.log");
        let mut log = open(&path, plain(10, 2));
        for n in 0..5 {
            log.append(format!("line {n}\n").as_bytes(), 1);
        }
        let read = |name: &str| fs::read_to_string(&dir.path().join(name)).unwrap();
        assert_eq!(read("s.log"), "line 4\n");
        assert_eq!(read("s.log.4"), "line 3\n");
        assert_eq!(read("s.log.3"), "line 2\n");
        assert_eq!(fs::read_dir_names(dir.path()).unwrap().len(), 3);
        let counters = log.counters();
        assert_eq!((counters.lines, counters.rotated_away, counters.unwritten), (5, 14, 0));
        // Another run goes on with the numbers.
        drop(log);
        open(&path, plain(10, 2)).append(b"line 5\n", 1);
        assert_eq!(read("s.log.5"), "line 4\n");
    }

    #[test]
    fn rotates_by_the_age_of_the_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.log");
        let hour = Some(Duration::from_secs(3600));
        fs::write_atomic(&path, b"2026-01-02T03:04:05.678Z out old\n").unwrap();
        let mut log = open(&path, Limits { max_age: hour, ..plain(1 << 20, 9) });
        log.append(b"new\n", 1);
        log.append(b"newer\n", 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\nnewer\n");
        assert!(fs::read_to_string(&dir.path().join("s.log.1")).unwrap().ends_with("old\n"));
    }

    #[test]
    fn what_a_kill_left_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.log");
        let put = |n: &str, text: &str| fs::write_atomic(&dir.path().join(n), text.as_bytes());
        put("s.log", "cut o").unwrap();
        put("s.log.1", "whole").unwrap();
        put("s.log.1.gz", "its compressed form").unwrap();
        put("s.log.2.gz.part", "half").unwrap();
        put("s.log.2", "two\n").unwrap();
        open(&path, plain(1 << 20, 9)).append(b"next\n", 1);
        assert_eq!(fs::read_to_string(&path).unwrap(), "cut o\nnext\n");
        let mut names = fs::read_dir_names(dir.path()).unwrap();
        names.sort();
        assert_eq!(names, ["s.log", "s.log.1.gz", "s.log.2"]);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_counted_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.log");
        let mut log = open(&path, plain(1000, 0));
        log.file = fs::open_append(Path::new("/dev/full")).unwrap();
        log.append(b"gone\n", 1);
        assert_eq!(log.counters().unwritten, 5);
        log.file = fs::open_append(&path).unwrap();
        log.append(b"kept\n", 1);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(" sup … 5 bytes of this log could not be written\n"), "{text}");
        assert!(text.ends_with("\nkept\n"));
    }
}
