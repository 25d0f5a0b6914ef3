//! The server does as told.

use std::io::Read as _;

use super::support::{ask, connect, send};
use crate::upstream::{FakeUpstream, Fault};

#[test]
fn serves_ranges_conditions_and_nothing_else() {
    let upstream = FakeUpstream::start();
    upstream.file("/f", b"0123456789");
    let whole = ask(&upstream, "/f?x=1", &[]).expect("answer");
    assert_eq!((whole.status, whole.body.as_slice()), (200, &b"0123456789"[..]));
    let tag = whole.head.lines().find_map(|l| l.strip_prefix("ETag: ")).expect("a tag").to_owned();
    let part =
        ask(&upstream, "/f", &["Range: bytes=7-", &format!("If-Range: {tag}")]).expect("answer");
    assert_eq!((part.status, part.body.as_slice()), (206, &b"789"[..]));
    assert!(part.head.contains("Content-Range: bytes 7-9/10"), "{}", part.head);
    let stale = ask(&upstream, "/f", &["Range: bytes=7-", "If-Range: \"old\""]).expect("answer");
    assert_eq!((stale.status, stale.body.len()), (200, 10));
    let same = ask(&upstream, "/f", &[&format!("If-None-Match: {tag}")]).expect("answer");
    assert_eq!((same.status, same.body.len()), (304, 0));
    assert_eq!(ask(&upstream, "/f", &["Range: bytes=10-"]).expect("answer").status, 416);
    assert_eq!(ask(&upstream, "/g", &[]).expect("answer").status, 404);
    assert_eq!((upstream.count("/f"), upstream.count("/g")), (5, 1));
    assert_eq!(upstream.requests()[1].header("range"), Some("bytes=7-"));
    assert_eq!(upstream.remove("/f").forget().requests(), []);
    assert_eq!(ask(&upstream, "/f", &[]).expect("answer").status, 404);
}

#[test]
fn faults_come_in_order_and_end() {
    let upstream = FakeUpstream::start();
    upstream
        .file("/f", b"0123456789")
        .fault("/f", Fault::Status(503), 2)
        .fault("/f", Fault::Truncate(4), 1)
        .fault("/f", Fault::Tamper(12), 1)
        .fault("/f", Fault::Redirect("/other".to_owned()), 1)
        .fault("/f", Fault::Drop, 1);
    let answer = || ask(&upstream, "/f", &[]);
    let status = |n: u16| assert_eq!(answer().expect("answer").status, n);
    status(503);
    status(503);
    let short = answer().expect("answer");
    assert!(short.head.contains("Content-Length: 10"), "{}", short.head);
    assert_eq!(short.body, b"0123");
    assert_eq!(answer().expect("answer").body, b"01\xcd3456789");
    let moved = answer().expect("answer");
    assert!(moved.status == 302 && moved.head.contains("Location: /other"), "{}", moved.head);
    assert!(answer().is_none());
    status(200);
    upstream.fault_always("/f", Fault::Status(500));
    status(500);
    status(500);
    upstream.heal();
    status(200);
}

#[test]
fn asks_for_credentials() {
    let upstream = FakeUpstream::start();
    upstream.file("/f", b"x").require_authorization("Bearer t");
    assert_eq!(ask(&upstream, "/f", &[]).expect("answer").status, 401);
    assert_eq!(ask(&upstream, "/f", &["Authorization: Bearer t"]).expect("answer").status, 200);
}

#[test]
fn keeps_a_connection_and_ends_a_stalled_one() {
    let upstream = FakeUpstream::start();
    upstream.file("/f", b"0123456789").fault("/f", Fault::Status(204), 1);
    upstream.fault("/f", Fault::Stall(3), 1);
    let mut stream = connect(&upstream);
    send(&mut stream, "/f", &[]);
    send(&mut stream, "/f", &[]);
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n012") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("both answers");
        seen.push(byte[0]);
    }
    // Both ends hold the connection now; dropping the server must let go of it.
    drop(upstream);
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(rest, b"");
}
