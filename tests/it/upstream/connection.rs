//! One client's connection: HTTP/1.1 as far as the program's client speaks it.
//!
//! Keeps the connection alive, answers ranges (RFC 9110, 14) and conditions (RFC 9110, 13), and
//! spoils answers as ordered.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use infra::base::Integrity;

use super::fault::Fault;
use super::server::{Request, Route, Shared};

/// Serves requests until the client leaves or a fault ends it.
pub(super) fn serve(stream: &TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        let (answer, fault) = {
            let mut state = shared.state();
            state.requests.push(request.clone());
            let line = state.faults.get_mut(&request.path);
            let fault = line
                .and_then(|line| line.pop_front())
                .or_else(|| state.always.get(&request.path).cloned());
            let refused = state
                .authorization
                .as_deref()
                .is_some_and(|a| request.header("authorization") != Some(a));
            let guard = state.guards.iter().find(|(prefix, value, _)| {
                request.path.starts_with(prefix)
                    && request.header("authorization") != Some(value.as_str())
            });
            let challenge = guard.map(|(_, _, challenge)| challenge.clone());
            // A route that names a query goes before one that serves whatever is asked.
            let with_query = format!("{}?{}", request.path, request.query);
            let route = state.routes.get(&with_query).or(state.routes.get(&request.path));
            let answer = match (&fault, route) {
                (Some(Fault::Status(code)), _) => Answer::status(*code),
                (Some(Fault::RateLimit(until)), _) => Answer::status(403)
                    .header("x-ratelimit-remaining", "0")
                    .header("x-ratelimit-reset", until.to_string()),
                (Some(Fault::Redirect(to)), _) => Answer::status(302).header("Location", to),
                (Some(Fault::Later(code, when)), _) => {
                    Answer::status(*code).header("Retry-After", when)
                }
                (Some(Fault::Instead(kind, body)), _) => {
                    Answer { body: body.clone(), ..Answer::status(200) }
                        .header("Content-Type", *kind)
                }
                _ if refused => Answer::status(401),
                _ if challenge.is_some() => {
                    Answer::status(401).header("WWW-Authenticate", challenge.unwrap_or_default())
                }
                (_, None) => Answer::status(404),
                (_, Some(route)) => found(route, &request),
            };
            (answer, fault)
        };
        if !send(stream, &request, answer, fault) {
            break;
        }
    }
    let _ = stream.shutdown(std::net::Shutdown::Both);
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Request> {
    let mut line = String::new();
    if reader.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split_ascii_whitespace();
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    // Whoever takes this for a proxy names a host, too.
    let target = match target.strip_prefix("http://") {
        Some(rest) => rest.find('/').map_or("/", |at| &rest[at..]),
        None => target,
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (path, query) = (path.to_owned(), query.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) => {
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
        }
    }
    let length = headers.get("content-length").and_then(|n| n.parse().ok()).unwrap_or(0);
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    let body = String::from_utf8_lossy(&body).into_owned();
    Some(Request { method, path, query, headers, body })
}

struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Answer {
    fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// The variant that the client accepts, whole, in part, or unchanged.
fn found(route: &Route, request: &Request) -> Answer {
    let accept = request.header("accept").unwrap_or_default();
    let chosen = route.variants.iter().find(|(kind, _)| accept.contains(kind));
    let Some((kind, body)) = chosen.or(route.variants.last()) else { return Answer::status(404) };
    let tag = format!("\"{}\"", Integrity::sha256_of(body).hex());
    let answer = |status| {
        let plain = Answer::status(status).header("Content-Type", *kind);
        let answer = plain.header("ETag", tag.as_str());
        match &route.link {
            Some(link) => answer.header("Link", link.as_str()),
            None => answer,
        }
    };
    if request.header("if-none-match").is_some_and(|given| given.contains(&tag)) {
        return answer(304);
    }
    let fresh = request.header("if-range").is_none_or(|given| given == tag);
    let from = request
        .header("range")
        .filter(|_| fresh)
        .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
    let total = body.len();
    match from {
        Some(from) if from >= total => {
            answer(416).header("Content-Range", format!("bytes */{total}"))
        }
        Some(from) => {
            let range = format!("bytes {from}-{}/{total}", total - 1);
            let part = answer(206).header("Content-Range", range);
            Answer { body: body[from..].to_vec(), ..part }
        }
        None => Answer { body: body.clone(), ..answer(200).header("Accept-Ranges", "bytes") },
    }
}

/// Whether the connection can be used again.
fn send(mut stream: &TcpStream, request: &Request, answer: Answer, fault: Option<Fault>) -> bool {
    if fault == Some(Fault::Drop) {
        return false;
    }
    let Answer { status, mut headers, mut body } = answer;
    match &fault {
        Some(Fault::Labelled(encoding)) => {
            headers.push(("Content-Encoding", (*encoding).to_owned()));
        }
        Some(Fault::Gzip) => {
            let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gzip.write_all(&body).expect("memory");
            body = gzip.finish().expect("memory");
            headers.push(("Content-Encoding", "gzip".to_owned()));
        }
        _ => {}
    }
    let sent = fault.as_ref().map_or(body.len(), |fault| fault.spoil(&mut body));
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in &headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let length = match &fault {
        Some(Fault::Announce(more)) => body.len().saturating_add_signed(*more),
        _ => body.len(),
    };
    match &fault {
        Some(Fault::Chunked(_)) => head.push_str("Transfer-Encoding: chunked\r\n"),
        _ if status != 304 => head.push_str(&format!("Content-Length: {length}\r\n")),
        _ => {}
    }
    head.push_str("\r\n");
    let sent = if request.method == "HEAD" { 0 } else { sent };
    let wrote = stream.write_all(head.as_bytes()).and_then(|()| match &fault {
        Some(Fault::Chunked(_)) => {
            stream.write_all(format!("{sent:x}\r\n").as_bytes())?;
            stream.write_all(&body[..sent])?;
            stream.write_all(b"\r\n")
        }
        Some(Fault::Trickle(pieces, pause)) => {
            let size = sent.div_ceil(*pieces).max(1);
            body[..sent].chunks(size).try_for_each(|piece| {
                // The client says nothing meanwhile; this returns sooner when it leaves.
                stream.set_read_timeout(Some(*pause))?;
                let _ = stream.peek(&mut [0]);
                stream.set_read_timeout(None)?;
                stream.write_all(piece)
            })
        }
        _ => stream.write_all(&body[..sent]),
    });
    match fault {
        _ if wrote.is_err() => false,
        Some(Fault::Truncate(_) | Fault::Announce(_) | Fault::Chunked(_)) => false,
        Some(Fault::Stall(_)) => {
            // Ends when the client hangs up or the server is dropped.
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
            false
        }
        _ => true,
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        302 => "Found",
        304 => "Not Modified",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        416 => "Range Not Satisfiable",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Ordered",
    }
}
