//! Reading while files grow, rotate, are compressed and go.

use proptest::prelude::*;

use super::super::compress::{self, Compressor};
use super::super::file::LogFile;
use super::super::{Limits, path};
use super::*;

fn service() -> ServiceName {
    ServiceName::new("s").unwrap()
}

fn log(data: &Path, file_bytes: u64, keep: u32) -> LogFile {
    fs::create_dir_all(&data.join("logs")).unwrap();
    let limits = Limits { file_bytes, keep, compress: false, ..Limits::default() };
    LogFile::open(&path(data, &service()), limits, Compressor::default()).unwrap()
}

/// What can be read now: lines, and how many files were lost.
fn drain(history: &mut History) -> (Vec<String>, u64) {
    let (mut lines, mut lost) = (Vec::new(), 0);
    let mut line = Vec::new();
    loop {
        match history.next(&mut line).unwrap() {
            Found::Line => lines.push(String::from_utf8(line.clone()).unwrap()),
            Found::Lost(count) => lost += count,
            Found::End => return (lines, lost),
        }
    }
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| format!("line {n}")).collect()
}

#[test]
fn tails_over_plain_and_compressed_files() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log(dir.path(), 30, 99);
    for n in 0..20 {
        log.append(format!("line {n}\n").as_bytes(), 1);
    }
    for number in [1, 2, 4] {
        compress::compress(&names::numbered(&path(dir.path(), &service()), number)).unwrap();
    }
    for count in [0, 1, 2, 3, 7, 11, 19, 20, 50] {
        let mut history = History::new(dir.path(), &service(), None);
        history.to_tail(count).unwrap();
        let first = 20u32.saturating_sub(u32::try_from(count).unwrap());
        assert_eq!(drain(&mut history), (numbers(first..20), 0), "the last {count}");
    }
}

#[test]
fn half_a_line_waits_for_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log(dir.path(), 1 << 20, 9);
    let mut history = History::new(dir.path(), &service(), None);
    assert_eq!(drain(&mut history).0, [""; 0]);
    log.append(b"one\ntw", 1);
    assert_eq!(drain(&mut history).0, ["one"]);
    log.append(b"o\n", 1);
    assert_eq!(drain(&mut history).0, ["two"]);
}

#[test]
fn files_that_went_unread_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut log = log(dir.path(), 1, 2);
    log.append(b"line 0\n", 1);
    let mut history = History::new(dir.path(), &service(), None);
    assert_eq!(drain(&mut history), (numbers(0..1), 0));
    for n in 1..10 {
        log.append(format!("line {n}\n").as_bytes(), 1);
    }
    assert_eq!(drain(&mut history), (numbers(7..10), 6));
}

proptest! {
    #[test]
    fn each_line_once_and_in_order_however_files_move(
        steps in prop::collection::vec(0u8..6, 0..60),
        file_bytes in 1u64..60,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut log = log(dir.path(), file_bytes, 1000);
        let mut history = History::new(dir.path(), &service(), None);
        let (mut wrote, mut got) = (0, Vec::new());
        let mut line = Vec::new();
        for step in steps {
            match step {
                0..3 => {
                    log.append(format!("line {wrote}\n").as_bytes(), 1);
                    wrote += 1;
                }
                3 => {
                    let old = names::family(&path(dir.path(), &service())).unwrap().old;
                    if let Some(old) = old.iter().find(|o| !o.compressed) {
                        compress::compress(&old.path).unwrap();
                    }
                }
                4 => {
                    if history.next(&mut line).unwrap() == Found::Line {
                        got.push(String::from_utf8(line.clone()).unwrap());
                    }
                }
                _ => got.extend(drain(&mut history).0),
            }
        }
        got.extend(drain(&mut history).0);
        prop_assert_eq!(got, numbers(0..wrote));
    }
}
