//! The journal: everything that happened to a stack, one JSON object a line, appended.
//!
//! Owns `<data>/run/journal.jsonl` and its predecessor `.1`. Refuses to hold anybody up: lines are
//! written by a thread, and what a full disk does not take is counted and said in the journal
//! itself. Invariants: numbers (`seq`) only grow, across runs and rotations; a line that was cut
//! off by a crash harms no other line; the two files together are at most twice [`FILE_BYTES`].

pub mod history;
mod words;
mod writer;

use std::path::{Path, PathBuf};

pub use self::history::History;
pub use self::words::{Why, explain};
pub(super) use self::writer::{Flush, JournalWriter};
use super::status::Record;
use crate::fs;

/// A file of this size is renamed to `.1`, and a new one is begun.
const FILE_BYTES: u64 = 4 << 20;

/// The journal of a data directory.
pub fn path(data: &Path) -> PathBuf {
    data.join("run").join("journal.jsonl")
}

fn older(path: &Path) -> PathBuf {
    path.with_extension("jsonl.1")
}

/// Every record that is kept, oldest first; with `since` (a time as records have it), those from
/// then on. Lines that are no records (torn, or of a later version) are passed over.
pub fn read(data: &Path, since: Option<&str>) -> fs::Result<Vec<Record>> {
    let path = path(data);
    let mut out = Vec::new();
    for file in [older(&path), path] {
        let bytes = fs::missing_is_none(fs::read(&file))?.unwrap_or_default();
        out.extend(records(&bytes).filter(|r| since.is_none_or(|s| r.at.as_str() >= s)));
    }
    Ok(out)
}

/// Writes down that a run did not end in order and that what it left was ended. Needs the data
/// directory's lock.
pub(super) fn note_end(data: &Path, run: &str) {
    let text = "the supervisor did not end in order; what it left was ended".to_owned();
    writer::append_one(data, run, super::status::Event::Note { text });
}

fn records(bytes: &[u8]) -> impl Iterator<Item = Record> {
    bytes.split(|b| *b == b'\n').filter_map(|line| serde_json::from_slice(line).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::supervise::status::Event;

    fn note(seq: u64, text: &str) -> Record {
        let event = Event::Note { text: text.to_owned() };
        Record { seq, at: format!("2026-01-01T00:00:{seq:02}.000Z"), run: "1.1".into(), event }
    }

    #[test]
    fn reads_both_files_and_passes_over_what_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        let path = path(dir.path());
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let line = |r: &Record| serde_json::to_string(r).unwrap() + "\n";
        fs::write_atomic(&older(&path), line(&note(1, "a")).as_bytes()).unwrap();
        let text =
            format!("{}{{\"seq\":3,\"at\":\"20\n{}", line(&note(2, "b")), line(&note(4, "c")));
        fs::write_atomic(&path, (text + "{\"seq\":5").as_bytes()).unwrap();
        let seqs = |since| -> Vec<u64> {
            read(dir.path(), since).unwrap().iter().map(|r| r.seq).collect()
        };
        assert_eq!(seqs(None), [1, 2, 4]);
        assert_eq!(seqs(Some("2026-01-01T00:00:02.000Z")), [2, 4]);
        assert_eq!(read(&dir.path().join("none"), None).unwrap(), []);
    }

    proptest! {
        #[test]
        fn whatever_is_in_the_file_gives_no_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut text = bytes.clone();
            text.push(b'\n');
            text.extend(serde_json::to_vec(&note(7, "kept")).unwrap());
            let found: Vec<Record> = records(&text).collect();
            prop_assert_eq!(found.last(), Some(&note(7, "kept")));
        }
    }
}
