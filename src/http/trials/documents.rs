//! Small documents: cache, retries, redirects, credentials, and what is told when there is none.

use super::super::testing::{Reply, Server, client, options};
use super::super::{Client, Error, Get, Options};
use super::run;
use crate::base::{Diagnose as _, Secret};
use crate::fs;

fn with_cache(directory: &std::path::Path, offline: bool) -> Client {
    client(Options { cache: Some(directory.to_owned()), offline, ..options() })
}

#[test]
fn gets_on_one_connection() {
    let server = Server::new(|seen, _| Reply::new(200, seen.path.as_bytes()));
    let client = client(options());
    run(async {
        for path in ["/a", "/b?c=d"] {
            let request = Get { accept: Some("text/x"), ..server.get(path) };
            assert_eq!(client.get(&request).await.unwrap(), path.as_bytes());
        }
    });
    let seen = server.seen();
    assert_eq!(seen[0].header("accept"), Some("text/x"));
    assert_eq!(seen[1].connection, 0);
}

#[test]
fn gets_gzip() {
    use std::io::Write as _;
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"plain").unwrap();
    let gzip = gzip.finish().unwrap();
    let server = Server::new(move |seen, n| {
        assert_eq!(seen.header("accept-encoding"), Some("gzip"));
        let sent = if n == 0 { &gzip[..10] } else { &gzip[..] };
        Reply::new(200, sent).header("content-encoding", "gzip")
    });
    assert_eq!(run(client(options()).get(&server.get("/"))).unwrap(), b"plain");
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn asks_conditionally_and_serves_offline() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(|seen, _| match seen.header("if-none-match") {
        Some("\"v1\"") => Reply::new(304, b""),
        _ => Reply::new(200, b"index").header("etag", "\"v1\""),
    });
    for _ in 0..2 {
        assert_eq!(run(with_cache(dir.path(), false).get(&server.get("/"))).unwrap(), b"index");
    }
    assert_eq!(server.seen()[1].header("if-none-match"), Some("\"v1\""));

    let offline = with_cache(dir.path(), true);
    assert_eq!(run(offline.get(&server.get("/"))).unwrap(), b"index");
    let mut other = server.get("/other?token=secret");
    other.url.set_password(Some("secret")).unwrap();
    let error = run(offline.get(&other)).unwrap_err();
    assert!(error.is_offline());
    assert!(error.to_string().contains("/other`") && !error.to_string().contains("secret"));
    assert!(error.hints()[0].0.contains("run without --offline"));
    assert_eq!(server.seen().len(), 2);
}

#[test]
fn a_304_to_an_unconditional_request_is_an_error() {
    let server = Server::new(|_, _| Reply::new(304, b""));
    let error = run(client(options()).get(&server.get("/"))).unwrap_err();
    assert!(matches!(error, Error::Status { status: 304, .. }), "{error}");
}

#[test]
fn tries_again_what_may_pass() {
    for status in [408, 429, 500, 503] {
        let server = Server::new(move |_, n| match n {
            0 => Reply::new(status, b"").header("retry-after", "0"),
            1 => Reply::new(status, b""),
            _ => Reply::new(200, b"ok"),
        });
        assert_eq!(run(client(options()).get(&server.get("/"))).unwrap(), b"ok");
        assert_eq!(server.seen().len(), 3);
    }
}

#[test]
fn gives_up_after_its_retries_and_at_once_where_none_helps() {
    for (status, requests) in [(503, 3), (404, 1), (401, 1), (400, 1), (204, 1)] {
        let server = Server::new(move |_, _| Reply::new(status, b""));
        let error = run(client(options()).get(&server.get("/x"))).unwrap_err();
        assert!(matches!(error, Error::Status { status: s, .. } if s == status), "{error}");
        assert_eq!(error.is_not_found(), status == 404);
        assert_eq!(server.seen().len(), requests, "{status}");
    }
}

#[test]
fn a_used_up_limit_says_when_to_come_back() {
    let reset = jiff::Timestamp::from_second(4_102_444_800).unwrap();
    for (status, headers, until, requests) in [
        (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4102444800")][..], true, 1),
        (429, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4102444800")], true, 1),
        (429, &[("retry-after", "Fri, 01 Jan 2100 00:00:00 GMT")], true, 1),
        (403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "soon")], false, 1),
        (403, &[("retry-after", "0")], true, 3),
    ] {
        let server = Server::new(move |_, _| {
            headers.iter().fold(Reply::new(status, b"{}"), |r, (name, value)| r.header(name, value))
        });
        let error = run(client(options()).get(&server.get("/x?token=secret"))).unwrap_err();
        let Error::RateLimited { status: told, until: when, .. } = &error else {
            panic!("{error}")
        };
        assert_eq!((*told, when.is_some()), (status, until));
        assert_eq!(server.seen().len(), requests, "{headers:?}");
        if requests == 1 && until {
            let off = when.unwrap().duration_since(reset).as_secs().abs();
            assert!(off <= 1, "{when:?}");
            let details = error.details();
            assert!(details[0].starts_with("until  "), "{details:?}");
        }
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let server = Server::new(|_, _| Reply::new(403, b"").header("x-ratelimit-remaining", "7"));
    let error = run(client(options()).get(&server.get("/"))).unwrap_err();
    assert!(matches!(error, Error::Status { status: 403, .. }), "{error}");
}

#[test]
fn pages_follow_one_another_also_when_nothing_changed() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::new(|seen, _| match (seen.path.as_str(), seen.header("if-none-match")) {
        ("/list?page=2", _) => Reply::new(200, b"two"),
        (_, Some("\"v1\"")) => Reply::new(304, b""),
        _ => Reply::new(200, b"one")
            .header("etag", "\"v1\"")
            .header("link", "</list?page=2>; rel=\"next\""),
    });
    for offline in [false, false, true] {
        let client = with_cache(dir.path(), offline);
        let first = run(client.page(&server.get("/list"))).unwrap();
        assert_eq!(first.body, b"one");
        let next = first.next.unwrap();
        assert_eq!(next, server.url("/list?page=2"));
        let second = run(client.page(&Get { url: next, ..server.get("/") })).unwrap();
        assert_eq!((&second.body[..], second.next), (&b"two"[..], None));
    }
    assert_eq!(server.seen()[2].header("if-none-match"), Some("\"v1\""));
}

#[test]
fn a_document_beyond_the_limit_is_refused() {
    let server = Server::new(|_, _| Reply::new(200, b"x").announce(65 << 20).truncate(1));
    let error = run(client(options()).get(&server.get("/"))).unwrap_err();
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
}

#[test]
fn redirects_end() {
    let server = Server::new(|_, _| Reply::new(302, b"").header("location", "/again?secret"));
    let error = run(client(options()).get(&server.get("/"))).unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` redirects more than 10 times", server.url("/")),);
    assert_eq!(server.seen().len(), 11);
}

#[test]
fn authorization_stays_with_its_host() {
    let other = Server::new(|_, _| Reply::new(200, b"there"));
    let away = other.url("/away").to_string();
    let server = Server::new(move |seen, _| match seen.path.as_str() {
        "/same" => Reply::new(302, b"").header("location", "/away"),
        _ => Reply::new(302, b"").header("location", &away),
    });
    let secret = Some(Secret::new("Bearer t"));
    let request = Get { authorization: secret, ..server.get("/same") };
    assert_eq!(run(client(options()).get(&request)).unwrap(), b"there");
    let sent: Vec<_> = server.seen().iter().map(|s| s.header("authorization").is_some()).collect();
    assert_eq!(sent, [true, true]);
    assert_eq!(other.seen()[0].header("authorization"), None);
    assert_eq!(other.seen()[0].header("referer"), None);
}

#[test]
fn nobody_listens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/").parse().unwrap();
    let error = run(client(options()).get(&Get { url, accept: None, authorization: None }));
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    assert!(error.to_string().ends_with(": connection refused"), "{error}");
    assert!(error.hints().iter().any(|h| h.0.contains("HTTPS_PROXY")));
}

#[test]
fn plain_text_on_a_tls_port_is_told_as_tls() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap()).parse().unwrap();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // Closing with bytes unread would reset the connection before the answer is seen.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    let error = run(client(options()).get(&Get { url, accept: None, authorization: None }));
    let error = error.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error:?}");
    assert!(error.hints()[0].0.contains("SSL_CERT_FILE"));
}

#[test]
fn roots_that_are_none_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("roots.pem");
    fs::write_atomic(&path, b"not a certificate").unwrap();
    let client = client(Options { extra_roots: vec![path.clone()], ..options() });
    let server = Server::new(|_, _| Reply::new(200, b""));
    let error = run(client.get(&server.get("/"))).unwrap_err();
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    assert!(server.seen().is_empty());
}

#[test]
fn a_host_that_is_away_is_asked_once() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let at = |path: &str| Get {
        url: format!("http://127.0.0.1:{port}{path}").parse().unwrap(),
        accept: None,
        authorization: None,
    };
    let client = client(options());
    let first = run(client.hasty().get(&at("/a"))).unwrap_err();
    assert!(matches!(first, Error::Connect { .. }), "{first}");
    for clone in [client.clone(), client.hasty()] {
        let error = run(clone.get(&at("/b?token=secret"))).unwrap_err();
        assert!(error.is_skipped(), "{error}");
        assert!(error.to_string().contains("connection refused"), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    let server = Server::new(|_, _| Reply::new(200, b"x"));
    assert!(run(client.get(&server.get("/"))).is_ok(), "another port is another origin");
}

#[test]
fn a_server_that_stays_unwell_is_left_alone() {
    let server = Server::new(|_, n| Reply::new(if n < 9 { 503 } else { 200 }, b""));
    let client = client(options());
    for _ in 0..3 {
        let error = run(client.get(&server.get("/"))).unwrap_err();
        assert!(matches!(error, Error::Status { status: 503, .. }), "{error}");
    }
    assert!(run(client.get(&server.get("/"))).unwrap_err().is_skipped());
    assert_eq!(server.seen().len(), 9);
}

#[test]
fn a_server_that_wants_to_be_asked_much_later_is_not_asked_sooner() {
    for status in [500, 503] {
        let server =
            Server::new(move |_, _| Reply::new(status, b"").header("retry-after", "86400"));
        let error = run(client(options()).get(&server.get("/"))).unwrap_err();
        assert!(matches!(error, Error::Later { .. }), "{error}");
        assert!(error.details()[0].starts_with("until  "), "{:?}", error.details());
        assert_eq!(server.seen().len(), 1);
    }
}
