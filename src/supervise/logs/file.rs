//! A service's log file and its predecessors.
//!
//! Owns `NAME.log`, `NAME.log.1` (the youngest old one) and so on. One writer; rotation renames,
//! never copies or truncates. Invariant: a batch of lines is written whole into one file; what
//! cannot be written is counted and said in the log as soon as writing works again.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::Limits;
use super::frame::{self, Stamp};
use crate::fs;
use crate::supervise::status::LogCounters;

pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    limits: Limits,
    counters: LogCounters,
    /// Bytes that could not be written since the last success.
    gap: u64,
}

impl LogFile {
    /// Opens for appending: earlier runs' lines stay.
    pub(super) fn open(path: &Path, limits: Limits) -> fs::Result<Self> {
        let file = fs::open_append(path)?;
        let size = fs::lstat(path)?.len();
        let (path, counters) = (path.to_owned(), LogCounters::default());
        Ok(Self { path, file, size, limits, counters, gap: 0 })
    }

    /// Appends whole lines.
    pub(super) fn append(&mut self, batch: &[u8], lines: u64) {
        if self.size > 0 && self.size + batch.len() as u64 > self.limits.file_bytes {
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

    fn old(&self, n: u32) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(format!(".{n}"));
        path.into()
    }

    fn rotate(&mut self) -> fs::Result<()> {
        let keep = self.limits.files.saturating_sub(1);
        let oldest = if keep == 0 { self.path.clone() } else { self.old(keep) };
        if let Some(meta) = fs::lstat_if_exists(&oldest)? {
            fs::remove_file_if_exists(&oldest)?;
            self.counters.rotated_away += meta.len();
        }
        for n in (1..keep).rev() {
            if fs::exists(&self.old(n))? {
                fs::rename(&self.old(n), &self.old(n + 1))?;
            }
        }
        if keep > 0 {
            fs::rename(&self.path, &self.old(1))?;
        }
        self.file = fs::open_append(&self.path)?;
        self.size = 0;
        Ok(())
    }

    pub(super) fn counters(&self) -> LogCounters {
        self.counters
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotates_by_rename_and_counts_what_goes() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.log");
        let limits = Limits { file_bytes: 10, files: 3, ..Limits::default() };
        let mut log = LogFile::open(&path, limits).unwrap();
        for n in 0..5 {
            log.append(format!("line {n}\n").as_bytes(), 1);
        }
        let read = |name: &str| fs::read_to_string(&dir.path().join(name)).unwrap();
        assert_eq!(read("s.log"), "line 4\n");
        assert_eq!(read("s.log.1"), "line 3\n");
        assert_eq!(read("s.log.2"), "line 2\n");
        assert_eq!(fs::read_dir_names(dir.path()).unwrap().len(), 3);
        let counters = log.counters();
        assert_eq!((counters.lines, counters.rotated_away, counters.unwritten), (5, 14, 0));
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_counted_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s.log");
        let limits = Limits { file_bytes: 1000, files: 1, ..Limits::default() };
        let mut log = LogFile::open(&path, limits).unwrap();
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
