//! Small documents: a bounded body, asked for conditionally.
//!
//! Invariant: never more than [`LIMIT`] bytes in memory, on the wire or after decompression.

use std::io::Read as _;

use flate2::read::MultiGzDecoder;
use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, ETAG, HeaderMap, HeaderName, HeaderValue, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, LAST_MODIFIED, LINK, RANGE,
};
use reqwest::{Response, StatusCode};

use super::cache::{Entry, Slot, Validators};
use super::retry::Failure;
use super::transport::{Transport, announced};
use super::{Error, Get, Page, link, shown};

/// Largest document, in bytes.
const LIMIT: u64 = 64 << 20;

enum Answer {
    Unchanged,
    Document(Validators, Vec<u8>),
}

/// A document that is kept nowhere.
pub(super) async fn fresh(transport: &Transport, request: &Get) -> Result<Vec<u8>, Error> {
    let mut tries = transport.tries(false);
    loop {
        match attempt(transport, request, None).await {
            Ok(Answer::Document(_, body)) => return Ok(body),
            Ok(Answer::Unchanged) => {
                return Err(Error::Status { url: shown(&request.url), status: 304 });
            }
            Err(failure) => tries.next(failure).await?,
        }
    }
}

pub(super) async fn get(transport: &Transport, request: &Get, hasty: bool) -> Result<Page, Error> {
    let slot = transport.options.cache.as_deref().map(|dir| Slot::new(dir, request));
    let kept = slot.as_ref().and_then(Slot::read);
    if transport.options.offline {
        return match kept {
            Some(entry) => Ok(page(request, entry)),
            None => Err(Error::Offline { url: shown(&request.url) }),
        };
    }
    let answer = asked(transport, request, kept.as_ref(), hasty).await;
    match (transport.settle(&request.url, answer)?, kept) {
        (Answer::Document(validators, body), _) => {
            if let Some(slot) = &slot {
                slot.write(validators.clone(), &body);
            }
            Ok(page(request, Entry { validators, body }))
        }
        (Answer::Unchanged, Some(entry)) => Ok(page(request, entry)),
        // Nothing was asked conditionally, so this is no answer.
        (Answer::Unchanged, None) => Err(Error::Status { url: shown(&request.url), status: 304 }),
    }
}

async fn asked(
    transport: &Transport,
    request: &Get,
    kept: Option<&Entry>,
    hasty: bool,
) -> Result<Answer, Error> {
    let mut tries = transport.tries(hasty);
    loop {
        match attempt(transport, request, kept).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => tries.next(failure).await?,
        }
    }
}

pub(super) async fn exists(transport: &Transport, request: &Get) -> Result<bool, Error> {
    let mut tries = transport.tries(false);
    loop {
        let mut headers = HeaderMap::new();
        // Not every server answers HEAD, and some sign their addresses for GET alone.
        headers.insert(RANGE, HeaderValue::from_static("bytes=0-0"));
        match transport.send(request, headers).await {
            Ok(_) => return Ok(true),
            Err(failure) if failure.error.is_not_found() => return Ok(false),
            Err(failure) => tries.next(failure).await?,
        }
    }
}

fn page(request: &Get, entry: Entry) -> Page {
    let next = entry.validators.link.and_then(|header| link::next(&header, &request.url));
    Page { body: entry.body, next }
}

async fn attempt(
    transport: &Transport,
    request: &Get,
    kept: Option<&Entry>,
) -> Result<Answer, Failure> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    if let Some(Entry { validators, .. }) = kept {
        ask(&mut headers, IF_NONE_MATCH, &validators.etag);
        ask(&mut headers, IF_MODIFIED_SINCE, &validators.last_modified);
    }
    let response = transport.send(request, headers).await?;
    match response.status() {
        StatusCode::NOT_MODIFIED => Ok(Answer::Unchanged),
        StatusCode::OK | StatusCode::NON_AUTHORITATIVE_INFORMATION => {
            let validators = Validators {
                etag: text(&response, ETAG),
                last_modified: text(&response, LAST_MODIFIED),
                link: text(&response, LINK),
            };
            Ok(Answer::Document(validators, body(transport, request, response).await?))
        }
        status => {
            let error = Error::Status { url: shown(&request.url), status: status.as_u16() };
            Err(Failure::last(error))
        }
    }
}

pub(super) async fn body(
    transport: &Transport,
    request: &Get,
    mut response: Response,
) -> Result<Vec<u8>, Failure> {
    let url = &request.url;
    let too_large = || Failure::last(Error::TooLarge { url: shown(url), limit: LIMIT });
    let announced = announced(&response);
    if announced.is_some_and(|length| length > LIMIT) {
        return Err(too_large());
    }
    let encoding = text(&response, CONTENT_ENCODING).unwrap_or_default().to_ascii_lowercase();
    let mut raw = Vec::with_capacity(announced.unwrap_or(16 << 10) as usize);
    loop {
        match transport.chunk(url, response.chunk()).await {
            Ok(Some(chunk)) if (raw.len() + chunk.len()) as u64 > LIMIT => return Err(too_large()),
            Ok(Some(chunk)) => raw.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(failure) => return Err(short(request, announced, raw.len() as u64, failure)),
        }
    }
    match encoding.as_str() {
        "" | "identity" => Ok(raw),
        "gzip" | "x-gzip" => {
            let mut plain = Vec::with_capacity(raw.len().saturating_mul(4));
            match MultiGzDecoder::new(&raw[..]).take(LIMIT + 1).read_to_end(&mut plain) {
                Ok(read) if read as u64 > LIMIT => Err(too_large()),
                Ok(_) => Ok(plain),
                Err(e) => Err(Failure::passing(Error::Broken {
                    url: shown(url),
                    reason: format!("its gzip is damaged ({e})"),
                })),
            }
        }
        other => Err(Failure::last(Error::Broken {
            url: shown(url),
            reason: format!("it is encoded as `{other}`, which was not asked for"),
        })),
    }
}

/// A body that broke off before its announced end is told by its numbers.
pub(super) fn short(
    request: &Get,
    announced: Option<u64>,
    received: u64,
    failure: Failure,
) -> Failure {
    match (&failure.error, announced) {
        (Error::Broken { .. }, Some(announced)) if received < announced => {
            Failure::passing(Error::Short { url: shown(&request.url), received, announced })
        }
        _ => failure,
    }
}

fn ask(headers: &mut HeaderMap, name: HeaderName, value: &Option<String>) {
    if let Some(value) = value.as_deref().and_then(|v| HeaderValue::from_str(v).ok()) {
        headers.insert(name, value);
    }
}

fn text(response: &Response, name: HeaderName) -> Option<String> {
    response.headers().get(name)?.to_str().ok().map(|v| v.trim().to_owned())
}
