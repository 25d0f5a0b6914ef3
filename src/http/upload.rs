//! Sending files and questions, asking for sizes, removing: what a writable file server understands.
//!
//! Refuses nothing of its own; a body is sent with its length, since storage services accept no
//! other. Invariant: each of these may be repeated without harm, and so is tried again as
//! reading is.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::stream;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderValue};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use super::retry::Failure;
use super::transport::{Transport, announced, explain, refused, sensitive, stalled};
use super::{Error, Get, get, shown};
use crate::base::Task;
use crate::fs;

/// Bytes handed to the connection at once.
const PIECE: usize = 256 << 10;

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub enum Body<'a> {
    /// A document.
    Bytes(&'a [u8]),
    /// A file, read while it is sent.
    File(&'a Path),
    /// A part of a file.
    Part {
        /// The file.
        file: &'a Path,
        /// Bytes before the part.
        start: u64,
        /// Bytes of the part.
        length: u64,
    },
}

pub(super) async fn put(
    transport: &Transport,
    request: &Get,
    content_type: &'static str,
    body: &Body<'_>,
    task: &dyn Task,
) -> Result<Option<String>, Error> {
    let mut tries = transport.tries(false);
    let mut told = 0;
    loop {
        match try_put(transport, request, content_type, body, task, &mut told).await {
            Ok(response) => {
                let etag = response.headers().get(ETAG).and_then(|value| value.to_str().ok());
                return Ok(etag.map(str::to_owned));
            }
            Err(failure) => tries.next(failure).await?,
        }
    }
}

async fn try_put(
    transport: &Transport,
    request: &Get,
    content_type: &'static str,
    body: &Body<'_>,
    task: &dyn Task,
    told: &mut u64,
) -> Result<Response, Failure> {
    let sent = Arc::new(AtomicU64::new(0));
    let builder = begin(transport, Method::PUT, request)?.header(CONTENT_TYPE, content_type);
    let builder = match body {
        Body::Bytes(bytes) => builder.body(bytes.to_vec()),
        Body::File(_) | Body::Part { .. } => {
            let (file, length) = open(body).await?;
            let counter = Arc::clone(&sent);
            let pieces = stream::try_unfold((file, length), move |(mut file, left)| {
                let counter = Arc::clone(&counter);
                async move {
                    let most = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
                    let mut piece = vec![0; most];
                    let n = file.read(&mut piece).await?;
                    piece.truncate(n);
                    counter.fetch_add(n as u64, Ordering::Relaxed);
                    Ok::<_, std::io::Error>((n > 0).then_some((piece, (file, left - n as u64))))
                }
            });
            builder.header(CONTENT_LENGTH, length).body(reqwest::Body::wrap_stream(pieces))
        }
    };
    let mut answer = std::pin::pin!(builder.send());
    let mut before = 0;
    // Sending may take any time as long as it goes on.
    let response = loop {
        let waited = tokio::time::timeout(patience(transport), &mut answer).await;
        let now = sent.load(Ordering::Relaxed);
        if now > *told {
            task.advance(now - *told);
            *told = now;
        }
        match waited {
            Ok(Ok(response)) => break response,
            Ok(Err(e)) => return Err(explain(&request.url, e)),
            Err(_) if now > before => before = now,
            Err(_) => return Err(stalled(&request.url, transport.options.stall_timeout)),
        }
    };
    success(transport, request, &response).map(|()| response)
}

/// The file to read from, where the body begins, and the body's length.
async fn open(body: &Body<'_>) -> Result<(tokio::fs::File, u64), Failure> {
    let (path, start, length) = match *body {
        Body::Part { file, start, length } => (file, start, Some(length)),
        Body::File(path) => (path, 0, None),
        Body::Bytes(_) => unreachable!("a document is no file"),
    };
    let file = fs::open_nofollow(path).map_err(Failure::from)?;
    let length = match length {
        Some(length) => length,
        None => fs::lstat(path).map_err(Failure::from)?.len(),
    };
    let mut file = tokio::fs::File::from_std(file);
    if start > 0 {
        use crate::fs::Context as _;
        let sought = file.seek(std::io::SeekFrom::Start(start)).await;
        sought.context("read", path).map_err(Failure::from)?;
    }
    Ok((file, length))
}

pub(super) async fn post(
    transport: &Transport,
    request: &Get,
    content_type: &'static str,
    body: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut tries = transport.tries(false);
    loop {
        match try_post(transport, request, content_type, body).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => tries.next(failure).await?,
        }
    }
}

async fn try_post(
    transport: &Transport,
    request: &Get,
    content_type: &'static str,
    body: &[u8],
) -> Result<Vec<u8>, Failure> {
    let builder = begin(transport, Method::POST, request)?.header(CONTENT_TYPE, content_type);
    // Also said of an empty body, which storage services insist on.
    let builder = builder.header(CONTENT_LENGTH, body.len()).body(body.to_vec());
    let response = sent(transport, request, builder).await?;
    success(transport, request, &response)?;
    get::body(transport, request, response).await
}

pub(super) async fn size(transport: &Transport, request: &Get) -> Result<Option<u64>, Error> {
    let answer = ask(transport, Method::HEAD, request).await?;
    Ok(answer.map(|response| announced(&response).unwrap_or(0)))
}

pub(super) async fn delete(transport: &Transport, request: &Get) -> Result<(), Error> {
    ask(transport, Method::DELETE, request).await.map(drop)
}

/// The answer to a request without a body; `None` when there is no such file.
async fn ask(
    transport: &Transport,
    method: Method,
    request: &Get,
) -> Result<Option<Response>, Error> {
    let mut tries = transport.tries(false);
    loop {
        match try_ask(transport, method.clone(), request).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => tries.next(failure).await?,
        }
    }
}

async fn try_ask(
    transport: &Transport,
    method: Method,
    request: &Get,
) -> Result<Option<Response>, Failure> {
    let response = sent(transport, request, begin(transport, method, request)?).await?;
    if response.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    success(transport, request, &response).map(|()| Some(response))
}

async fn sent(
    transport: &Transport,
    request: &Get,
    builder: RequestBuilder,
) -> Result<Response, Failure> {
    match tokio::time::timeout(patience(transport), builder.send()).await {
        Ok(answer) => answer.map_err(|e| explain(&request.url, e)),
        Err(_) => Err(stalled(&request.url, transport.options.stall_timeout)),
    }
}

/// How long an answer may take: to connect, then to begin.
fn patience(transport: &Transport) -> Duration {
    transport.options.stall_timeout + transport.options.connect_timeout
}

fn begin(transport: &Transport, method: Method, request: &Get) -> Result<RequestBuilder, Failure> {
    let url = &request.url;
    if transport.options.offline {
        return Err(Failure::last(Error::Offline { url: shown(url) }));
    }
    let mut builder = transport.client().map_err(Failure::last)?.request(method, url.clone());
    if let Some(secret) = &request.authorization {
        let value = HeaderValue::from_str(secret.expose()).map_err(|_| {
            let reason = "its credentials hold a character that no header can".to_owned();
            Failure::last(Error::Request { url: shown(url), reason })
        })?;
        builder = builder.header(AUTHORIZATION, sensitive(value));
    }
    Ok(builder)
}

fn success(transport: &Transport, request: &Get, response: &Response) -> Result<(), Failure> {
    match response.status() {
        status if status.is_success() => Ok(()),
        status => {
            let longest = transport.pace.longest_delay;
            Err(refused(&request.url, status, response.headers(), longest))
        }
    }
}
