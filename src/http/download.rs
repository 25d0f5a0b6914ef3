//! Files: resumed, hashed and measured while they come.
//!
//! 1. What is in the file already is hashed; a file of the expected size is done.
//! 2. The rest is asked for with `Range`, under the condition (`If-Range`) that the file is still
//!    the one that the beginning came from, where the server gave a way to tell. A server that
//!    ignores it, or whose file is another one by now, sends everything: start over.
//! 3. An announced size other than the expected one ends it before the first byte is kept.
//! 4. Bytes are written, then hashed; one byte too many ends it.
//! 5. An end before the announced or expected size is a failed try; the next resumes.
//!
//! Invariant: success means that file, size and hashes are about the same bytes, and bytes that came
//! in this process are of one file. Whether they are the right ones is the caller's to compare: a
//! part that an earlier process left may come from elsewhere.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_RANGE, ETAG, HeaderMap, HeaderValue, IF_RANGE, LAST_MODIFIED, RANGE,
};
use reqwest::{Response, StatusCode};

use super::get::short;
use super::retry::{Failure, Tries};
use super::transport::{Transport, announced};
use super::{Downloaded, Error, Get, shown};
use crate::base::{Algorithm, Hasher, Task, interrupt};
use crate::fs::{self, Context as _};

/// A try that came this much further, in bytes, earns new tries.
const PROGRESS: u64 = 1 << 20;

pub(super) async fn download(
    transport: &Transport,
    request: &Get,
    file: &Path,
    algorithms: &[Algorithm],
    size: Option<u64>,
    task: &dyn Task,
    mut tries: Tries,
) -> Result<Downloaded, Error> {
    let mut part = Part::open(file, algorithms, task).await?;
    if size.is_some_and(|size| part.len > size) {
        part.start_over()?;
    }
    if part.len == 0 || size != Some(part.len) {
        loop {
            let before = part.farthest;
            match attempt(transport, request, &mut part, size).await {
                Ok(()) => break,
                Err(failure) => {
                    if part.is_doubtful(size) {
                        part.start_over()?;
                    }
                    if part.farthest - before >= PROGRESS {
                        tries.reset();
                    }
                    tries.next(failure).await?;
                }
            }
        }
    }
    interrupt::point("download.done");
    Ok(part.finish())
}

async fn attempt(
    transport: &Transport,
    request: &Get,
    part: &mut Part<'_>,
    size: Option<u64>,
) -> Result<(), Failure> {
    let url = &request.url;
    let Some(mut response) = open(transport, request, part).await? else { return Ok(()) };
    let end = match announced(&response) {
        Some(rest) => Some(part.len + rest),
        None => range(&response).total,
    };
    if let (Some(expected), Some(received)) = (size, end)
        && expected != received
    {
        let error = Error::Size { url: shown(url), expected, received, at_least: false };
        return Err(Failure::last(error));
    }
    loop {
        match transport.chunk(url, response.chunk()).await {
            Ok(Some(chunk)) => part.write(&chunk)?,
            Ok(None) => break,
            Err(failure) => return Err(short(request, end.or(size), part.len, failure)),
        }
        if let Some(expected) = size
            && part.len > expected
        {
            let received = part.len;
            part.start_over()?;
            let error = Error::Size { url: shown(url), expected, received, at_least: true };
            return Err(Failure::last(error));
        }
    }
    match end.or(size) {
        Some(announced) if part.len < announced => {
            Err(Failure::passing(Error::Short { url: shown(url), received: part.len, announced }))
        }
        _ => Ok(()),
    }
}

/// The answer whose body goes on where the part ends; `None` when there is nothing left to send.
async fn open(
    transport: &Transport,
    request: &Get,
    part: &mut Part<'_>,
) -> Result<Option<Response>, Failure> {
    if part.len > 0 {
        let response = transport.send(request, headers(part)).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT
                if range(&response).start == Some(part.len) && part.is_of(&response) =>
            {
                return Ok(Some(response));
            }
            StatusCode::RANGE_NOT_SATISFIABLE if range(&response).total == Some(part.len) => {
                return Ok(None);
            }
            StatusCode::PARTIAL_CONTENT
            | StatusCode::RANGE_NOT_SATISFIABLE
            | StatusCode::NOT_MODIFIED => part.start_over()?,
            _ => {
                part.start_over()?;
                part.begin(&response);
                return Ok(Some(response));
            }
        }
    }
    let response = transport.send(request, headers(part)).await?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT
        | StatusCode::RANGE_NOT_SATISFIABLE
        | StatusCode::NOT_MODIFIED => {
            let error =
                Error::Status { url: shown(&request.url), status: response.status().as_u16() };
            Err(Failure::last(error))
        }
        _ => {
            part.begin(&response);
            Ok(Some(response))
        }
    }
}

fn headers(part: &Part<'_>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    if part.len > 0
        && let Ok(value) = HeaderValue::try_from(format!("bytes={}-", part.len))
    {
        headers.insert(RANGE, value);
        if let Some(validator) = part.origin.as_ref().and_then(|o| o.validator.clone()) {
            headers.insert(IF_RANGE, validator);
        }
    }
    headers
}

/// Of which file the bytes of a part are, as the server described it.
struct FileOf {
    /// A strong `ETag`, else `Last-Modified` (RFC 9110, 13.1.5).
    validator: Option<HeaderValue>,
    etag: Option<HeaderValue>,
    total: Option<u64>,
}

impl FileOf {
    fn new(response: &Response) -> Self {
        let header = |name| response.headers().get(name).cloned();
        let etag = header(ETAG);
        let strong = etag.clone().filter(|tag| tag.as_bytes().starts_with(b"\""));
        let validator = strong.or_else(|| header(LAST_MODIFIED));
        let total = range(response).total.or_else(|| announced(response));
        Self { validator, etag, total }
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct ContentRange {
    start: Option<u64>,
    total: Option<u64>,
}

fn range(response: &Response) -> ContentRange {
    let value = response.headers().get(CONTENT_RANGE).and_then(|v| v.to_str().ok());
    value.map(parse_range).unwrap_or_default()
}

/// `bytes START-END/TOTAL` or `bytes */TOTAL`, either number of bytes may be `*` (RFC 9110, 14.4).
fn parse_range(value: &str) -> ContentRange {
    let parsed = || {
        let (range, total) = value.trim().strip_prefix("bytes ")?.split_once('/')?;
        let start = range.split_once('-').and_then(|(start, _)| start.trim().parse().ok());
        Some(ContentRange { start, total: total.trim().parse().ok() })
    };
    parsed().unwrap_or_default()
}

/// The file so far, and the hashes of exactly its bytes.
struct Part<'a> {
    file: File,
    path: &'a Path,
    algorithms: &'a [Algorithm],
    hashers: Vec<Hasher>,
    /// Bytes in the file, all of them hashed.
    len: u64,
    /// Most bytes there ever were; what progress was told of.
    farthest: u64,
    fresh: bool,
    /// Where its first byte came from; `None` when it was there before.
    origin: Option<FileOf>,
    task: &'a dyn Task,
}

impl<'a> Part<'a> {
    async fn open(
        path: &'a Path,
        algorithms: &'a [Algorithm],
        task: &'a dyn Task,
    ) -> Result<Self, Error> {
        let hashers = algorithms.iter().copied().map(Hasher::new).collect();
        let file = fs::open_rw(path)?;
        let mut part = Self {
            file,
            path,
            algorithms,
            hashers,
            len: 0,
            farthest: 0,
            fresh: true,
            origin: None,
            task,
        };
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = fs::read_part(&mut part.file, &mut buffer).context("read", path)?;
            if read == 0 {
                return Ok(part);
            }
            part.count(&buffer[..read]);
            tokio::task::yield_now().await;
        }
    }

    fn count(&mut self, bytes: &[u8]) {
        for hasher in &mut self.hashers {
            hasher.update(bytes);
        }
        self.len += bytes.len() as u64;
        if self.len > self.farthest {
            self.task.advance(self.len - self.farthest);
            self.farthest = self.len;
        }
    }

    fn write(&mut self, bytes: &[u8]) -> fs::Result<()> {
        if let Err(e) = self.file.write_all(bytes).context("write", self.path) {
            // A part of it may be there; the next try must not hash around it.
            let _ = self.cut(self.len);
            return Err(e);
        }
        self.count(bytes);
        if std::mem::take(&mut self.fresh) {
            interrupt::point("download.part");
        }
        Ok(())
    }

    fn cut(&mut self, len: u64) -> fs::Result<()> {
        self.file.set_len(len).context("shorten", self.path)?;
        self.file.seek(std::io::SeekFrom::Start(len)).context("shorten", self.path).map(drop)
    }

    /// A whole body begins.
    fn begin(&mut self, response: &Response) {
        self.origin = Some(FileOf::new(response));
    }

    /// Whether an answer with the rest is about the same file as the beginning, as far as both say.
    fn is_of(&self, response: &Response) -> bool {
        let Some(begun) = &self.origin else { return true };
        let rest = FileOf::new(response);
        let differ = |a: &Option<HeaderValue>, b: &Option<HeaderValue>| {
            a.as_ref().zip(b.as_ref()).is_some_and(|(a, b)| a != b)
        };
        !differ(&begun.etag, &rest.etag)
            && begun.total.zip(range(response).total).is_none_or(|(a, b)| a == b)
    }

    /// Whether nothing would tell if the rest were of another file: neither the server nor a size
    /// that somebody vouches for.
    fn is_doubtful(&self, size: Option<u64>) -> bool {
        size.is_none() && self.origin.as_ref().is_some_and(|begun| begun.validator.is_none())
    }

    fn start_over(&mut self) -> fs::Result<()> {
        self.origin = None;
        self.cut(0)?;
        self.hashers = self.algorithms.iter().copied().map(Hasher::new).collect();
        self.len = 0;
        Ok(())
    }

    fn finish(self) -> Downloaded {
        let hashes = self.hashers.into_iter().map(Hasher::finish).collect();
        Downloaded { size: self.len, hashes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges() {
        let check = |text, start, total| {
            assert_eq!(parse_range(text), ContentRange { start, total }, "{text}");
        };
        check("bytes 5-9/10", Some(5), Some(10));
        check("bytes 5-9/*", Some(5), None);
        check("bytes */10", None, Some(10));
        check("pages 1-2/3", None, None);
        check("", None, None);
    }
}
