//! Downloads: resume, start over, sizes, and ends that come early.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::super::testing::{Reply, Seen, Server, client, client_with_stall, options};
use super::super::{Client, Downloaded, Error, Get, Options};
use super::run;
use crate::base::{Algorithm, Diagnose as _, Integrity, Kind, Quiet, Task};
use crate::fs;

fn content() -> Vec<u8> {
    (0..300_000u32).map(|n| (n * 7 % 251) as u8).collect()
}

struct Room {
    dir: tempfile::TempDir,
}

impl Room {
    fn new(existing: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        if !existing.is_empty() {
            fs::write_atomic(&dir.path().join("part"), existing).unwrap();
        }
        Self { dir }
    }

    fn fetch(&self, request: &Get, size: Option<u64>) -> Result<Downloaded, Error> {
        self.fetch_with(&client(options()), request, size, &Quiet)
    }

    fn fetch_with(
        &self,
        client: &Client,
        request: &Get,
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<Downloaded, Error> {
        let both = [Algorithm::Sha256, Algorithm::Sha512];
        run(client.download(request, &self.dir.path().join("part"), &both, size, task))
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.dir.path().join("part")).unwrap()
    }

    fn holds(&self, done: &Downloaded) {
        assert!(self.bytes() == content(), "the file differs");
        assert_eq!(done.size, content().len() as u64);
        assert_eq!(done.hashes[0], Integrity::sha256_of(&content()));
        assert_eq!(done.hashes[1].algorithm(), Algorithm::Sha512);
    }
}

fn ranges(server: &Server) -> Vec<Option<String>> {
    server.seen().iter().map(|s| s.header("range").map(str::to_owned)).collect()
}

#[test]
fn downloads_and_hashes() {
    let server = Server::new(|seen, _| Reply::file(&content(), seen));
    let room = Room::new(b"");
    room.holds(&room.fetch(&server.get("/f"), Some(300_000)).unwrap());
    assert_eq!(server.seen()[0].header("accept-encoding"), Some("identity"));
    assert_eq!(ranges(&server), [None]);

    // It is complete now: no request, and offline is no matter.
    let offline = client(Options { offline: true, ..options() });
    let again = room.fetch_with(&offline, &server.get("/f"), Some(300_000), &Quiet);
    room.holds(&again.unwrap());
    // Without a size, the server is asked whether there is more.
    room.holds(&room.fetch(&server.get("/f"), None).unwrap());
    assert_eq!(ranges(&server), [None, Some("bytes=300000-".to_owned())]);
}

#[test]
fn resumes_a_part_of_an_earlier_process() {
    let server = Server::new(|seen, _| Reply::file(&content(), seen));
    let room = Room::new(&content()[..100_000]);
    room.holds(&room.fetch(&server.get("/f"), None).unwrap());
    assert_eq!(ranges(&server), [Some("bytes=100000-".to_owned())]);
}

#[test]
fn resumes_after_truncation_and_stall() {
    let orders: [fn(Reply) -> Reply; 2] = [|r| r.truncate(100_000), |r| r.stall(100_000)];
    for order in orders {
        let server = Server::new(move |seen, n| match n {
            0 => order(Reply::file(&content(), seen).header("etag", "\"1\"")),
            _ => Reply::file(&content(), seen).header("etag", "\"1\""),
        });
        let room = Room::new(b"");
        let progress = Progress::default();
        let client = client_with_stall(options(), Duration::from_secs(1));
        let done = room.fetch_with(&client, &server.get("/f"), None, &progress);
        room.holds(&done.unwrap());
        assert_eq!(ranges(&server), [None, Some("bytes=100000-".to_owned())]);
        assert_eq!(server.seen()[1].header("if-range"), Some("\"1\""));
        assert_eq!(progress.0.load(Ordering::Relaxed), 300_000);
    }
}

#[derive(Default)]
struct Progress(AtomicU64);

impl Task for Progress {
    fn advance(&self, bytes: u64) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
    fn stage(&self, _stage: &str) {}
}

#[test]
fn starts_over_where_ranges_are_ignored() {
    let server = Server::new(|_, n| match n {
        0 => Reply::new(200, &content()).truncate(100_000),
        _ => Reply::new(200, &content()),
    });
    let room = Room::new(b"");
    let progress = Progress::default();
    let done = room.fetch_with(&client(options()), &server.get("/f"), None, &progress);
    room.holds(&done.unwrap());
    assert_eq!(progress.0.load(Ordering::Relaxed), 300_000);
}

#[test]
fn starts_over_when_the_part_is_not_of_this_file() {
    let wrong_range = |seen: &Seen, _| match seen.header("range") {
        Some(_) => Reply::new(206, b"xx").header("content-range", "bytes 0-1/300000"),
        None => Reply::new(200, &content()),
    };
    let longer = |seen: &Seen, _| Reply::file(&content(), seen);
    for (server, existing) in [
        (Server::new(wrong_range), content()[..5].to_vec()),
        (Server::new(longer), vec![b'x'; 300_001]),
    ] {
        let room = Room::new(&existing);
        room.holds(&room.fetch(&server.get("/f"), None).unwrap());
        assert_eq!(ranges(&server).len(), 2);
        assert_eq!(ranges(&server)[1], None);
    }
}

#[test]
fn a_body_that_stays_short_is_an_error() {
    let server = Server::new(|_, _| Reply::new(200, &content()).truncate(10));
    let room = Room::new(b"");
    let error = room.fetch(&server.get("/f"), None).unwrap_err();
    assert!(matches!(error, Error::Short { received: 10, announced: 300_000, .. }), "{error}");
    assert_eq!(server.seen().len(), 3);
}

#[test]
fn another_size_than_expected_is_an_error_with_both_numbers() {
    let server = Server::new(|seen, _| Reply::file(&content(), seen));
    for expected in [299_999, 300_001] {
        let room = Room::new(b"");
        let error = room.fetch(&server.get("/f"), Some(expected)).unwrap_err();
        assert_eq!(error.kind(), Kind::Integrity);
        let text = error.to_string();
        assert!(text.contains("300000") && text.contains(&expected.to_string()), "{text}");
        assert_eq!(room.bytes(), b"", "nothing of it is kept");
    }
    assert_eq!(server.seen().len(), 2, "no retry helps");
}

#[test]
fn a_file_that_cannot_be_written_is_named() {
    let server = Server::new(|seen, _| Reply::file(&content(), seen));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("missing/part");
    let error = run(client(options()).download(&server.get("/f"), &file, &[], None, &Quiet));
    assert!(error.unwrap_err().to_string().contains("missing/part"));
    assert!(server.seen().is_empty());
}

#[test]
fn a_server_that_stays_silent_is_told_as_such() {
    let server = Server::new(|_, _| Reply::new(200, &content()).stall(0));
    let room = Room::new(b"");
    let once = Options { retries: 0, ..options() };
    let client = client_with_stall(once, Duration::from_millis(100));
    let error = room.fetch_with(&client, &server.get("/f"), None, &Quiet).unwrap_err();
    assert!(matches!(error, Error::Stalled { .. }), "{error}");
}

#[test]
fn progress_earns_new_tries() {
    // More failures than retries, but each try brings another mebibyte.
    let large = vec![7u8; 6 << 20];
    let served = large.clone();
    let server = Server::new(move |seen, _| match Reply::file(&served, seen) {
        reply if reply.length() > 1 << 20 => reply.truncate(1 << 20),
        reply => reply,
    });
    let room = Room::new(b"");
    let done = room.fetch(&server.get("/f"), Some(6 << 20)).unwrap();
    assert_eq!(done.hashes[0], Integrity::sha256_of(&large));
    assert_eq!(server.seen().len(), 6);
}

/// A file that changed between two halves is never a mixture of both, whatever the server gives to
/// tell them apart.
#[test]
fn halves_of_two_files_are_not_one() {
    let other = || vec![9u8; 300_000];
    let tag = |reply: Reply, tag: &str| match tag {
        "" => reply,
        tag => reply.header("etag", tag),
    };
    for (first, second) in [("\"1\"", "\"2\""), ("W/\"1\"", "W/\"2\""), ("", "")] {
        // It passes the condition over, as some caches do.
        let server = Server::new(move |seen, n| match n {
            0 => tag(Reply::file(&other(), seen), first).truncate(100_000),
            _ => tag(Reply::file(&content(), seen), second),
        });
        let room = Room::new(b"");
        room.holds(&room.fetch(&server.get("/f"), None).unwrap());
        let asked = ranges(&server);
        assert_eq!(asked.last(), Some(&None), "{first:?}: {asked:?}");
    }
}
