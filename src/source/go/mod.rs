//! Commands built from Go modules, looked up on module proxies.
//!
//! Owns the proxy protocol: lists of versions, whether one version is there, withdrawn versions,
//! which prefix of a package's path is its module. Several proxies are asked in order, as `GOPROXY`
//! says. Refuses modules that this machine's configuration keeps away from proxies. Builds nothing.
//! Invariant: versions are written without their `v`; everything asked of a proxy has it.
//! Reference: <https://go.dev/ref/mod#goproxy-protocol>.

mod listing;

use std::sync::Arc;

use ::url::Url;
use async_trait::async_trait;

use self::listing::Released;
use super::access::{Access, below};
use super::choose::is_exact;
use super::memo::Memo;
use super::{BuildOffer, Candidate, Error, Location, Offer, Query, Result, Source};
use crate::base::{Platform, SourceKind, Version};
use crate::build::gomod::GoMod;
use crate::build::{Network, names, sum};
use crate::config::ecosystem::{self, GoModules, GoProxy};
use crate::{config, fs, http};

/// The source.
pub(super) struct Go {
    access: Arc<Access>,
    modules: Memo<(), GoModules>,
    released: Memo<String, Option<Released>>,
}

/// What the proxies say to one question.
enum Answer {
    /// A document.
    Found(Vec<u8>),
    /// None has it.
    Nowhere,
    /// One refused or failed, and none has it.
    Failed(Box<http::Error>),
}

/// Why nothing is known of a module.
enum Miss {
    /// A proxy refused or failed.
    Refused(Box<http::Error>),
    /// Anything else.
    Other(Error),
}

impl From<Error> for Miss {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl Go {
    /// Makes one; nothing is asked until something is wanted.
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access, modules: Memo::new(), released: Memo::new() }
    }

    /// How modules are found on this machine.
    async fn modules(&self, query: &Query<'_>) -> Result<Arc<GoModules>> {
        let find = async {
            let chosen = self.access.overrides.get(&SourceKind::Go).and_then(|o| o.url.clone());
            let (environ, project) = (self.access.environ.clone(), self.access.project.clone());
            let cache = self.access.cache.clone();
            // It may ask an installed client, and that blocks.
            let task = tokio::task::spawn_blocking(move || {
                ecosystem::go_modules(chosen.as_deref(), &environ, &project, cache.as_deref())
            });
            match task.await {
                Ok(Ok(modules)) => Ok(modules),
                Ok(Err(e)) => Err(endpoint(query, e)),
                Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
                // The runtime is shutting down and will drop this future too.
                Err(_) => std::future::pending().await,
            }
        };
        self.modules.get((), find).await
    }

    /// The package's name, if it is one that may be asked for.
    async fn package<'q>(&self, query: &Query<'q>) -> Result<&'q str> {
        let package = query.requirement.from.package();
        if !names::is_package(package) {
            return Err(Error::PackageName { subject: query.subject() });
        }
        let modules = self.modules(query).await?;
        match names::covered(&modules.private, package) {
            Some(pattern) => {
                let pattern = pattern.to_owned();
                Err(Error::Private { subject: query.subject(), pattern })
            }
            None => Ok(package),
        }
    }

    /// Asks one proxy after the other for a document.
    async fn ask(&self, query: &Query<'_>, file: &str) -> Result<Answer> {
        let modules = self.modules(query).await?;
        let mut failed = None;
        for proxy in &modules.proxies {
            let location = locate(proxy, file);
            if location.url.scheme() == "file" {
                match local(query, &location.url)? {
                    Some(body) => return Ok(Answer::Found(body)),
                    None => continue,
                }
            }
            match self.access.get(query, &location, None).await {
                Ok(Some(body)) => return Ok(Answer::Found(body)),
                Ok(None) => {}
                Err(Error::Fetch { source, .. }) => {
                    failed.get_or_insert(source);
                    if !proxy.after_any {
                        break;
                    }
                }
                Err(other) => return Err(other),
            }
        }
        Ok(failed.map_or(Answer::Nowhere, Answer::Failed))
    }

    /// What is released of a module; `None` when no proxy knows it.
    async fn released(
        &self,
        query: &Query<'_>,
        module: &str,
    ) -> std::result::Result<Arc<Option<Released>>, Miss> {
        let look = async {
            let path = format!("{}/@v/list", names::escape(module));
            let versions = match self.ask(query, &path).await? {
                Answer::Found(body) => listing::versions(&body),
                Answer::Nowhere => return Ok(None),
                Answer::Failed(e) => return Err(Miss::Refused(e)),
            };
            if versions.is_empty() {
                // A module without releases has its newest state, under a made-up version.
                let path = format!("{}/@latest", names::escape(module));
                let Answer::Found(body) = self.ask(query, &path).await? else { return Ok(None) };
                return Ok(listing::info(&body).map(|one| Released::new(vec![one])));
            }
            let mut released = Released::new(versions);
            if let Some(newest) = released.newest() {
                let path = sum::file(module, &newest, "mod");
                if let Answer::Found(body) = self.ask(query, &path).await? {
                    released.withdraw(&GoMod::read(&String::from_utf8_lossy(&body)).retracted);
                }
            }
            Ok(Some(released))
        };
        self.released.get(module.to_owned(), look).await
    }

    /// The module that has a package at a version: the longest prefix that has the version.
    async fn module(&self, query: &Query<'_>, package: &str, version: &str) -> Result<String> {
        let mut refused = None;
        for module in names::prefixes(package) {
            match self.ask(query, &sum::file(module, version, "info")).await? {
                Answer::Found(body) if listing::info(&body).is_some() => {
                    return Ok(module.to_owned());
                }
                Answer::Failed(e) => {
                    refused.get_or_insert(e);
                }
                _ => {}
            }
        }
        let subject = query.subject();
        match (refused, version.trim_start_matches('v').parse()) {
            (None, Ok(version)) => Err(Error::VersionGone { subject, version }),
            (Some(source), _) => Err(Error::Fetch { subject, source }),
            (None, Err(_)) => Err(Error::PackageName { subject }),
        }
    }

    /// A version that an exact requirement names, where a proxy has it.
    async fn exact(&self, query: &Query<'_>, package: &str) -> Result<Option<Version>> {
        if !is_exact(&query.requirement.version) {
            return Ok(None);
        }
        let text = query.requirement.version.as_str().trim().trim_start_matches('=').trim();
        let plain = text.trim_start_matches('v');
        let mut spellings = vec![format!("v{plain}")];
        if !plain.contains('+') {
            spellings.push(format!("v{plain}+incompatible"));
        }
        for version in spellings.iter().filter(|v| names::is_version(v)) {
            for module in names::prefixes(package) {
                let answer = self.ask(query, &sum::file(module, version, "info")).await?;
                if let Answer::Found(body) = answer
                    && listing::info(&body).is_some_and(|found| found == *version)
                {
                    return Ok(version[1..].parse().ok());
                }
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Source for Go {
    fn kind(&self) -> SourceKind {
        SourceKind::Go
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let package = self.package(query).await?;
        let mut refused = None;
        for module in names::prefixes(package) {
            match self.released(query, module).await {
                Ok(found) => {
                    let Some(released) = found.as_ref() else { continue };
                    let mut out = released.candidates();
                    let wanted = &query.requirement.version;
                    if !out.iter().any(|c| wanted.matches(&c.version)) {
                        // One without a tag is in no list.
                        out.extend(self.exact(query, package).await?.map(Candidate::new));
                    }
                    return Ok(out);
                }
                // Another prefix may be the module.
                Err(Miss::Refused(e)) => {
                    refused.get_or_insert(e);
                }
                Err(Miss::Other(e)) => return Err(e),
            }
        }
        if let Some(version) = self.exact(query, package).await? {
            return Ok(vec![Candidate::new(version)]);
        }
        if let Some(source) = refused {
            return Err(Error::NoList { subject: query.subject(), source });
        }
        let modules = self.modules(query).await?;
        let url = modules.proxies.first().map(|p| http::shown(&p.base)).unwrap_or_default();
        Err(Error::UnknownPackage { subject: query.subject(), url })
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        _platform: Platform,
    ) -> Result<Offer> {
        let package = self.package(query).await?;
        let modules = self.modules(query).await?;
        let version = format!("v{version}");
        let module = self.module(query, package, &version).await?;
        Ok(Offer::Build(Box::new(BuildOffer {
            version,
            module,
            network: Network { vars: modules.vars.clone() },
            unknown_to_database: modules.unknown_to_database.clone(),
        })))
    }

    async fn locate(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let modules = self.modules(query).await?;
        let module = file.split("/@v/").next().and_then(names::unescape).unwrap_or_default();
        if let Some(pattern) = names::covered(&modules.private, &module) {
            let pattern = pattern.to_owned();
            return Err(Error::Private { subject: query.subject(), pattern });
        }
        Ok(modules.proxies.iter().map(|proxy| locate(proxy, file)).collect())
    }
}

fn endpoint(query: &Query<'_>, error: config::Error) -> Error {
    Error::Endpoint { subject: query.subject(), source: Box::new(error) }
}

fn locate(proxy: &GoProxy, file: &str) -> Location {
    let url = below(&proxy.base, file);
    Location { url, authorization: proxy.authorization.clone(), accept: None }
}

/// A document of a `file://` proxy.
fn local(query: &Query<'_>, url: &Url) -> Result<Option<Vec<u8>>> {
    let Ok(path) = url.to_file_path() else { return Ok(None) };
    fs::missing_is_none(fs::read(&path))
        .map_err(|source| Error::PathIo { subject: query.subject(), source })
}

/// For `fuzz/`: documents of a proxy.
pub(super) fn fuzz(body: &[u8]) {
    let _ = listing::info(body);
    let mut found = Released::new(listing::versions(body));
    let withdrawn = GoMod::read(&String::from_utf8_lossy(body)).retracted;
    found.withdraw(&withdrawn);
    let _ = (found.newest(), found.candidates());
}
