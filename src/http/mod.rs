//! The only HTTP client: retries, resume, offline, hashing while downloading.
//!
//! Knows URLs and bytes, not registries. Invariant: with `offline` set no socket is opened, and a
//! download that ends short is an error, never a short file.
//!
//! A client may be made [hasty](Client::hasty) for a place that is not the only one. Which hosts
//! do not answer is known to all clones of a client ([`circuit`]).
//!
//! ```text
//! Client::get ─────── get ──── cache (body + validators on disk)
//! Client::download ── download (resume, hash, size)
//!                      └─ both ── circuit ── retry ── transport (one answer or one failure)
//! Client::put, post, size, delete ── upload ── retry ── transport
//! probe ── hyper over TCP, nothing shared
//! ```

mod cache;
mod circuit;
mod download;
mod error;
mod get;
mod identity;
mod link;
mod probe;
mod retry;
#[cfg(test)]
mod testing;
mod transport;
#[cfg(test)]
mod trials;
mod upload;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

pub use error::{Error, come_back};
pub use probe::probe;
pub use upload::Body;

use crate::base::{Algorithm, Integrity, Secret, Task};

/// How to talk.
#[derive(Clone, Debug)]
pub struct Options {
    /// Refuse every request.
    pub offline: bool,
    /// Time for a connection to be made.
    pub connect_timeout: Duration,
    /// Longest time without a byte, once there is a connection.
    pub stall_timeout: Duration,
    /// Tries after the first failed one.
    pub retries: u32,
    /// Files with additional root certificates (PEM).
    pub extra_roots: Vec<PathBuf>,
    /// Directory of the index cache (bodies with their ETag); none when not given.
    pub cache: Option<PathBuf>,
}

/// The client. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    transport: Arc<transport::Transport>,
    hasty: bool,
}

/// A request for a small document.
#[derive(Clone, Debug)]
pub struct Get {
    /// Where.
    pub url: Url,
    /// `Accept` header.
    pub accept: Option<&'static str>,
    /// `Authorization` header. Never follows a redirect to another host, port or scheme.
    pub authorization: Option<Secret>,
}

/// A document that may be one of several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Its bytes.
    pub body: Vec<u8>,
    /// Where the next one is, as the server's `Link` header says (RFC 8288). It may be on any
    /// host: whoever follows it decides which credentials may go there.
    pub next: Option<Url>,
}

/// A finished download.
#[derive(Clone, Debug)]
pub struct Downloaded {
    /// Bytes.
    pub size: u64,
    /// Hash of the whole file, in each algorithm that was asked for.
    pub hashes: Vec<Integrity>,
}

impl Client {
    /// A client; opens no connection and reads no certificate: the first request does.
    pub fn new(options: Options) -> Result<Self, Error> {
        Ok(Self::with_pace(options, retry::Pace::default()))
    }

    fn with_pace(options: Options, pace: retry::Pace) -> Self {
        Self { transport: Arc::new(transport::Transport::new(options, pace)), hasty: false }
    }

    /// This client for a place that is not the only one: a host that cannot be reached is not tried
    /// again, and one that wants to be asked later is not waited for.
    pub fn hasty(&self) -> Self {
        Self { transport: Arc::clone(&self.transport), hasty: true }
    }

    /// Shows a certificate (PEM, with its key) to a URL's host and port, where the server asks for
    /// one; to no other, redirects included. Plain http has no such thing.
    pub fn identify(&self, at: &Url, identity: Secret) {
        self.transport.identities.add(at, identity);
    }

    /// How long a host takes to answer anything at all, tried once; at most `within`.
    pub async fn answers(&self, request: &Get, within: Duration) -> Result<Duration, Error> {
        let began = std::time::Instant::now();
        self.transport.answers(request, within).await?;
        Ok(began.elapsed())
    }

    /// Gets a small document (at most 64 MiB), asking conditionally when the cache has one. When
    /// offline, the cached one is given if there is one.
    pub async fn get(&self, request: &Get) -> Result<Vec<u8>, Error> {
        self.page(request).await.map(|page| page.body)
    }

    /// Like [`Self::get`], for a document that may go on in another.
    pub async fn page(&self, request: &Get) -> Result<Page, Error> {
        get::get(&self.transport, request, self.hasty).await
    }

    /// Gets a small document that no cache may keep, such as a token.
    pub async fn fresh(&self, request: &Get) -> Result<Vec<u8>, Error> {
        get::fresh(&self.transport, request).await
    }

    /// A cached document, without asking whether it changed: for callers that know its hash.
    pub fn kept(&self, request: &Get) -> Option<Vec<u8>> {
        let directory = self.transport.options.cache.as_deref()?;
        cache::Slot::new(directory, request).read().map(|entry| entry.body)
    }

    /// What [`Self::keep_derived`] kept under a name; `None` also when its bytes are damaged.
    pub fn derived(&self, key: &str) -> Option<Vec<u8>> {
        let directory = self.transport.options.cache.as_deref()?;
        cache::Slot::derived(directory, key).read().map(|entry| entry.body)
    }

    /// Keeps what was worked out from a document beside the documents. `key` must hold the hash of
    /// everything that it depends on: nobody is ever asked whether it changed.
    pub fn keep_derived(&self, key: &str, body: &[u8]) {
        if let Some(directory) = self.transport.options.cache.as_deref() {
            cache::Slot::derived(directory, key).write(cache::Validators::default(), body);
        }
    }

    /// Whether there is a file, which is not downloaded: its first byte is asked for. Failures other
    /// than its absence are errors.
    pub async fn exists(&self, request: &Get) -> Result<bool, Error> {
        get::exists(&self.transport, request).await
    }

    /// Forgets a cached document whose bytes proved wrong: else the server would go on saying that
    /// they did not change.
    pub fn forget(&self, request: &Get) {
        if let Some(directory) = self.transport.options.cache.as_deref() {
            cache::Slot::new(directory, request).remove();
        }
    }

    /// Downloads into `file`, resuming what is there, hashing as it goes.
    ///
    /// `file` is created when missing (its directory must exist) and must have no other writer.
    /// A file that already has `size` bytes is only hashed, offline too; a caller whose expected
    /// hash does not match removes it before asking again. Nothing is synced to the disk.
    pub async fn download(
        &self,
        request: &Get,
        file: &Path,
        algorithms: &[Algorithm],
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<Downloaded, Error> {
        let transport = &*self.transport;
        let tries = transport.tries(self.hasty);
        let done =
            download::download(transport, request, file, algorithms, size, task, tries).await;
        transport.settle(&request.url, done)
    }
}

impl Client {
    /// Sends a file, a part of one or a document with `PUT`; the whole of it again where a try
    /// fails. Gives the `ETag` of the answer. `accept` of the request is not used.
    pub async fn put(
        &self,
        request: &Get,
        content_type: &'static str,
        body: &Body<'_>,
        task: &dyn Task,
    ) -> Result<Option<String>, Error> {
        upload::put(&self.transport, request, content_type, body, task).await
    }

    /// Sends a question with `POST` and gives its answer, a small document that is kept nowhere; the
    /// question must be one that may be asked again.
    pub async fn post(
        &self,
        request: &Get,
        content_type: &'static str,
        body: &[u8],
    ) -> Result<Vec<u8>, Error> {
        upload::post(&self.transport, request, content_type, body).await
    }

    /// The size that the server announces for a file; `None` when there is none of that name.
    pub async fn size(&self, request: &Get) -> Result<Option<u64>, Error> {
        upload::size(&self.transport, request).await
    }

    /// Removes a file; one that is gone is no error.
    pub async fn delete(&self, request: &Get) -> Result<(), Error> {
        upload::delete(&self.transport, request).await
    }
}

/// A URL as people may see it: without user, password, query and fragment.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_urls_hold_no_secret() {
        let url: Url = "https://me:secret@mirror.invalid/a/b?token=secret#secret".parse().unwrap();
        assert_eq!(shown(&url), "https://mirror.invalid/a/b");
    }

    #[test]
    fn a_client_is_made_without_tls() {
        // Were roots read early, the missing file would show here.
        let options = Options {
            offline: false,
            connect_timeout: Duration::from_secs(1),
            stall_timeout: Duration::from_secs(1),
            retries: 0,
            extra_roots: vec![PathBuf::from("/dev/null/roots.pem")],
            cache: None,
        };
        assert!(Client::new(options).is_ok());
    }
}
