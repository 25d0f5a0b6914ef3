//! Answers: texts, files, ranges and validators.
//!
//! Owns RFC 9110's conditional and range requests for what never changes under its name. Refuses
//! several ranges at once, which are answered with the whole, as the standard allows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{Stream, StreamExt as _};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, IF_RANGE, RANGE,
};
use hyper::{Method, Response, StatusCode};

/// A body.
pub(super) type Out = UnsyncBoxBody<Bytes, io::Error>;

/// Which part of something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// All of it.
    Whole,
    /// Some bytes of it.
    Range {
        /// The first.
        start: u64,
        /// How many.
        length: u64,
    },
    /// Nothing that is there.
    Unsatisfiable,
    /// Nothing: the client has it.
    NotModified,
}

/// What the headers of a request want of something with this validator and size.
fn part(headers: &HeaderMap, etag: &str, size: u64) -> Part {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(known) = text(IF_NONE_MATCH) {
        let plain = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
        if known.trim() == "*" || known.split(',').any(plain) {
            return Part::NotModified;
        }
    }
    let Some(range) = text(RANGE) else { return Part::Whole };
    if text(IF_RANGE).is_some_and(|known| known != etag) {
        return Part::Whole;
    }
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|r| r.split_once('-')) else {
        return Part::Whole;
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if !digits(first) || !digits(last) || (first.is_empty() && last.is_empty()) {
        return Part::Whole;
    }
    // What does not fit a number is beyond every end.
    let number = |text: &str| text.parse().unwrap_or(u64::MAX);
    let (start, end) = match (first, last) {
        ("", last) => (size.saturating_sub(number(last)), size),
        (first, "") => (number(first), size),
        (first, last) => (number(first), number(last).saturating_add(1).min(size)),
    };
    if !first.is_empty() && !last.is_empty() && number(last) < number(first) {
        return Part::Whole;
    }
    match start < end {
        true => Part::Range { start, length: end - start },
        false => Part::Unsatisfiable,
    }
}

/// A line of text.
pub(super) fn text(status: StatusCode, line: &str) -> Response<Out> {
    let mut response = Response::new(full(format!("{line}\n").into_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A small document, whole or not modified.
pub(super) fn document(
    headers: &HeaderMap,
    kind: &'static str,
    etag: &str,
    bytes: Vec<u8>,
) -> Response<Out> {
    let mut response = match part(headers, etag, bytes.len() as u64) {
        Part::NotModified => not_modified(),
        _ => Response::new(full(bytes)),
    };
    describe(response.headers_mut(), kind, etag);
    response
}

/// What is large: its validator and its bytes.
pub(super) struct Large<'a> {
    /// Quoted.
    pub(super) etag: &'a str,
    /// Bytes of all of it.
    pub(super) size: u64,
    /// Media type.
    pub(super) kind: &'static str,
}

/// What of something large is to be sent.
pub(super) enum Begun {
    /// Nothing more: the answer is complete.
    Done(Response<Out>),
    /// Bytes, as the body of this head.
    Body {
        /// The answer without its body.
        head: Response<Out>,
        /// The first byte.
        start: u64,
        /// How many.
        length: u64,
    },
}

impl Large<'_> {
    /// Begins the answer to a request.
    pub(super) fn begin(&self, method: &Method, headers: &HeaderMap) -> Begun {
        let part = part(headers, self.etag, self.size);
        let head = self.head(part);
        let (start, length) = match part {
            Part::Whole => (0, self.size),
            Part::Range { start, length } => (start, length),
            Part::Unsatisfiable | Part::NotModified => return Begun::Done(head),
        };
        match *method == Method::HEAD {
            true => Begun::Done(head),
            false => Begun::Body { head, start, length },
        }
    }

    fn head(&self, part: Part) -> Response<Out> {
        let size = self.size;
        let mut response = Response::new(full(Vec::new()));
        let (status, length, range) = match part {
            Part::Whole => (StatusCode::OK, Some(size), None),
            Part::Range { start, length } => {
                let range = format!("bytes {start}-{}/{size}", start + length - 1);
                (StatusCode::PARTIAL_CONTENT, Some(length), Some(range))
            }
            Part::Unsatisfiable => {
                (StatusCode::RANGE_NOT_SATISFIABLE, None, Some(format!("bytes */{size}")))
            }
            Part::NotModified => (StatusCode::NOT_MODIFIED, None, None),
        };
        *response.status_mut() = status;
        let headers = response.headers_mut();
        describe(headers, self.kind, self.etag);
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some(length) = length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if let Some(range) = range.and_then(|range| HeaderValue::try_from(range).ok()) {
            headers.insert(CONTENT_RANGE, range);
        }
        response
    }
}

fn describe(headers: &mut HeaderMap, kind: &'static str, etag: &str) {
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    if let Ok(etag) = HeaderValue::from_str(etag) {
        headers.insert(ETAG, etag);
    }
}

fn not_modified() -> Response<Out> {
    let mut response = Response::new(full(Vec::new()));
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

fn full(bytes: Vec<u8>) -> Out {
    Full::new(Bytes::from(bytes)).map_err(|never| match never {}).boxed_unsync()
}

/// A body of pieces, counted while they are sent.
pub(super) fn pieces(
    pieces: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    counter: Arc<AtomicU64>,
) -> Out {
    let frames = pieces.map(move |piece| {
        piece.map(|bytes| {
            counter.fetch_add(bytes.len() as u64, Ordering::Relaxed);
            Frame::data(bytes)
        })
    });
    StreamBody::new(frames).boxed_unsync()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_validators() {
        let check = |pairs: &[(HeaderName, &'static str)], want: Part| {
            let headers =
                pairs.iter().map(|(n, v)| (n.clone(), HeaderValue::from_static(v))).collect();
            assert_eq!(part(&headers, "\"x\"", 10), want, "{pairs:?}");
        };
        let range = |start, length| Part::Range { start, length };
        check(&[], Part::Whole);
        check(&[(RANGE, "bytes=2-4")], range(2, 3));
        check(&[(RANGE, "bytes=2-")], range(2, 8));
        check(&[(RANGE, "bytes=-3")], range(7, 3));
        check(&[(RANGE, "bytes=-30")], range(0, 10));
        check(&[(RANGE, "bytes=2-99")], range(2, 8));
        check(&[(RANGE, "bytes=0-99999999999999999999999")], range(0, 10));
        check(&[(RANGE, "bytes=10-")], Part::Unsatisfiable);
        check(&[(RANGE, "bytes=-0")], Part::Unsatisfiable);
        for odd in ["bytes=5-2", "bytes=1-2,4-5", "bytes=-", "pages=1-2", "bytes=a-b", "bytes=+1-2"]
        {
            check(&[(RANGE, odd)], Part::Whole);
        }
        check(&[(RANGE, "bytes=2-4"), (IF_RANGE, "\"x\"")], range(2, 3));
        check(&[(RANGE, "bytes=2-4"), (IF_RANGE, "\"y\"")], Part::Whole);
        check(&[(IF_NONE_MATCH, "\"y\", W/\"x\"")], Part::NotModified);
        check(&[(IF_NONE_MATCH, "*")], Part::NotModified);
        check(&[(IF_NONE_MATCH, "\"y\"")], Part::Whole);
    }
}
