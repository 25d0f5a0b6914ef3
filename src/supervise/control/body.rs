//! Bodies of answers: JSON, text, and streams of lines.

use std::convert::Infallible;

use futures_util::Stream;
use futures_util::stream::StreamExt as _;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Bytes, Frame};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;

use super::types::Refusal;

/// A body.
pub(super) type Out = UnsyncBoxBody<Bytes, Infallible>;

/// The media type of a stream: a JSON value a line.
pub(super) const LINES: &str = "application/x-ndjson";

/// Anything whole.
pub(super) fn whole(status: StatusCode, kind: &'static str, bytes: Vec<u8>) -> Response<Out> {
    with(status, kind, Full::new(Bytes::from(bytes)).boxed_unsync())
}

/// A value.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response<Out> {
    match serde_json::to_vec(value) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            whole(status, "application/json", bytes)
        }
        Err(e) => {
            whole(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", e.to_string().into_bytes())
        }
    }
}

/// Not done.
pub(super) fn refusal(status: StatusCode, why: impl Into<String>) -> Response<Out> {
    json(status, &Refusal::new(why))
}

/// Values as they come, a line each.
pub(super) fn lines<T: Serialize>(
    values: impl Stream<Item = Vec<T>> + Send + 'static,
) -> Response<Out> {
    let frames = values.map(|batch| {
        let mut bytes = Vec::new();
        for value in batch {
            if serde_json::to_writer(&mut bytes, &value).is_ok() {
                bytes.push(b'\n');
            }
        }
        Ok(Frame::data(Bytes::from(bytes)))
    });
    with(StatusCode::OK, LINES, StreamBody::new(frames).boxed_unsync())
}

fn with(status: StatusCode, kind: &'static str, body: Out) -> Response<Out> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
