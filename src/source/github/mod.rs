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
    releases: Memo<(String, String), Option<Release>>,
    /// Checksum files by URL; `None` when there is no such document.
    checksums: Memo<String, Option<String>>,
    /// Attestations that were found, by repository.
    attested: Memo<String, tokio::sync::Mutex<Vec<Evidence>>>,
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
    async fn address(&self, query: &Query<'_>, path: &[&str]) -> Result<Location> {
        let (owner, repository) = names(query)?;
        let endpoint = self.access.endpoint(query, None).await?;
        let mut url = access::below(&endpoint.base.value, "");
        if let Ok(mut segments) = url.path_segments_mut() {
            // A tag may hold a slash; as one segment it stays one name.
            segments.pop_if_empty().extend(["repos", owner, repository]).extend(path);
        }
        Ok(access::located(&endpoint, url))
    }

    async fn page(&self, query: &Query<'_>, at: &Location) -> Result<Option<http::Page>> {
        match self.access.page(query, at, Some(JSON)).await {
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
            let mut at = self.address(query, &["releases"]).await?;
            at.url.query_pairs_mut().append_pair("per_page", PAGE);
            let endpoint = self.access.endpoint(query, None).await?;
            let mut all = Vec::new();
            for _ in 0..PAGES {
                let Some(page) = self.page(query, &at).await? else {
                    return Err(Error::UnknownPackage {
                        subject: query.subject(),
                        url: at.shown(),
                    });
                };
                let found = release::page(&page.body).map_err(|why| malformed(query, &at, why))?;
                all.extend(found);
                match page.next {
                    Some(next) => at = access::located(&endpoint, next),
                    None => break,
                }
            }
            Ok(all)
        };
        self.lists.get(query.package().to_owned(), fetch).await
    }

    /// The release of a tag.
    async fn by_tag(&self, query: &Query<'_>, tag: &str) -> Result<Arc<Option<Release>>> {
        let fetch = async {
            let at = self.address(query, &["releases", "tags", tag]).await?;
            let Some(page) = self.page(query, &at).await? else { return Ok(None) };
            release::one(&page.body).map_err(|why| malformed(query, &at, why))
        };
        self.releases.get((query.package().to_owned(), tag.to_owned()), fetch).await
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
            if let Some(release) = found.as_ref().as_ref().filter(|r| !r.assets.is_empty()) {
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
        let endpoint = self.access.endpoint(query, None).await?;
        let api = asset.api.clone().map(|url| access::located(&endpoint, url));
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

fn malformed(query: &Query<'_>, at: &Location, why: String) -> Error {
    Error::Malformed { subject: query.subject(), url: at.shown(), why }
}

#[async_trait]
impl Source for Github {
    fn kind(&self) -> SourceKind {
        SourceKind::Github
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
        _platform: Platform,
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
        let release = self.by_tag(query, tag).await?;
        let asset =
            release.as_ref().as_ref().and_then(|r| r.assets.iter().find(|a| a.name == name));
        self.locations(query, asset.ok_or_else(gone)?).await
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
