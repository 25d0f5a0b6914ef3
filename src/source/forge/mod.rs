//! The forge's REST API, for every source that reads releases, tags or files of repositories.
//!
//! Owns one memo of each document, so that sources that meet in a repository ask once. Knows
//! neither versions nor platforms. Where the API has several places, each question goes from one to
//! the next ([`super::mirrors`]). Refuses nothing of what a repository holds but drafts
//! ([`release`]). Invariant: what is sent to the API stays with its origin.

mod attestations;
mod release;

use std::sync::Arc;

use ::url::Url;
use serde::Deserialize;

pub(super) use self::release::{Asset, Release};
use super::access::{self, Access};
use super::memo::Memo;
use super::mirrors::{self, Place};
use super::{Error, Location, Query, Result};
use crate::base::{Integrity, SourceKind};
use crate::config::ecosystem::{self, Endpoint, Indexes};
use crate::http;
use crate::lock::model::Proof;
use crate::provenance::Evidence;

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

    /// The repository, tag and name of a release's file, as the lock spells it:
    /// `OWNER/NAME/releases/TAG/FILE`. Tags may hold slashes, names never do.
    pub(super) fn release_file(file: &'a str) -> Option<(Self, &'a str, &'a str)> {
        let parts: Vec<&str> = file.splitn(4, '/').collect();
        let [owner, name, "releases", rest] = parts[..] else { return None };
        let (tag, file) = rest.rsplit_once('/')?;
        Some((Self::new(owner, name)?, tag, file))
    }

    fn key(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }
}

/// A release, and the place that has it.
pub(super) struct Found {
    /// The place.
    endpoint: Endpoint,
    /// The release.
    pub(super) release: Release,
}

/// The API, and what it said already.
pub(super) struct Forge {
    access: Arc<Access>,
    /// By repository.
    lists: Memo<String, Vec<Release>>,
    /// By repository and tag; `None` when there is no such release.
    releases: Memo<(String, String), Option<Found>>,
    /// By repository.
    tags: Memo<String, Vec<String>>,
    /// The page of a repository for people.
    pages: Memo<String, Url>,
    /// Small documents by URL; `None` when there is no such document.
    texts: Memo<String, Option<String>>,
    /// Attestations that were found, by repository.
    attested: Memo<String, tokio::sync::Mutex<Vec<Evidence>>>,
}

#[derive(Deserialize)]
struct Tag {
    name: String,
}

#[derive(Deserialize)]
struct About {
    html_url: Url,
}

/// A document of the API about a repository.
#[derive(Clone, Copy)]
struct Document<'a> {
    repo: Repo<'a>,
    /// Its path below the repository; a slash in a part is no slash of the path.
    path: &'a [&'a str],
    query: Option<(&'a str, &'a str)>,
    /// What it is asked as.
    accept: &'static str,
}

impl<'a> Document<'a> {
    fn new(repo: Repo<'a>, path: &'a [&'a str], accept: &'static str) -> Self {
        Self { repo, path, query: None, accept }
    }

    /// A file at a commit or tag; `parts` as [`contents`] gives them.
    fn file(repo: Repo<'a>, parts: &'a [&'a str], reference: &'a str) -> Self {
        Self { query: Some(("ref", reference)), ..Self::new(repo, parts, RAW) }
    }

    fn at(&self, endpoint: &Endpoint) -> Location {
        let mut url = access::below(&endpoint.base.value, "");
        if let Ok(mut segments) = url.path_segments_mut() {
            // A tag may hold a slash; as one segment it stays one name.
            segments.pop_if_empty().extend(["repos", self.repo.owner, self.repo.name]);
            segments.extend(self.path);
        }
        if let Some((key, value)) = self.query {
            url.query_pairs_mut().append_pair(key, value);
        }
        access::located(endpoint, url)
    }
}

/// The path of a file's document below its repository.
fn contents(path: &str) -> Vec<&str> {
    ["contents"].into_iter().chain(path.split('/')).collect()
}

/// Reads the document of one release.
fn one_release(query: &Query<'_>, at: &Location, body: &[u8]) -> Result<Option<Release>> {
    release::one(body).map_err(|why| malformed(query, at, why))
}

impl Forge {
    /// Asks nothing yet.
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self {
            access,
            lists: Memo::new(),
            releases: Memo::new(),
            tags: Memo::new(),
            pages: Memo::new(),
            texts: Memo::new(),
            attested: Memo::new(),
        }
    }

    /// Where the API is; the first place there is.
    pub(super) async fn endpoint(&self, query: &Query<'_>) -> Result<Endpoint> {
        access::first_of(query, self.indexes(query).await?.as_ref())
    }

    /// Every place where the API is.
    async fn indexes(&self, query: &Query<'_>) -> Result<Arc<Indexes>> {
        self.access.indexes_of(query, SourceKind::Github, None).await
    }

    async fn page(
        &self,
        query: &Query<'_>,
        last: bool,
        at: &Location,
        accept: &'static str,
    ) -> Result<Option<http::Page>> {
        match self.access.page_of(last, query, at, Some(accept)).await {
            Err(Error::Fetch { subject, source })
                if matches!(*source, http::Error::RateLimited { .. }) =>
            {
                Err(Error::RateLimit { subject, token: at.authorization.is_some(), source })
            }
            other => other,
        }
    }

    /// What a document says, from the first place that has it; `None` when no place has.
    async fn ask<T>(
        &self,
        query: &Query<'_>,
        document: Document<'_>,
        read: impl Fn(&Location, &[u8]) -> Result<Option<T>>,
    ) -> Result<Option<(Endpoint, T)>> {
        let indexes = self.indexes(query).await?;
        let read = &read;
        let ask = async |place: Place<'_>| {
            let said = self.ask_at(query, place, document, read).await?;
            Ok(said.map(|said| (place.endpoint.clone(), said)))
        };
        self.access.first(&indexes, ask).await
    }

    /// What a place's document says. One that cannot be read is forgotten.
    async fn ask_at<T>(
        &self,
        query: &Query<'_>,
        place: Place<'_>,
        document: Document<'_>,
        read: &impl Fn(&Location, &[u8]) -> Result<Option<T>>,
    ) -> Result<Option<T>> {
        let (at, accept) = (document.at(place.endpoint), document.accept);
        let Some(page) = self.page(query, place.last, &at, accept).await? else { return Ok(None) };
        let said = read(&at, &page.body);
        said.inspect_err(|_| self.access.forget_as(&at, Some(accept)))
    }

    /// Every page of a list, from the first place that has the repository.
    async fn pages<T>(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        list: &str,
        read: impl Fn(&[u8]) -> std::result::Result<Vec<T>, String>,
    ) -> Result<Vec<T>> {
        let indexes = self.indexes(query).await?;
        let path = [list];
        let document =
            Document { query: Some(("per_page", PAGE)), ..Document::new(repo, &path, JSON) };
        let ask = |place| self.pages_at(query, place, document, &read);
        match self.access.first(&indexes, ask).await? {
            Some(found) => Ok(found),
            None => Err(self.unknown(query, document).await?),
        }
    }

    /// A place's list, all pages of it; `None` when it has no such repository.
    async fn pages_at<T>(
        &self,
        query: &Query<'_>,
        place: Place<'_>,
        document: Document<'_>,
        read: &impl Fn(&[u8]) -> std::result::Result<Vec<T>, String>,
    ) -> Result<Option<Vec<T>>> {
        let mut at = document.at(place.endpoint);
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let Some(page) = self.page(query, place.last, &at, JSON).await? else {
                return Ok(None);
            };
            let found = read(&page.body).map_err(|why| {
                self.access.forget_as(&at, Some(JSON));
                malformed(query, &at, why)
            })?;
            all.extend(found);
            match page.next {
                Some(next) => at = access::located(place.endpoint, next),
                None => break,
            }
        }
        Ok(Some(all))
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
    ) -> Result<Arc<Option<Found>>> {
        let fetch = async {
            let path = ["releases", "tags", tag];
            let read = |at: &Location, body: &[u8]| one_release(query, at, body);
            let found = self.ask(query, Document::new(repo, &path, JSON), read).await?;
            Ok::<_, Error>(found.map(|(endpoint, release)| Found { endpoint, release }))
        };
        self.releases.get((repo.key(), tag.to_owned()), fetch).await
    }

    /// The newest commit of a repository's main branch.
    pub(super) async fn head(&self, query: &Query<'_>, repo: Repo<'_>) -> Result<String> {
        let document = Document::new(repo, &["commits", "HEAD"], NAME);
        let read = |at: &Location, body: &[u8]| {
            let name = String::from_utf8_lossy(body).trim().to_owned();
            // SHA-1 or SHA-256, as git names commits.
            let is_name =
                matches!(name.len(), 40 | 64) && name.bytes().all(|b| b.is_ascii_hexdigit());
            let refused = || malformed(query, at, "it is no commit".to_owned());
            is_name.then_some(name).map(Some).ok_or_else(refused)
        };
        match self.ask(query, document, read).await? {
            Some((_, name)) => Ok(name),
            None => Err(self.unknown(query, document).await?),
        }
    }

    async fn unknown(&self, query: &Query<'_>, document: Document<'_>) -> Result<Error> {
        let indexes = self.indexes(query).await?;
        let url = mirrors::shown(&indexes, |endpoint| document.at(endpoint).shown());
        Ok(Error::UnknownPackage { subject: query.subject(), url })
    }

    /// Every place of a file of a repository at a commit or tag, best first.
    pub(super) async fn contents(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        path: &str,
        reference: &str,
    ) -> Result<Vec<Location>> {
        let parts = contents(path);
        let document = Document::file(repo, &parts, reference);
        let indexes = self.indexes(query).await?;
        let at = |endpoint| Location { accept: Some(RAW), ..document.at(endpoint) };
        Ok(indexes.iter().flatten().map(at).collect())
    }

    /// The bytes of a file of a repository; `None` when there is none. What `check` refuses is not
    /// kept, and the next place is asked.
    pub(super) async fn file(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        path: &str,
        reference: &str,
        check: impl Fn(&[u8]) -> Result<()>,
    ) -> Result<Option<Vec<u8>>> {
        let parts = contents(path);
        let document = Document::file(repo, &parts, reference);
        let read = |_: &Location, body: &[u8]| check(body).map(|()| Some(body.to_vec()));
        Ok(self.ask(query, document, read).await?.map(|(_, body)| body))
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
                    let document = Document::new(repo, &[], JSON);
                    let read = |at: &Location, body: &[u8]| {
                        let about: std::result::Result<About, _> = serde_json::from_slice(body);
                        let about = about.map_err(|e| malformed(query, at, e.to_string()))?;
                        Ok(Some(about.html_url))
                    };
                    match self.ask(query, document, read).await? {
                        Some((_, url)) => Ok(url),
                        None => Err(self.unknown(query, document).await?),
                    }
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
        let indexes = self.indexes(query).await?;
        let api = asset.api.clone().map(|url| access::located_in(&indexes, url));
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

    /// Where a locked file of a release lies now, best first; nowhere when it is gone.
    pub(super) async fn locate(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        tag: &str,
        name: &str,
    ) -> Result<Vec<Location>> {
        if let Some(web) = self.web(query, repo, tag, name).await? {
            return Ok(vec![web]);
        }
        let found = self.by_tag(query, repo, tag).await?;
        match found.iter().find_map(|found| found.release.asset(name)) {
            Some(asset) => self.locations(query, asset).await,
            // A mirror may lag behind.
            None => self.locate_elsewhere(query, repo, tag, name).await,
        }
    }

    /// Where else a locked file of a release lies: at every place but the first that has it.
    pub(super) async fn locate_elsewhere(
        &self,
        query: &Query<'_>,
        repo: Repo<'_>,
        tag: &str,
        name: &str,
    ) -> Result<Vec<Location>> {
        let indexes = self.indexes(query).await?;
        if indexes.iter().flatten().count() < 2 {
            return Ok(Vec::new());
        }
        let found = self.by_tag(query, repo, tag).await?;
        let Some(found) = found.as_ref() else { return Ok(Vec::new()) };
        let path = ["releases", "tags", tag];
        let document = Document::new(repo, &path, JSON);
        let read = |at: &Location, body: &[u8]| one_release(query, at, body);
        let mut out = Vec::new();
        for place in mirrors::others(&indexes, &found.endpoint) {
            let said = self.ask_at(query, place, document, &read).await;
            let there = self.access.tolerated(place, said)?;
            if let Some(asset) = there.iter().find_map(|release| release.asset(name)) {
                out.extend(self.locations(query, asset).await?);
            }
        }
        Ok(out)
    }

    /// The bytes of an asset, a small one, and where they were; `None` when it is not there.
    pub(super) async fn bytes(
        &self,
        query: &Query<'_>,
        file: &Asset,
    ) -> Result<Option<(Location, Vec<u8>)>> {
        for at in self.locations(query, file).await? {
            if let Some(body) = self.access.get(query, &at, at.accept).await? {
                return Ok(Some((at, body)));
            }
        }
        Ok(None)
    }

    /// An asset as text, a checksum file; `None` when it is not there.
    pub(super) async fn text(
        &self,
        query: &Query<'_>,
        file: &Asset,
    ) -> Result<Arc<Option<String>>> {
        let fetch = async {
            let found = self.bytes(query, file).await?;
            Ok::<_, Error>(found.map(|(_, body)| String::from_utf8_lossy(&body).into_owned()))
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

/// For `fuzz/`: documents of a forge.
pub(super) fn fuzz(body: &[u8]) {
    let _ = (release::page(body), release::one(body));
}
