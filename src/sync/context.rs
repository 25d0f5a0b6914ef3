//! What syncing and locking are handed: where things are and how much may happen at once.
//!
//! Reads nothing itself. Invariant: every outside thing this room touches is in [`Context`].

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use crate::base::{Algorithm, DepName, Diagnose, Hint, Kind, Platform, Reporter, SourceKind, Task};
use crate::build::Runner;
use crate::cache::Substitutes;
use crate::http;
use crate::profile::model::Policy;
use crate::provenance::Trust;
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
    /// Starts toolchains.
    pub runner: &'a Arc<dyn Runner>,
    /// How many builds run at once: a build uses every processor itself.
    pub builds: &'a Semaphore,
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
    /// What may be locked, and whom signatures must lead to.
    pub rules: &'a Rules,
}

/// What may be locked.
#[derive(Debug, Default)]
pub struct Rules {
    /// `[policy]` of the profiles.
    pub policy: Policy,
    /// The trust root.
    pub trust: Arc<Trust>,
    /// Deps that may lose proof, or be signed by somebody else than before.
    pub accept: Accept,
}

/// Deps whose proof may change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// None.
    #[default]
    None,
    /// These.
    Deps(BTreeSet<DepName>),
    /// All.
    All,
}

impl Accept {
    /// Whether a dep's proof may change.
    pub fn covers(&self, dep: &DepName) -> bool {
        match self {
            Self::None => false,
            Self::Deps(deps) => deps.contains(dep),
            Self::All => true,
        }
    }
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

    /// Like [`Fetch::fetch`], from a place that is not the only one: it need not be patient.
    async fn fetch_or_pass(
        &self,
        location: &Location,
        file: &Path,
        algorithms: &[Algorithm],
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<http::Downloaded, FetchError> {
        self.fetch(location, file, algorithms, size, task).await
    }
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

    async fn fetch_or_pass(
        &self,
        location: &Location,
        file: &Path,
        algorithms: &[Algorithm],
        size: Option<u64>,
        task: &dyn Task,
    ) -> Result<http::Downloaded, FetchError> {
        self.hasty().fetch(location, file, algorithms, size, task).await
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
    /// Whether nobody was asked, since the host did not answer before.
    pub fn is_skipped(&self) -> bool {
        matches!(self, Self::Http(e) if e.is_skipped())
    }

    /// Whether nobody was asked, since there is to be no network.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Http(e) if e.is_offline())
    }

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
