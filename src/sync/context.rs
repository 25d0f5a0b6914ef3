//! What syncing and locking are handed: where things are and how much may happen at once.
//!
//! Reads nothing itself. Invariant: every outside thing this room touches is in [`Context`].

use std::path::Path;

use async_trait::async_trait;

use crate::base::{Algorithm, Diagnose, Hint, Kind, Platform, Reporter, SourceKind, Task};
use crate::cache::Substitutes;
use crate::http;
use crate::source::{Location, Source};
use crate::store::Store;

/// Everything outside that is used.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The store, with its artifact cache.
    pub store: &'a Store,
    /// The source of a kind.
    pub sources: &'a (dyn Sync + Fn(SourceKind) -> &'a dyn Source),
    /// Downloads files; [`http::Client`] does.
    pub fetch: &'a dyn Fetch,
    /// Binary caches to ask before sources; empty for none. Offline, only those that need no
    /// network.
    pub caches: &'a Substitutes,
    /// The project's directory, absolute.
    pub project: &'a Path,
    /// The platform whose artifacts are kept when locking.
    pub host: Platform,
    /// Downloads and unpackings at once; at least one runs.
    pub jobs: usize,
    /// No network.
    pub offline: bool,
    /// Receives progress and warnings.
    pub reporter: &'a dyn Reporter,
}

impl Context<'_> {
    /// [`Context::jobs`], at least one.
    pub(super) fn jobs(&self) -> usize {
        self.jobs.max(1)
    }
}

/// Downloads one file.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// Downloads into `file`, resuming what is there; gives size and the hashes asked for.
    async fn fetch(
        &self,
        location: &Location,
        file: &Path,
        algorithms: &[Algorithm],
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<http::Downloaded, FetchError>;
}

#[async_trait]
impl Fetch for http::Client {
    async fn fetch(
        &self,
        location: &Location,
        file: &Path,
        algorithms: &[Algorithm],
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<http::Downloaded, FetchError> {
        let request = http::Get {
            url: location.url.clone(),
            accept: location.accept,
            authorization: location.authorization.clone(),
        };
        Ok(self.download(&request, file, algorithms, size, task).await?)
    }
}

/// A download that failed.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The client's reason.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// A reason that a test gives.
    #[cfg(test)]
    #[error("{0}")]
    Fake(String),
}

impl FetchError {
    /// Whether the server said that there is no such file.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Http(e) => e.is_not_found(),
            #[cfg(test)]
            Self::Fake(why) => why.ends_with("answered 404"),
        }
    }
}

impl Diagnose for FetchError {
    fn kind(&self) -> Kind {
        match self {
            Self::Http(e) => e.kind(),
            #[cfg(test)]
            Self::Fake(_) => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Http(e) => e.hints(),
            #[cfg(test)]
            Self::Fake(_) => Vec::new(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Http(e) => e.details(),
            #[cfg(test)]
            Self::Fake(_) => Vec::new(),
        }
    }
}
