//! The control interface, spoken by hand: quicker than a command for each question, and free to be
//! rude.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// Longer than any answer takes, so that a supervisor that hangs is found and does not hang the test.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks once: status and answer. `None` when nobody answers.
pub(super) fn ask(run: &Path, method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let mut stream = UnixStream::connect(run.join("control.sock")).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let length = body.len();
    let head = "Host: localhost\r\nConnection: close\r\nContent-Type: application/json";
    let request = format!("{method} {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all((request + body).as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let code = head.split(' ').nth(1)?.parse().ok()?;
    Some((code, serde_json::from_str(body).ok()?))
}

/// A client that begins a request and never ends it.
pub(super) fn stall(run: &Path) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(run.join("control.sock")).ok()?;
    stream.write_all(b"POST /v1/stop HTTP/1.1\r\nHost: local").ok()?;
    Some(stream)
}

/// A client that follows everything and reads nothing.
pub(super) fn deaf_reader(run: &Path) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(run.join("control.sock")).ok()?;
    let request = "GET /v1/logs?lines=100&follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).ok()?;
    Some(stream)
}
