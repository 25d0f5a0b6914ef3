//! The only HTTP client: retries, resume, offline, hashing while downloading.
//!
//! Knows URLs and bytes, not registries. Invariant: with `offline` set no socket is opened, and a
//! download that ends short is an error, never a short file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::base::{Algorithm, Diagnose, Integrity, Secret, Task};

/// How to talk.
#[derive(Clone, Debug)]
pub struct Options {
    /// Refuse every request.
    pub offline: bool,
    /// Time for a connection to be made.
    pub connect_timeout: Duration,
    /// Tries after the first failed one.
    pub retries: u32,
    /// Files with additional root certificates (PEM).
    pub extra_roots: Vec<PathBuf>,
    /// Directory of the index cache (bodies with their ETag); none when not given.
    pub cache: Option<PathBuf>,
}

/// The client. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    _private: (),
}

/// A request for a small document.
#[derive(Clone, Debug)]
pub struct Get {
    /// Where.
    pub url: Url,
    /// `Accept` header.
    pub accept: Option<&'static str>,
    /// `Authorization` header.
    pub authorization: Option<Secret>,
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
    /// A client; opens no connection.
    pub fn new(options: Options) -> Result<Self, Error> {
        let _ = options;
        todo!()
    }

    /// Gets a small document (at most 64 MiB), asking conditionally when the cache has one. When
    /// offline, the cached one is given if there is one.
    pub async fn get(&self, request: &Get) -> Result<Vec<u8>, Error> {
        let _ = request;
        todo!()
    }

    /// Downloads into `file`, resuming what is there, hashing as it goes.
    pub async fn download(
        &self,
        request: &Get,
        file: &Path,
        algorithms: &[Algorithm],
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<Downloaded, Error> {
        let _ = (request, file, algorithms, size, task);
        todo!()
    }
}

/// One plain-HTTP GET for readiness probes: no TLS, no retries, no pool. Gives the status code.
pub async fn probe(url: &Url, timeout: Duration) -> Result<u16, std::io::Error> {
    let _ = (url, timeout);
    todo!()
}

/// A request that failed.
#[derive(Debug, thiserror::Error)]
#[error("placeholder")]
pub struct Error;

impl Error {
    /// Whether the server said that there is no such thing (404 or 410).
    pub fn is_not_found(&self) -> bool {
        false
    }
}

impl Diagnose for Error {}
