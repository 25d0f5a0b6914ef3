//! What every operation is handed, and the rooms it opens from it.
//!
//! Invariant: making one reads nothing and connects to nothing; a runtime and a client are made
//! only by what needs the network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Result};
use crate::base::{Platform, Reporter, SourceKind};
use crate::build;
use crate::config::ecosystem::{self, Endpoint, Indexes};
use crate::config::{self, Environ, Settings};
use crate::fs;
use crate::http;
use crate::lock::{self, Lock, Requirements};
use crate::profile::model::SourceOverride;
use crate::profile::{Profiles, Union};
use crate::provenance::Trust;
use crate::source::{Setup, Sources};
use crate::store::Store;
use crate::sync::{self, Accept, Rules};

/// Settings, environment, progress.
#[derive(Clone)]
pub struct Context {
    settings: Settings,
    environ: Environ,
    cwd: PathBuf,
    reporter: Arc<dyn Reporter>,
}

impl Context {
    /// Puts them together.
    pub fn new(
        settings: Settings,
        environ: Environ,
        cwd: PathBuf,
        reporter: Arc<dyn Reporter>,
    ) -> Self {
        Self { settings, environ, cwd, reporter }
    }

    /// Every setting.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The process environment.
    pub fn environ(&self) -> &Environ {
        &self.environ
    }

    /// Where the command was typed.
    pub fn cwd(&self) -> &Path {
        &self.cwd
    }

    /// Receives progress.
    pub fn reporter(&self) -> &dyn Reporter {
        self.reporter.as_ref()
    }

    /// The project's directory.
    pub fn project(&self) -> &Path {
        &self.settings.project.value
    }

    /// The lock file's path.
    pub fn lock_path(&self) -> PathBuf {
        self.project().join(lock::FILE)
    }

    /// The store.
    pub fn store(&self) -> Store {
        let settings = &self.settings;
        Store::new(
            settings.store.value.clone(),
            settings.artifacts.value.clone(),
            settings.lock_timeout.value,
        )
    }

    /// Where answers of installed clients are remembered: they are about this machine, not about a
    /// store, and asking one takes longer than a whole sync of what is there.
    pub(super) fn client_answers(&self) -> PathBuf {
        match self.environ.cache_home() {
            Some(cache) => cache.join("infra"),
            None => self.settings.store.value.join("index"),
        }
    }

    /// Where an ecosystem is served for this project, by its own configuration.
    pub(super) fn endpoint(
        &self,
        kind: SourceKind,
        overrides: &BTreeMap<SourceKind, SourceOverride>,
    ) -> std::result::Result<Endpoint, config::Error> {
        let url = overrides.get(&kind).and_then(|o| o.url.as_deref());
        let answers = self.client_answers();
        ecosystem::endpoint(kind, url, None, &self.environ, self.project(), Some(&answers))
    }

    /// Like [`Self::endpoint`], every place of it.
    pub(super) fn indexes(
        &self,
        kind: SourceKind,
        overrides: &BTreeMap<SourceKind, SourceOverride>,
    ) -> std::result::Result<Indexes, config::Error> {
        let urls = overrides.get(&kind).map(SourceOverride::urls).unwrap_or_default();
        let answers = self.client_answers();
        ecosystem::indexes(kind, &urls, None, &self.environ, self.project(), Some(&answers))
    }

    /// The HTTP client of this command.
    pub(super) fn client(&self) -> Result<http::Client> {
        let settings = &self.settings;
        Ok(http::Client::new(http::Options {
            offline: settings.offline.value,
            connect_timeout: settings.connect_timeout.value,
            stall_timeout: settings.stall_timeout.value,
            retries: settings.retries.value,
            extra_roots: ecosystem::roots(&self.environ, self.project())?,
            cache: Some(settings.store.value.join("index")),
        })?)
    }

    /// Every profile.
    pub fn profiles(&self) -> Result<Profiles> {
        Ok(Profiles::load(self.project())?)
    }

    /// The lock; an error with the way out when there is none.
    pub fn lock(&self) -> Result<Lock> {
        Ok(lock::read(&self.lock_path())?)
    }

    /// Runs asynchronous work of the sync room with the sources these profiles configure.
    pub(super) fn with_sources<T>(
        &self,
        union: &Union,
        work: impl AsyncFnOnce(&sync::Context<'_>) -> sync::Result<T>,
    ) -> Result<T> {
        self.with_rules(union, Accept::None, work)
    }

    /// The trust root that the profiles name, else the public one.
    fn trust(&self, union: &Union) -> Result<Trust> {
        let Some(file) = &union.policy.trusted_root else { return Ok(Trust::public()) };
        let json = fs::read_to_string(&file.under(self.project()))?;
        Trust::custom(json).map_err(|source| {
            Error::TrustedRoot { file: file.clone(), source: Box::new(source) }.into()
        })
    }

    /// [`Self::with_sources`] for work that may write a lock: `accept` are the deps whose proof
    /// may change.
    pub(super) fn with_rules<T>(
        &self,
        union: &Union,
        accept: Accept,
        work: impl AsyncFnOnce(&sync::Context<'_>) -> sync::Result<T>,
    ) -> Result<T> {
        let trust = Arc::new(self.trust(union)?);
        let rules = Rules { policy: union.policy.clone(), trust, accept };
        let settings = &self.settings;
        let client = self.client()?;
        let setup = Setup {
            client: client.clone(),
            environ: self.environ.clone(),
            project: self.project().to_owned(),
            overrides: union.sources.clone(),
            cache: Some(self.client_answers()),
        };
        let sources = Sources::reporting(setup, Arc::clone(&self.reporter));
        let store = self.store();
        let runtime = runtime()?;
        let caches = self.substitutes(&union.cache)?;
        let by_kind = |kind| sources.get(kind);
        let runner: Arc<dyn build::Runner> = Arc::new(super::tools::Tools);
        let builds = tokio::sync::Semaphore::new(1);
        let context = sync::Context {
            store: &store,
            sources: &by_kind,
            fetch: &client,
            runner: &runner,
            builds: &builds,
            caches: &caches,
            project: self.project(),
            host: Platform::host(),
            jobs: settings.jobs.value,
            offline: settings.offline.value,
            reporter: self.reporter(),
            rules: &rules,
        };
        Ok(runtime.block_on(work(&context))?)
    }
}

/// The one runtime of a command that needs the network.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    let built = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    Ok(built.map_err(Error::Runtime)?)
}

/// What the profiles ask of the lock.
pub(super) fn requirements(union: &Union) -> Requirements {
    Requirements { deps: union.requirements.clone(), platforms: union.platforms.clone() }
}
