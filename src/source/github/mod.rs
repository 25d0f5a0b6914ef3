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
#[cfg(test)]
mod schemes;
mod table;
mod tag;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

pub(super) use self::checks::vouched;
use self::pattern::Pattern;
use self::pick::{Pick, Wanted};
use super::access::Access;
use super::forge::{Asset, Forge, Release, Repo};
use super::url::exact;
use super::{
    ArtifactOffer, Asked, Candidate, Commands, Error, Location, Offer, Query, Result, Source,
};
use crate::archive::Format;
use crate::base::{Platform, SourceKind, Version};
use crate::provenance::Evidence;

/// The source.
pub(super) struct Github {
    access: Arc<Access>,
    forge: Arc<Forge>,
}

impl Github {
    /// Asks nothing yet.
    pub(super) fn new(access: Arc<Access>, forge: Arc<Forge>) -> Self {
        Self { access, forge }
    }

    /// The releases that the query is about, by version: a single one where the profile pins it
    /// and its tag is the usual one, so that not all have to be read.
    async fn versions_of(&self, query: &Query<'_>) -> Result<BTreeMap<Version, Release>> {
        let repo = repo(query)?;
        let template = query.requirement.tag.as_deref();
        let pinned = exact(&query.requirement.version)
            .filter(|_| query.requirement.version.as_str().trim().starts_with('='))
            .filter(|v| {
                v.as_str().split(['-', '+']).next().map(|r| r.split('.').count()) == Some(3)
            });
        if let Some(version) = pinned {
            let tag = tag::expand(template.unwrap_or("v${version}"), version.as_str());
            let found = self.forge.by_tag(query, repo, &tag).await?;
            let release = found.iter().map(|found| &found.release).find(|r| !r.assets.is_empty());
            if let Some(release) = release {
                return Ok([(version, release.clone())].into());
            }
        }
        let all = self.forge.list(query, repo).await?;
        let with_files: Vec<_> = all.iter().filter(|r| !r.assets.is_empty()).cloned().collect();
        if with_files.is_empty() && !all.is_empty() {
            return Err(Error::NoAssets { subject: query.subject() });
        }
        let found = tag::versions(&with_files, template, repo.name)
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

    async fn artifact(
        &self,
        query: &Query<'_>,
        release: &Release,
        asset: &Asset,
        format: Format,
    ) -> Result<ArtifactOffer> {
        let (integrity, proofs) = vouched(&self.forge, query, release, asset).await?;
        let mut locations = self.forge.locations(query, asset).await?;
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

/// The version that stands last in a tag.
pub(super) fn version_of_tag(tag: &str) -> Option<Version> {
    tag::parse(tag).map(|parts| parts.version)
}

/// Owner and repository.
fn repo<'a>(query: &Query<'a>) -> Result<Repo<'a>> {
    Repo::parse(query.requirement.from.package())
        .ok_or_else(|| Error::PackageName { subject: query.subject() })
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
            return Err(query.version_gone(version));
        };
        let repository = repo(query)?.name;
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
        let asset = release.asset(chosen);
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
        let gone = || query.file_gone(version, file);
        // Tags may hold slashes, names never do.
        let (tag, name) = file.rsplit_once('/').ok_or_else(gone)?;
        let found = self.forge.locate(query, repo(query)?, tag, name).await?;
        if found.is_empty() { Err(gone()) } else { Ok(found) }
    }

    async fn locate_elsewhere(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let Some((tag, name)) = file.rsplit_once('/') else { return Ok(Vec::new()) };
        self.forge.locate_elsewhere(query, repo(query)?, tag, name).await
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
