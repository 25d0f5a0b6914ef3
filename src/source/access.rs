//! How every source reaches its ecosystem: endpoint, document, credentials.
//!
//! Owns the endpoints, found at most once for each kind and npm scope, and the order in which places
//! are asked ([`mirrors`](super::mirrors)). Refuses to send credentials to another origin (scheme,
//! host, port) than the one they are configured for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ::url::Url;

use super::memo::Memo;
use super::{Error, Location, Query, Result};
use crate::base::{Reporter, Secret, SourceKind};
use crate::config::ecosystem::{self, Endpoint, Indexes};
use crate::config::{self, Environ};
use crate::http;
use crate::profile::model::SourceOverride;

/// What the sources share.
pub(super) struct Access {
    pub(super) client: http::Client,
    pub(super) environ: Environ,
    pub(super) project: PathBuf,
    pub(super) overrides: BTreeMap<SourceKind, SourceOverride>,
    pub(super) cache: Option<PathBuf>,
    pub(super) endpoints: Memo<(SourceKind, Option<String>), Indexes>,
    pub(super) reporter: Arc<dyn Reporter>,
    /// Warnings that were given; each is given once.
    pub(super) warned: Mutex<BTreeSet<String>>,
}

impl Access {
    /// Where the query's ecosystem is served; `scope` is npm's. The first place there is.
    pub(super) async fn endpoint(
        &self,
        query: &Query<'_>,
        scope: Option<&str>,
    ) -> Result<Arc<Endpoint>> {
        first_of(query, self.indexes(query, scope).await?.as_ref()).map(Arc::new)
    }

    /// The indexes of the query's ecosystem, each with the places that serve it.
    pub(super) async fn indexes(
        &self,
        query: &Query<'_>,
        scope: Option<&str>,
    ) -> Result<Arc<Indexes>> {
        self.indexes_of(query, query.requirement.from.kind(), scope).await
    }

    /// The indexes of another ecosystem, which the query's own leans on.
    pub(super) async fn indexes_of(
        &self,
        query: &Query<'_>,
        kind: SourceKind,
        scope: Option<&str>,
    ) -> Result<Arc<Indexes>> {
        let scope = scope.map(str::to_owned);
        let find = async {
            let urls = self.overrides.get(&kind).map(SourceOverride::urls).unwrap_or_default();
            let (environ, project) = (self.environ.clone(), self.project.clone());
            let (cache, scope) = (self.cache.clone(), scope.clone());
            // It may ask an installed client, and that blocks.
            let task = tokio::task::spawn_blocking(move || {
                let (scope, cache) = (scope.as_deref(), cache.as_deref());
                ecosystem::indexes(kind, &urls, scope, &environ, &project, cache)
            });
            let indexes = match joined(task).await {
                Ok(indexes) => indexes,
                Err(config::Error::NoBase { .. }) => {
                    return Err(Error::NoBase { subject: query.subject() });
                }
                Err(e) => {
                    return Err(Error::Endpoint { subject: query.subject(), source: Box::new(e) });
                }
            };
            for endpoint in indexes.iter().flatten() {
                if let Some(identity) = &endpoint.identity {
                    self.client.identify(&endpoint.base.value, identity.clone());
                }
            }
            Ok(indexes)
        };
        self.endpoints.get((kind, scope.clone()), find).await
    }

    /// An address that a profile gives in full, with what `.netrc` says for its host.
    pub(super) fn direct(&self, query: &Query<'_>, url: Url) -> Result<Location> {
        let url = bare(url);
        let authorization = ecosystem::netrc_authorization(&self.environ, &url)
            .map_err(|e| Error::Endpoint { subject: query.subject(), source: Box::new(e) })?;
        Ok(Location { url, authorization, accept: None })
    }

    /// Warns of something, once in the life of the sources.
    pub(super) fn warn_once(&self, text: &str) {
        let mut warned = self.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(text.to_owned()) {
            self.reporter.warn(text);
        }
    }

    /// Forgets a document that was not what it must be, so that the next command asks anew.
    pub(super) fn forget(&self, location: &Location) {
        self.forget_as(location, location.accept);
    }

    /// Like [`Self::forget`], of one that was asked for in a certain form.
    pub(super) fn forget_as(&self, location: &Location, accept: Option<&'static str>) {
        let url = location.url.clone();
        self.client.forget(&http::Get { url, accept, authorization: None });
    }

    /// A document as an earlier command kept it, without asking whether it changed: for one whose
    /// hash is known already.
    pub(super) fn kept(&self, location: &Location) -> Option<Vec<u8>> {
        let url = location.url.clone();
        self.client.kept(&http::Get { url, accept: None, authorization: None })
    }

    /// A small document; `None` when the server says that there is none.
    pub(super) async fn get(
        &self,
        query: &Query<'_>,
        location: &Location,
        accept: Option<&'static str>,
    ) -> Result<Option<Vec<u8>>> {
        Ok(self.page(query, location, accept).await?.map(|page| page.body))
    }

    /// Like [`Self::get`], for a document that may go on in another.
    pub(super) async fn page(
        &self,
        query: &Query<'_>,
        location: &Location,
        accept: Option<&'static str>,
    ) -> Result<Option<http::Page>> {
        self.page_with(&self.client, query, location, accept).await
    }

    /// Like [`Self::page`], for a document that another place has too, unless this is the `last`.
    pub(super) async fn page_of(
        &self,
        last: bool,
        query: &Query<'_>,
        location: &Location,
        accept: Option<&'static str>,
    ) -> Result<Option<http::Page>> {
        match last {
            true => self.page(query, location, accept).await,
            false => self.page_with(&self.client.hasty(), query, location, accept).await,
        }
    }

    async fn page_with(
        &self,
        client: &http::Client,
        query: &Query<'_>,
        location: &Location,
        accept: Option<&'static str>,
    ) -> Result<Option<http::Page>> {
        let request = http::Get {
            url: location.url.clone(),
            accept,
            authorization: location.authorization.clone(),
        };
        match client.page(&request).await {
            Ok(page) => Ok(Some(page)),
            Err(e) if e.is_not_found() => Ok(None),
            Err(e) => Err(Error::Fetch { subject: query.subject(), source: Box::new(e) }),
        }
    }
}

/// What a thread of its own found out.
pub(super) async fn joined<T>(task: tokio::task::JoinHandle<T>) -> T {
    match task.await {
        Ok(found) => found,
        Err(e) if e.is_panic() => std::panic::resume_unwind(e.into_panic()),
        // The runtime is shutting down and will drop this future too.
        Err(_) => std::future::pending().await,
    }
}

/// The first place there is.
pub(super) fn first_of(query: &Query<'_>, indexes: &Indexes) -> Result<Endpoint> {
    let first = indexes.iter().flatten().next().cloned();
    first.ok_or_else(|| Error::NoBase { subject: query.subject() })
}

/// A path below a base URL. Exactly one slash joins them, since registries refuse two.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_query(None);
    url.set_fragment(None);
    url.set_path(&format!(
        "{}/{}",
        base.path().trim_end_matches('/'),
        path.trim_start_matches('/')
    ));
    url
}

/// A location with the endpoint's credentials where they may go. What the URL itself carries of
/// user and password comes from an index and is dropped.
pub(super) fn located(endpoint: &Endpoint, url: Url) -> Location {
    let authorization = authorization(&endpoint.base.value, endpoint.authorization.as_ref(), &url);
    Location { url: bare(url), authorization, accept: None }
}

/// A location with the credentials of whichever place it belongs to.
pub(super) fn located_in(indexes: &Indexes, url: Url) -> Location {
    let theirs = indexes.iter().flatten().find(|e| e.base.value.origin() == url.origin());
    match theirs {
        Some(endpoint) => located(endpoint, url),
        None => Location { url: bare(url), authorization: None, accept: None },
    }
}

fn authorization(base: &Url, secret: Option<&Secret>, url: &Url) -> Option<Secret> {
    (url.origin() == base.origin()).then(|| secret.cloned()).flatten()
}

/// Without user, password and fragment.
pub(super) fn bare(mut url: Url) -> Url {
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::config::{Origin, Setting};

    pub(in crate::source) fn endpoint_at(base: &str) -> Endpoint {
        Endpoint {
            base: Setting { value: base.parse().expect("url"), origin: Origin::Default },
            authorization: Some(Secret::new("Bearer t")),
            ca: None,
            identity: None,
        }
    }

    #[test]
    fn joins_with_one_slash() {
        for (base, path, want) in [
            ("http://mirror.invalid", "a", "http://mirror.invalid/a"),
            ("http://mirror.invalid/", "/a", "http://mirror.invalid/a"),
            ("http://mirror.invalid/x//", "a/", "http://mirror.invalid/x/a/"),
            ("http://mirror.invalid/x?q#f", "@s/n", "http://mirror.invalid/x/@s/n"),
            ("http://mirror.invalid/x", "a?b", "http://mirror.invalid/x/a%3Fb"),
        ] {
            assert_eq!(below(&base.parse().expect("url"), path).as_str(), want);
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let endpoint = endpoint_at("https://mirror.invalid/simple/");
        let at = |url: &str| located(&endpoint, url.parse().expect("url"));
        assert!(at("https://mirror.invalid/files/x").authorization.is_some());
        for other in [
            "http://mirror.invalid/files/x",
            "https://files.mirror.invalid/x",
            "https://mirror.invalid:8443/x",
            "https://mirror.invalid.example.com/x",
        ] {
            assert!(at(other).authorization.is_none(), "{other}");
        }
        let given = at("https://u:p@files.mirror.invalid/x#sha256=00");
        assert_eq!(given.url.as_str(), "https://files.mirror.invalid/x");
    }
}
