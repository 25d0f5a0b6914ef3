//! What every operation is handed, and the rooms it opens from it.
//!
//! Invariant: making one reads nothing and connects to nothing; a runtime and a client are made
//! only by what needs the network.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Error, Result};
use crate::base::{Platform, Reporter, SourceKind};
use crate::config::ecosystem::{self, Endpoint};
use crate::config::{self, Environ, Settings};
use crate::http;
use crate::lock::{self, Lock, Requirements};
use crate::profile::model::SourceOverride;
use crate::profile::{Profiles, Union};
use crate::source::{Setup, Sources};
use crate::store::Store;
use crate::sync;

/// Settings, environment, progress.
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
        let settings = &self.settings;
        let cache = settings.store.value.join("index");
        let client = http::Client::new(http::Options {
            offline: settings.offline.value,
            connect_timeout: settings.connect_timeout.value,
            retries: settings.retries.value,
            extra_roots: ecosystem::roots(&self.environ, self.project())?,
            cache: Some(cache),
        })?;
        let sources = Sources::new(Setup {
            client: client.clone(),
            environ: self.environ.clone(),
            project: self.project().to_owned(),
            overrides: union.sources.clone(),
            cache: Some(self.client_answers()),
        });
        let store = self.store();
        let runtime = runtime()?;
        let caches = self.substitutes(&union.cache)?;
        let by_kind = |kind| sources.get(kind);
        let context = sync::Context {
            store: &store,
            sources: &by_kind,
            fetch: &client,
            caches: &caches,
            project: self.project(),
            host: Platform::host(),
            jobs: settings.jobs.value,
            offline: settings.offline.value,
            reporter: self.reporter(),
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
