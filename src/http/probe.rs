//! Readiness probes: one plain-HTTP GET, nothing kept.
//!
//! Runs hundreds of times while a service starts, so: no TLS, no pool, no redirect, no body. The
//! connection lives and dies with the call. Invariant: never longer than its time-out.

use std::io;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, USER_AGENT};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use url::{Host, Url};

/// One plain-HTTP GET for readiness probes: no TLS, no retries, no pool. Gives the status code.
/// `timeout` covers everything from the look-up of the name to the head of the answer.
pub async fn probe(url: &Url, timeout: Duration) -> Result<u16, io::Error> {
    tokio::time::timeout(timeout, ask(url)).await.map_err(|_| {
        io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {timeout:?}"))
    })?
}

async fn ask(url: &Url) -> io::Result<u16> {
    let invalid = |why: &str| io::Error::new(io::ErrorKind::InvalidInput, why.to_owned());
    if url.scheme() != "http" {
        return Err(invalid("only http:// can be probed"));
    }
    let port = url.port_or_known_default().unwrap_or(80);
    let stream = match url.host() {
        Some(Host::Domain(name)) => TcpStream::connect((name, port)).await,
        Some(Host::Ipv4(ip)) => TcpStream::connect((ip, port)).await,
        Some(Host::Ipv6(ip)) => TcpStream::connect((ip, port)).await,
        None => Err(invalid("the URL has no host")),
    }?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let request = hyper::Request::get(&url[url::Position::BeforePath..url::Position::AfterQuery])
        .header(HOST, &url[url::Position::BeforeHost..url::Position::AfterPort])
        .header(USER_AGENT, concat!("infra/", env!("CARGO_PKG_VERSION")))
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|e| invalid(&e.to_string()))?;
    let response = pin!(sender.send_request(request));
    let answer = match select(response, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        // The server closed at once; its answer may have come all the same.
        Either::Right((_, response)) => response.await,
    };
    Ok(answer.map_err(io::Error::other)?.status().as_u16())
}
