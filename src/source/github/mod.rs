//! Files that a GitHub repository uploads to its releases.
//!
//! Owns which releases are versions of the product ([`tag`]), which file a platform gets ([`pick`])
//! and what vouches for it. Refuses drafts, releases without files, and to choose between files
//! that are equally good. Invariant: a locked file is `TAG/NAME`, so that one document finds it
//! again.

mod attestations;
mod checks;
mod pattern;
mod pick;
mod release;
#[cfg(test)]
mod schemes;
mod table;
mod tag;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use self::pattern::Pattern;
use self::pick::{Pick, Wanted};
use self::release::{Asset, Release};
use super::access::{self, Access};
use super::memo::Memo;
use super::mirrors::{self, Place, Round};
use super::url::exact;
use super::{
    ArtifactOffer, Asked, Candidate, Commands, Error, Location, Offer, Query, Result, Source,
};
use crate::archive::Format;
use crate::base::{Platform, SourceKind, Version};
use crate::config::ecosystem::{self, Endpoint};
use crate::http;
use crate::provenance::Evidence;

/// What the API is asked for.
const JSON: &str = "application/vnd.github+json";
/// What makes the API send an asset's bytes instead of its description.
const BYTES: &str = "application/octet-stream";
/// Most releases that a page may hold.
const PAGE: &str = "100";
/// Most pages that are read; the API itself ends after ten thousand releases.
const PAGES: usize = 100;

/// The source.
pub(super) struct Github {
    access: Arc<Access>,
    /// By repository.
    lists: Memo<String, Vec<Release>>,
    /// By repository and tag; `None` when there is no such release.
    releases: Memo<(String, String), Option<Found>>,
    /// Checksum files by URL; `None` when there is no such document.
    checksums: Memo<String, Option<String>>,
    /// Attestations that were found, by repository.
    attested: Memo<String, tokio::sync::Mutex<Vec<Evidence>>>,
}

/// A release, and the place that has it.
struct Found {
    endpoint: Endpoint,
    release: Release,
}

impl Github {
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self {
            access,
            lists: Memo::new(),
            releases: Memo::new(),
            checksums: Memo::new(),
            attested: Memo::new(),
        }
    }

    /// A document of the API below the repository.
    fn address(&self, query: &Query<'_>, endpoint: &Endpoint, path: &[&str]) -> Result<Location> {
        let (owner, repository) = names(query)?;
        let mut url = access::below(&endpoint.base.value, "");
        if let Ok(mut segments) = url.path_segments_mut() {
            // A tag may hold a slash; as one segment it stays one name.
            segments.pop_if_empty().extend(["repos", owner, repository]).extend(path);
        }
        Ok(access::located(endpoint, url))
    }

    async fn page(
        &self,
        query: &Query<'_>,
        last: bool,
        at: &Location,
    ) -> Result<Option<http::Page>> {
        match self.access.page_of(last, query, at, Some(JSON)).await {
            Err(Error::Fetch { subject, source })
                if matches!(*source, http::Error::RateLimited { .. }) =>
            {
                Err(Error::RateLimit { subject, token: at.authorization.is_some(), source })
            }
            other => other,
        }
    }

    /// Every release of the repository that is published.
    async fn list(&self, query: &Query<'_>) -> Result<Arc<Vec<Release>>> {
        let fetch = async {
            let indexes = self.access.indexes(query, None).await?;
            let mut round = Round::new(&self.access, &indexes);
            while let Some(place) = round.next() {
                let said = self.list_at(query, place).await;
                if let Some(found) = round.heard(place, said)? {
                    return Ok(found);
                }
            }
            round.end()?;
            let (owner, repository) = names(query)?;
            let url = mirrors::shown(&indexes, |e| {
                let path = format!("repos/{owner}/{repository}/releases");
                http::shown(&access::below(&e.base.value, &path))
            });
            Err(Error::UnknownPackage { subject: query.subject(), url })
        };
        self.lists.get(query.package().to_owned(), fetch).await
    }

    /// A place's list of releases, all pages of it; `None` when it has no such repository.
    async fn list_at(&self, query: &Query<'_>, place: Place<'_>) -> Result<Option<Vec<Release>>> {
        let mut at = self.address(query, place.endpoint, &["releases"])?;
        at.url.query_pairs_mut().append_pair("per_page", PAGE);
        let mut all = Vec::new();
        for _ in 0..PAGES {
            let Some(page) = self.page(query, place.last, &at).await? else { return Ok(None) };
            let found = release::page(&page.body).map_err(|why| self.malformed(query, &at, why))?;
            all.extend(found);
            match page.next {
                Some(next) => at = access::located(place.endpoint, next),
                None => break,
            }
        }
        Ok(Some(all))
    }

    /// The release of a tag.
    async fn by_tag(&self, query: &Query<'_>, tag: &str) -> Result<Arc<Option<Found>>> {
        let fetch = async {
            let indexes = self.access.indexes(query, None).await?;
            let mut round = Round::new(&self.access, &indexes);
            while let Some(place) = round.next() {
                let said = self.tag_at(query, place, tag).await;
                if let Some(found) = round.heard(place, said)? {
                    return Ok(Some(found));
                }
            }
            round.end().map(|()| None)
        };
        self.releases.get((query.package().to_owned(), tag.to_owned()), fetch).await
    }

    /// A place's release of a tag.
    async fn tag_at(
        &self,
        query: &Query<'_>,
        place: Place<'_>,
        tag: &str,
    ) -> Result<Option<Found>> {
        let at = self.address(query, place.endpoint, &["releases", "tags", tag])?;
        let Some(page) = self.page(query, place.last, &at).await? else { return Ok(None) };
        let found = release::one(&page.body).map_err(|why| self.malformed(query, &at, why))?;
        Ok(found.map(|release| Found { endpoint: place.endpoint.clone(), release }))
    }

    fn malformed(&self, query: &Query<'_>, at: &Location, why: String) -> Error {
        self.access.forget_as(at, Some(JSON));
        Error::Malformed { subject: query.subject(), url: at.shown(), why }
    }

    /// The releases that the query is about, by version: a single one where the profile pins it
    /// and its tag is the usual one, so that not all have to be read.
    async fn versions_of(&self, query: &Query<'_>) -> Result<BTreeMap<Version, Release>> {
        let (_, repository) = names(query)?;
        let template = query.requirement.tag.as_deref();
        let pinned = exact(&query.requirement.version)
            .filter(|_| query.requirement.version.as_str().trim().starts_with('='))
            .filter(|v| {
                v.as_str().split(['-', '+']).next().map(|r| r.split('.').count()) == Some(3)
            });
        if let Some(version) = pinned {
            let tag = tag::expand(template.unwrap_or("v${version}"), version.as_str());
            let found = self.by_tag(query, &tag).await?;
            let release = found.iter().map(|found| &found.release).find(|r| !r.assets.is_empty());
            if let Some(release) = release {
                return Ok([(version, release.clone())].into());
            }
        }
        let all = self.list(query).await?;
        let with_files: Vec<_> = all.iter().filter(|r| !r.assets.is_empty()).cloned().collect();
        if with_files.is_empty() && !all.is_empty() {
            return Err(Error::NoAssets { subject: query.subject() });
        }
        let found = tag::versions(&with_files, template, repository)
            .map_err(|kinds| Error::Tags { subject: query.subject(), kinds })?;
        Ok(found.into_iter().map(|(version, release)| (version, release.clone())).collect())
    }

    fn pattern(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Option<Pattern>> {
        let Some(text) = &query.requirement.asset else { return Ok(None) };
        let refused = |why| {
            let template = text.clone();
            Error::Template { subject: query.subject(), template, why }
        };
        Pattern::new(text, version, platform, &query.requirement.words).map(Some).map_err(refused)
    }

    /// Where an asset lies, best first. With a token it comes from the API, which alone serves the
    /// files of private repositories.
    async fn locations(&self, query: &Query<'_>, asset: &Asset) -> Result<Vec<Location>> {
        let indexes = self.access.indexes(query, None).await?;
        let api = asset.api.clone().map(|url| access::located_in(&indexes, url));
        let api = api.filter(|at| at.authorization.is_some());
        let api = api.map(|at| Location { accept: Some(BYTES), ..at });
        Ok(api.into_iter().chain([self.access.direct(query, asset.web.clone())?]).collect())
    }

    /// Where everybody gets a file without asking the API, whose limit is small and shared by all
    /// behind one address.
    fn web(
        &self,
        query: &Query<'_>,
        endpoint: &Endpoint,
        tag: &str,
        name: &str,
    ) -> Result<Option<Location>> {
        if endpoint.authorization.is_some() {
            return Ok(None);
        }
        let web = ecosystem::github_web(&self.access.environ, endpoint)
            .map_err(|e| Error::Endpoint { subject: query.subject(), source: Box::new(e) })?;
        let Some(mut url) = web else { return Ok(None) };
        let (owner, repository) = names(query)?;
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend([owner, repository, "releases", "download", tag, name]);
        }
        self.access.direct(query, url).map(Some)
    }

    async fn artifact(
        &self,
        query: &Query<'_>,
        release: &Release,
        asset: &Asset,
        format: Format,
    ) -> Result<ArtifactOffer> {
        let (integrity, proofs) = self.vouched(query, release, asset).await?;
        let mut locations = self.locations(query, asset).await?;
        Ok(ArtifactOffer {
            file: format!("{}/{}", release.tag, asset.name),
            location: locations.swap_remove(0),
            integrity,
            size: asset.size,
            format,
            strip: query.strip(0),
            commands: query.commands(Commands::Found),
            proofs,
        })
    }
}

/// Owner and repository.
fn names<'a>(query: &Query<'a>) -> Result<(&'a str, &'a str)> {
    let is_name = |name: &str| {
        !matches!(name, "" | "." | "..")
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let package = query.requirement.from.package();
    match package.split_once('/') {
        Some((owner, repository)) if is_name(owner) && is_name(repository) => {
            Ok((owner, repository))
        }
        _ => Err(Error::PackageName { subject: query.subject() }),
    }
}

#[async_trait]
impl Source for Github {
    fn kind(&self) -> SourceKind {
        SourceKind::Github
    }

    /// The name's words decide; where they have none for a C library, nobody said.
    fn guesses_libc(&self, query: &Query<'_>, file: &str) -> bool {
        query.requirement.asset.is_none() && !super::names_libc(file)
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let found = self.versions_of(query).await?;
        Ok(found
            .into_iter()
            .map(|(version, release)| Candidate {
                prerelease: release.prerelease,
                ..Candidate::new(version)
            })
            .collect())
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        let mut found = self.versions_of(query).await?;
        let Some(release) = found.remove(version) else {
            return Err(Error::VersionGone { subject: query.subject(), version: version.clone() });
        };
        let (_, repository) = names(query)?;
        let commands = query.requirement.bin.keys().map(AsRef::as_ref);
        let own = words::own([repository, query.dep.as_str()].into_iter().chain(commands));
        let pattern = self.pattern(query, version, platform)?;
        let wanted =
            Wanted { platform, version: version.as_str(), own: &own, pattern: pattern.as_ref() };
        let names: Vec<&str> = release.assets.iter().map(|a| a.name.as_str()).collect();
        let chosen = match pick::pick(&wanted, &names) {
            Pick::One(name) => name,
            Pick::None(reason) => return Ok(Offer::Unavailable { reason }),
            Pick::Several(names) => {
                return Err(Error::Assets {
                    subject: query.subject(),
                    version: version.clone(),
                    platform,
                    candidates: names.into_iter().map(str::to_owned).collect(),
                });
            }
        };
        let asset = release.assets.iter().find(|a| a.name == chosen);
        let (Some(asset), Some(format)) = (asset, Format::of_name(chosen)) else {
            let file = chosen.to_owned();
            return Err(Error::Format { subject: query.subject(), file });
        };
        Ok(Offer::Artifact(Box::new(self.artifact(query, &release, asset, format).await?)))
    }

    async fn locate(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let gone = || Error::FileGone {
            subject: query.subject(),
            version: version.clone(),
            file: file.to_owned(),
        };
        // Tags may hold slashes, names never do.
        let (tag, name) = file.rsplit_once('/').ok_or_else(gone)?;
        let endpoint = self.access.endpoint(query, None).await?;
        if let Some(web) = self.web(query, &endpoint, tag, name)? {
            return Ok(vec![web]);
        }
        let found = self.by_tag(query, tag).await?;
        match found.iter().find_map(|found| asset_of(&found.release, name)) {
            Some(asset) => self.locations(query, asset).await,
            None => {
                // A mirror may lag behind.
                let elsewhere = self.locate_elsewhere(query, version, platform, file).await?;
                if elsewhere.is_empty() { Err(gone()) } else { Ok(elsewhere) }
            }
        }
    }

    async fn locate_elsewhere(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let Some((tag, name)) = file.rsplit_once('/') else { return Ok(Vec::new()) };
        let indexes = self.access.indexes(query, None).await?;
        if indexes.iter().flatten().count() < 2 {
            return Ok(Vec::new());
        }
        let found = self.by_tag(query, tag).await?;
        let Some(found) = found.as_ref() else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for place in mirrors::others(&indexes, &found.endpoint) {
            let said = self.tag_at(query, place, tag).await;
            let there = self.access.tolerated(place, said)?;
            if let Some(asset) = there.iter().find_map(|there| asset_of(&there.release, name)) {
                out.extend(self.locations(query, asset).await?);
            }
        }
        Ok(out)
    }

    async fn evidence(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        let mut found = self.attestations(asked).await?;
        found.extend(self.beside(asked).await?);
        Ok(found)
    }

    async fn published(
        &self,
        query: &Query<'_>,
        version: &Version,
    ) -> Result<Option<jiff::Timestamp>> {
        Ok(self.versions_of(query).await?.remove(version).and_then(|release| release.published))
    }
}

fn asset_of<'a>(release: &'a Release, name: &str) -> Option<&'a Asset> {
    release.assets.iter().find(|asset| asset.name == name)
}
