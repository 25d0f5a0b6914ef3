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
            // A route that names a query goes before one that serves whatever is asked.
            let with_query = format!("{}?{}", request.path, request.query);
            let route = state.routes.get(&with_query).or(state.routes.get(&request.path));
            let answer = match (&fault, route) {
                (Some(Fault::Status(code)), _) => Answer::status(*code),
                (Some(Fault::RateLimit(until)), _) => Answer::status(403)
                    .header("x-ratelimit-remaining", "0")
                    .header("x-ratelimit-reset", until.to_string()),
                (Some(Fault::Redirect(to)), _) => Answer::status(302).header("Location", to),
                _ if refused => Answer::status(401),
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
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).ok()?;
    Some(Request { method, path, query, headers })
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
    let Answer { status, headers, mut body } = answer;
    let sent = fault.as_ref().map_or(body.len(), |fault| fault.spoil(&mut body));
    let mut head = format!("HTTP/1.1 {status} {}\r\n", reason(status));
    for (name, value) in &headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if status != 304 {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let sent = if request.method == "HEAD" { 0 } else { sent };
    let wrote = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body[..sent]));
    match fault {
        _ if wrote.is_err() => false,
        Some(Fault::Truncate(_)) => false,
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
        503 => "Service Unavailable",
        _ => "Ordered",
    }
}
