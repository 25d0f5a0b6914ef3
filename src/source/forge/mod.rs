//! The forge's REST API, for every source that reads releases, tags or files of repositories.
//!
//! Owns one memo of each document, so that sources that meet in a repository ask once. Knows
//! neither versions nor platforms. Refuses nothing of what a repository holds but drafts
//! ([`release`]). Invariant: what is sent to the API stays with its origin.

mod release;

use std::sync::Arc;

use ::url::Url;
use serde::Deserialize;

pub(super) use self::release::{Asset, Release};
use super::access::{self, Access};
use super::memo::Memo;
use super::{Error, Location, Query, Result};
use crate::base::{Integrity, SourceKind};
use crate::config::ecosystem::{self, Endpoint};
use crate::http;
use crate::lock::model::Proof;

/// What the API is asked for.
const JSON: &str = "application/vnd.github+json";
/// What makes the API send an asset's bytes instead of its description.
const BYTES: &str = "application/octet-stream";
/// What makes the API send a file's bytes instead of its description.
const RAW: &str = "application/vnd.github.raw+json";
/// What makes the API send a commit's name and nothing else.
const NAME: &str = "application/vnd.github.sha";
/// Most releases that a page may hold.
const PAGE: &str = "100";
/// Most pages that are read; the API itself ends after ten thousand releases.
const PAGES: usize = 100;

/// A repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Repo<'a> {
    /// Whose it is.
    pub(super) owner: &'a str,
    /// Its name.
    pub(super) name: &'a str,
}

impl<'a> Repo<'a> {
    /// From both names; `None` when one is no name that can be in a path.
    pub(super) fn new(owner: &'a str, name: &'a str) -> Option<Self> {
        let is_name = |name: &str| {
            !matches!(name, "" | "." | "..")
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        };
        (is_name(owner) && is_name(name)).then_some(Self { owner, name })
    }

    /// From `OWNER/NAME`.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        Self::new(owner, name)
    }

    fn key(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

/// The API, and what it said already.
pub(super) struct Forge {
    access: Arc<Access>,
    /// By repository.
    lists: Memo<String, Vec<Release>>,
    /// By repository and tag; `None` when there is no such release.
    releases: Memo<(String, String), Option<Release>>,
    /// By repository.
    tags: Memo<String, Vec<String>>,
    /// The page of a repository for people.
    pages: Memo<String, Url>,
    /// Small documents by URL; `None` when there is no such document.
    texts: Memo<String, Option<String>>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

#[derive(Deserialize)]
struct About {
    html_url: Url,
}

impl Forge {
    /// Asks nothing yet.
    pub(super) fn new(access: Arc<Access>) -> Self {
        let (lists, releases, tags) = (Memo::new(), Memo::new(), Memo::new());
        Self { access, lists, releases, tags, pages: Memo::new(), texts: Memo::new() }
    }

    /// Where the API is.
    pub(super) async fn endpoint(&self, query: &Query<'_>) -> Result<Arc<Endpoint>> {
        self.access.endpoint_of(query, SourceKind::Github, None).await
    }

    /// A document of the API below a repository.
    async fn address(&self, query: &Query<'_>, repo: Repo<'_>, path: &[&str]) -> Result<Location> {
        let endpoint = self.endpoint(query).await?;
        let mut url = access::below(&endpoint.base.value, "");
        if let Ok(mut segments) = url.path_segments_mut() {
            // A tag may hold a slash; as one segment it stays one name.
            segments.pop_if_empty().extend(["repos", repo.owner, repo.name]).extend(path);
        }
        Ok(access::located(&endpoint, url))
    }

    async fn page(
        &self,
        query: &Query<'_>,
        at: &Location,
        accept: &'static str,
    ) -> Result<Option<http::Page>> {
        match self.access.page(query, at, Some(accept)).await {
            Err(Error::Fetch { subject, source })
                if matches!(*source, http::Error::RateLimited { .. }) =>
            {
                Err(Error::RateLimit { subject, token: at.authorization.is_some(), source })
            }
            other => other,
        }
    }

    /// Every page of a list.
    async fn pages<T>(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        list: &str,
        read: impl Fn(&[u8]) -> std::result::Result<Vec<T>, String>,
    ) -> Result<Vec<T>> {
        let mut at = self.address(query, repo, &[list]).await?;
        at.url.query_pairs_mut().append_pair("per_page", PAGE);
        let endpoint = self.endpoint(query).await?;
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let Some(page) = self.page(query, &at, JSON).await? else {
                return Err(Error::UnknownPackage { subject: query.subject(), url: at.shown() });
            };
            all.extend(read(&page.body).map_err(|why| malformed(query, &at, why))?);
            match page.next {
                Some(next) => at = access::located(&endpoint, next),
                None => break,
            }
        }
        Ok(all)
    }

    /// Every release of a repository that is published.
    pub(super) async fn list(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
    ) -> Result<Arc<Vec<Release>>> {
        self.lists.get(repo.key(), self.pages(query, repo, "releases", release::page)).await
    }

    /// Every tag of a repository.
    pub(super) async fn tags(&self, query: &Query<'_>, repo: Repo<'_>) -> Result<Arc<Vec<String>>> {
        let read = |body: &[u8]| {
            let tags: Vec<Tag> = serde_json::from_slice(body).map_err(|e| e.to_string())?;
            Ok(tags.into_iter().map(|tag| tag.name).collect())
        };
        self.tags.get(repo.key(), self.pages(query, repo, "tags", read)).await
    }

    /// The release of a tag.
    pub(super) async fn by_tag(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        tag: &str,
    ) -> Result<Arc<Option<Release>>> {
        let fetch = async {
            let at = self.address(query, repo, &["releases", "tags", tag]).await?;
            let Some(page) = self.page(query, &at, JSON).await? else { return Ok(None) };
            release::one(&page.body).map_err(|why| malformed(query, &at, why))
        };
        self.releases.get((repo.key(), tag.to_owned()), fetch).await
    }

    /// The newest commit of a repository's main branch.
    pub(super) async fn head(&self, query: &Query<'_>, repo: Repo<'_>) -> Result<String> {
        let at = self.address(query, repo, &["commits", "HEAD"]).await?;
        let Some(page) = self.page(query, &at, NAME).await? else {
            return Err(Error::UnknownPackage { subject: query.subject(), url: at.shown() });
        };
        let name = String::from_utf8_lossy(&page.body).trim().to_owned();
        // SHA-1 or SHA-256, as git names commits.
        let is_name = matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit());
        is_name.then_some(name).ok_or_else(|| malformed(query, &at, "it is no commit".to_owned()))
    }

    /// Where a file of a repository lies at a commit or tag.
    pub(super) async fn content(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        path: &str,
        reference: &str,
    ) -> Result<Location> {
        let parts: Vec<&str> = ["contents"].into_iter().chain(path.split('/')).collect();
        let mut at = self.address(query, repo, &parts).await?;
        at.url.query_pairs_mut().append_pair("ref", reference);
        Ok(Location { accept: Some(RAW), ..at })
    }

    /// The bytes of a file of a repository; `None` when there is none.
    pub(super) async fn file(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        path: &str,
        reference: &str,
    ) -> Result<Option<Vec<u8>>> {
        let at = self.content(query, repo, path, reference).await?;
        Ok(self.page(query, &at, RAW).await?.map(|page| page.body))
    }

    /// The source archive of a tag, as everybody gets it. Its one directory is `NAME-VERSION`.
    pub(super) async fn archive(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        tag: &str,
    ) -> Result<Location> {
        let endpoint = self.endpoint(query).await?;
        let mut url = match self.web_base(query, &endpoint)? {
            Some(mut web) => {
                if let Ok(mut segments) = web.path_segments_mut() {
                    segments.pop_if_empty().extend([repo.owner, repo.name]);
                }
                web
            }
            None => {
                let fetch = async {
                    let at = self.address(query, repo, &[]).await?;
                    let Some(page) = self.page(query, &at, JSON).await? else {
                        let url = at.shown();
                        return Err(Error::UnknownPackage { subject: query.subject(), url });
                    };
                    let about: std::result::Result<About, _> = serde_json::from_slice(&page.body);
                    about
                        .map(|about| about.html_url)
                        .map_err(|e| malformed(query, &at, e.to_string()))
                };
                self.pages.get(repo.key(), fetch).await?.as_ref().clone()
            }
        };
        if let Ok(mut segments) = url.path_segments_mut() {
            segments
                .pop_if_empty()
                .extend(["archive", "refs", "tags"])
                // Here a tag's slashes are the path's.
                .extend(format!("{tag}.tar.gz").split('/'));
        }
        self.access.direct(query, url)
    }

    /// Where an asset lies, best first. With a token it comes from the API, which alone serves the
    /// files of private repositories.
    pub(super) async fn locations(
        &self,
        query: &Query<'_>,
        asset: &Asset,
    ) -> Result<Vec<Location>> {
        let endpoint = self.endpoint(query).await?;
        let api = asset.api.clone().map(|url| access::located(&endpoint, url));
        let api = api.filter(|at| at.authorization.is_some());
        let api = api.map(|at| Location { accept: Some(BYTES), ..at });
        Ok(api.into_iter().chain([self.access.direct(query, asset.web.clone())?]).collect())
    }

    fn web_base(&self, query: &Query<'_>, endpoint: &Endpoint) -> Result<Option<Url>> {
        ecosystem::github_web(&self.access.environ, endpoint)
            .map_err(|e| Error::Endpoint { subject: query.subject(), source: Box::new(e) })
    }

    /// Where everybody gets a release's file without asking the API, whose limit is small and
    /// shared by all behind one address. Nothing with a token, or where that place is not known.
    pub(super) async fn web(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        tag: &str,
        name: &str,
    ) -> Result<Option<Location>> {
        let endpoint = self.endpoint(query).await?;
        if endpoint.authorization.is_some() {
            return Ok(None);
        }
        let Some(mut url) = self.web_base(query, &endpoint)? else { return Ok(None) };
        if let Ok(mut segments) = url.path_segments_mut() {
            let path = [repo.owner, repo.name, "releases", "download", tag, name];
            segments.pop_if_empty().extend(path);
        }
        self.access.direct(query, url).map(Some)
    }

    /// Where a locked file of a release lies now, best first.
    pub(super) async fn locate(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        tag: &str,
        name: &str,
    ) -> Result<Option<Vec<Location>>> {
        if let Some(web) = self.web(query, repo, tag, name).await? {
            return Ok(Some(vec![web]));
        }
        let release = self.by_tag(query, repo, tag).await?;
        let asset = release.as_ref().as_ref().and_then(|r| r.asset(name));
        match asset {
            Some(asset) => self.locations(query, asset).await.map(Some),
            None => Ok(None),
        }
    }

    /// An asset as text, a checksum file; `None` when it is not there.
    pub(super) async fn text(
        &self,
        query: &Query<'_>,
        file: &Asset,
    ) -> Result<Arc<Option<String>>> {
        let fetch = async {
            for at in self.locations(query, file).await? {
                if let Some(body) = self.access.get(query, &at, at.accept).await? {
                    return Ok::<_, Error>(Some(String::from_utf8_lossy(&body).into_owned()));
                }
            }
            Ok(None)
        };
        self.texts.get(file.web.to_string(), fetch).await
    }

    /// A document anywhere as text; `None` when it is not there.
    pub(super) async fn text_at(
        &self,
        query: &Query<'_>,
        at: &Location,
    ) -> Result<Arc<Option<String>>> {
        let fetch = async {
            let body = self.access.get(query, at, at.accept).await?;
            Ok::<_, Error>(body.map(|body| String::from_utf8_lossy(&body).into_owned()))
        };
        self.texts.get(at.url.to_string(), fetch).await
    }
}

/// Hash and proofs of an asset, from the forge's digest and what a checksum file `at` says.
///
/// Fails when both say something of one algorithm and it is not the same: one of the two was
/// changed after the release.
pub(super) fn agreed(
    query: &Query<'_>,
    name: &str,
    digest: Option<&Integrity>,
    listed: Option<(&Url, Integrity)>,
) -> Result<(Option<Integrity>, Vec<Proof>)> {
    Ok(match (digest, listed) {
        (None, None) => (None, Vec::new()),
        (None, Some((_, hash))) => (Some(hash), vec![Proof::ChecksumFile]),
        (Some(digest), None) => (Some(digest.clone()), vec![Proof::ReleaseDigest]),
        (Some(digest), Some((_, hash))) if hash == *digest => {
            (Some(hash), vec![Proof::ReleaseDigest, Proof::ChecksumFile])
        }
        // Of two algorithms only one can be compared with the bytes.
        (Some(digest), Some((_, hash))) if hash.algorithm() != digest.algorithm() => {
            (Some(digest.clone()), vec![Proof::ReleaseDigest])
        }
        (Some(_), Some((url, _))) => {
            return Err(Error::Checksum {
                subject: query.subject(),
                url: http::shown(url),
                file: name.to_owned(),
                why: "it gives another one than the release",
            });
        }
    })
}

pub(super) fn malformed(query: &Query<'_>, at: &Location, why: String) -> Error {
    Error::Malformed { subject: query.subject(), url: at.shown(), why }
}
