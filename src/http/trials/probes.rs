//! Readiness probes.

use std::time::Duration;

use super::super::probe;
use super::super::testing::{Reply, Server};
use super::run;

#[test]
fn probes() {
    let server = Server::new(|seen, _| match seen.path.as_str() {
        "/health?deep=1" => Reply::new(503, b"not yet"),
        "/stall" => Reply::new(200, b"x").stall(0),
        _ => Reply::new(302, b"").header("location", "/"),
    });
    let ask = |path: &str, timeout| run(probe(&server.url(path), timeout));
    let long = Duration::from_secs(5);
    assert_eq!(ask("/health?deep=1", long).unwrap(), 503);
    assert_eq!(ask("/moved", long).unwrap(), 302);
    assert_eq!(ask("/stall", long).unwrap(), 200, "the head is enough");
    let host = server.url("/").authority().to_owned();
    assert_eq!(server.seen()[0].header("host"), Some(host.as_str()));

    let https = "https://127.0.0.1/".parse().unwrap();
    let error = run(probe(&https, long)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap()).parse().unwrap();
    let error = run(probe(&url, Duration::from_millis(50))).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}
