//! The thread that writes the journal.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::oneshot;

use super::{FILE_BYTES, older, records};
use crate::fs;
use crate::supervise::status::{Event, Record};

enum Job {
    Line(Box<Record>),
    Flush(oneshot::Sender<()>),
}

/// Numbers events and has them written, in order. Needs the data directory's lock.
#[derive(Debug)]
pub(in crate::supervise) struct JournalWriter {
    queue: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    run: String,
    next: u64,
}

/// Asks for everything told so far to be in the file.
#[derive(Clone, Debug)]
pub(in crate::supervise) struct Flush(mpsc::Sender<Job>);

impl Flush {
    pub(in crate::supervise) async fn done(&self) {
        let (sender, done) = oneshot::channel();
        if self.0.send(Job::Flush(sender)).is_ok() {
            let _ = done.await;
        }
    }
}

impl JournalWriter {
    /// Goes on where the journal of `data` ends; `run` names this run.
    pub(in crate::supervise) fn start(data: &Path, run: &str) -> std::io::Result<Self> {
        let path = super::path(data);
        let mut file = JournalFile::open(path);
        let next = file.last_seq + 1;
        let (queue, jobs) = mpsc::channel::<Job>();
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .stack_size(128 * 1024)
            .spawn(move || file.serve(&jobs))?;
        Ok(Self { queue: Some(queue), thread: Some(thread), run: run.to_owned(), next })
    }

    /// Gives an event its number and time, and has it written.
    pub(in crate::supervise) fn record(&mut self, event: Event) -> Record {
        let at = format!("{:.3}", Timestamp::now());
        let record = Record { seq: self.next, at, run: self.run.clone(), event };
        self.next += 1;
        if let Some(queue) = &self.queue {
            let _ = queue.send(Job::Line(Box::new(record.clone())));
        }
        record
    }

    /// The number of the next record.
    pub(in crate::supervise) fn next(&self) -> u64 {
        self.next
    }

    /// Counts on from a number, even where the disk did not take the last records.
    pub(in crate::supervise) fn count_from(&mut self, next: u64) {
        self.next = self.next.max(next);
    }

    pub(in crate::supervise) fn flusher(&self) -> Option<Flush> {
        self.queue.clone().map(Flush)
    }

    /// Returns when everything is written. Nothing is written after that.
    pub(in crate::supervise) async fn close(mut self) {
        if let Some(queue) = self.queue.take() {
            Flush(queue).done().await;
        }
        // Ends once whoever holds a [`Flush`] has let go; there is nothing left for it to write.
        drop(self.thread.take());
    }
}

/// Appends a record from this thread. What the disk does not take is lost.
pub(super) fn append_one(data: &Path, run: &str, event: Event) {
    let mut file = JournalFile::open(super::path(data));
    let at = format!("{:.3}", Timestamp::now());
    let record = Record { seq: file.last_seq + 1, at, run: run.to_owned(), event };
    let mut text = Vec::new();
    if serde_json::to_writer(&mut text, &record).is_ok() {
        text.push(b'\n');
        file.write(text, 1);
    }
}

struct JournalFile {
    path: PathBuf,
    file: Option<File>,
    size: u64,
    last_seq: u64,
    /// Records that the disk did not take.
    lost: u64,
}

impl JournalFile {
    fn open(path: PathBuf) -> Self {
        let bytes = fs::read(&path).unwrap_or_default();
        let last = |bytes: &[u8]| records(bytes).map(|r| r.seq).max();
        let last_seq = last(&bytes)
            .or_else(|| last(&fs::read(&older(&path)).unwrap_or_default()))
            .unwrap_or(0);
        let mut journal = Self { path, file: None, size: bytes.len() as u64, last_seq, lost: 0 };
        // A line that a crash cut off is closed, so that ours begins a new one.
        if bytes.last().is_some_and(|b| *b != b'\n') {
            journal.append(b"\n");
        }
        journal
    }

    fn serve(&mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let (mut text, mut count, mut waiting) = (Vec::new(), 0, Vec::new());
            for job in std::iter::once(first).chain(jobs.try_iter()) {
                match job {
                    Job::Line(record) => {
                        count += 1;
                        self.last_seq = record.seq;
                        if serde_json::to_writer(&mut text, &record).is_ok() {
                            text.push(b'\n');
                        }
                    }
                    Job::Flush(done) => waiting.push(done),
                }
            }
            self.write(text, count);
            for done in waiting {
                let _ = done.send(());
            }
        }
    }

    fn write(&mut self, mut text: Vec<u8>, count: u64) {
        if count == 0 {
            return;
        }
        if self.size + text.len() as u64 > FILE_BYTES && self.size > 0 {
            self.file = None;
            if fs::rename(&self.path, &older(&self.path)).is_ok() {
                self.size = 0;
            }
        }
        if self.lost > 0 {
            let event = Event::Missed { count: self.lost, service: None };
            let at = format!("{:.3}", Timestamp::now());
            let record = Record { seq: self.last_seq, at, run: String::new(), event };
            text.push(b'\n');
            let _ = serde_json::to_writer(&mut text, &record);
            text.push(b'\n');
        }
        if self.append(&text) {
            self.lost = 0;
        } else {
            self.lost += count;
        }
    }

    fn append(&mut self, text: &[u8]) -> bool {
        if self.file.is_none() {
            self.file = fs::open_append(&self.path).ok();
        }
        let written = self.file.as_mut().is_some_and(|f| f.write_all(text).is_ok());
        if written {
            self.size += text.len() as u64;
        } else {
            self.file = None;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(text: &str) -> Event {
        Event::Note { text: text.to_owned() }
    }

    #[tokio::test]
    async fn goes_on_after_a_torn_line_and_counts_on() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(&dir.path().join("run")).unwrap();
        let mut writer = JournalWriter::start(dir.path(), "1.1").unwrap();
        assert_eq!(writer.record(note("one")).seq, 1);
        assert_eq!(writer.record(note("two")).seq, 2);
        writer.close().await;
        let path = super::super::path(dir.path());
        fs::open_append(&path).unwrap().write_all(b"{\"seq\":3,\"at\"").unwrap();
        let mut writer = JournalWriter::start(dir.path(), "2.2").unwrap();
        assert_eq!(writer.record(note("three")).seq, 3);
        writer.close().await;
        let all = super::super::read(dir.path(), None).unwrap();
        let told: Vec<(u64, &str)> = all.iter().map(|r| (r.seq, r.run.as_str())).collect();
        assert_eq!(told, [(1, "1.1"), (2, "1.1"), (3, "2.2")]);
    }

    #[test]
    fn is_bounded_and_keeps_counting() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(&dir.path().join("run")).unwrap();
        let path = super::super::path(dir.path());
        let mut journal = JournalFile::open(path.clone());
        let big = "x".repeat(64 * 1024);
        for seq in 1..=200 {
            let record = Record { seq, at: String::new(), run: String::new(), event: note(&big) };
            let mut line = serde_json::to_vec(&record).unwrap();
            line.push(b'\n');
            journal.last_seq = seq;
            journal.write(line, 1);
        }
        for file in [path.clone(), older(&path)] {
            assert!(fs::lstat(&file).unwrap().len() <= FILE_BYTES, "{}", file.display());
        }
        assert_eq!(JournalFile::open(path).last_seq, 200);
        let kept = super::super::read(dir.path(), None).unwrap();
        assert_eq!(kept.last().map(|r| r.seq), Some(200));
        assert!(kept.len() > 63 && kept.windows(2).all(|w| w[0].seq + 1 == w[1].seq));
    }
}
