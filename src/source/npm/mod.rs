//! npm tarballs from a registry.
//!
//! Owns which package a platform gets: programs are published as one package per platform, named
//! in the `optionalDependencies` of the package people know; that one's exact version decides
//! theirs. Refuses a version without an SRI hash (a SHA-1 `shasum` protects nothing). Invariant: a
//! locked file is `PACKAGE/-/FILE`, its path below any registry.

mod file;
mod packument;
mod platform;
mod signatures;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::try_join_all;

use self::file::Tarball;
use self::packument::{Manifest, Packument};
use self::platform::Group;
use super::access::{self, Access};
use super::memo::Memo;
use super::{
    ArtifactOffer, Asked, Candidate, Commands, Error, Location, Offer, Query, Result, Source,
};
use crate::archive::Format;
use crate::base::{Platform, SourceKind, Version};
use crate::config::ecosystem::Endpoint;
use crate::lock::model::Proof;
use crate::provenance::{Evidence, NpmKey};

/// The abbreviated document; registries that lack it send the full one.
const SHORT: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";
/// The full document, which alone is sure to say `libc`.
const FULL: &str = "application/json";

/// The source.
pub(super) struct Npm {
    access: Arc<Access>,
    /// By package and whether it is the full document; `None` when there is no such package.
    packuments: Memo<(String, bool), Option<Packument>>,
    /// The keys that each registry signs with; `None` when it publishes none.
    keys: Memo<String, Option<Vec<NpmKey>>>,
}

impl Npm {
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access, packuments: Memo::new(), keys: Memo::new() }
    }

    async fn endpoint(&self, query: &Query<'_>, package: &str) -> Result<Arc<Endpoint>> {
        let scope = package.split_once('/').map(|(scope, _)| scope);
        self.access.endpoint(query, scope).await
    }

    async fn address(&self, query: &Query<'_>, package: &str) -> Result<Location> {
        let endpoint = self.endpoint(query, package).await?;
        // The scope's slash is left as it is: some mirrors refuse `%2f`, none refuses this.
        Ok(access::located(&endpoint, access::below(&endpoint.base.value, package)))
    }

    async fn packument(
        &self,
        query: &Query<'_>,
        package: &str,
        full: bool,
    ) -> Result<Arc<Option<Packument>>> {
        let fetch = async {
            let at = self.address(query, package).await?;
            let accept = if full { FULL } else { SHORT };
            let Some(body) = self.access.get(query, &at, Some(accept)).await? else {
                return Ok(None);
            };
            Packument::parse(&body, package).map(Some).map_err(|why| Error::Malformed {
                subject: query.subject(),
                url: at.shown(),
                why,
            })
        };
        self.packuments.get((package.to_owned(), full), fetch).await
    }

    /// The document of the package that the profile names.
    async fn own(&self, query: &Query<'_>) -> Result<Arc<Option<Packument>>> {
        if !file::is_package(query.package()) {
            return Err(Error::PackageName { subject: query.subject() });
        }
        let found = self.packument(query, query.package(), false).await?;
        if found.is_none() {
            let url = self.address(query, query.package()).await?.shown();
            return Err(Error::UnknownPackage { subject: query.subject(), url });
        }
        Ok(found)
    }

    /// A version's manifest; `None` when package or version is not there.
    async fn manifest(
        &self,
        query: &Query<'_>,
        package: &str,
        version: &str,
        full: bool,
    ) -> Result<Option<Manifest>> {
        let packument = self.packument(query, package, full).await?;
        let Some(packument) = packument.as_ref() else { return Ok(None) };
        self.read(query, package, packument, version).await
    }

    async fn read(
        &self,
        query: &Query<'_>,
        package: &str,
        packument: &Packument,
        version: &str,
    ) -> Result<Option<Manifest>> {
        match packument.manifest(version) {
            Ok(manifest) => Ok(manifest),
            Err(why) => {
                let url = self.address(query, package).await?.shown();
                Err(Error::Malformed { subject: query.subject(), url, why })
            }
        }
    }

    /// The manifests of a group of optional dependencies as far as the registry has them, and the
    /// first that it lacks.
    async fn manifests(
        &self,
        query: &Query<'_>,
        group: &[(String, String)],
        full: bool,
    ) -> Result<(Vec<Manifest>, Option<(String, String)>)> {
        let each = group.iter().map(|(name, version)| self.manifest(query, name, version, full));
        let found = try_join_all(each).await?;
        let lacking = found.iter().position(Option::is_none).map(|at| group[at].clone());
        Ok((found.into_iter().flatten().collect(), lacking))
    }

    /// What a parent's optional dependencies have for a platform.
    async fn family(
        &self,
        query: &Query<'_>,
        parent: &Manifest,
        platform: Platform,
    ) -> Result<Family> {
        let mut any = false;
        let mut lacking = None;
        let Group { likely, other } = platform::split(parent, platform);
        for (group, is_likely) in [(likely, true), (other, false)] {
            let (members, lacks) = self.manifests(query, &group, false).await?;
            lacking = lacking.or(lacks.filter(|_| is_likely));
            any |= members.iter().any(Manifest::is_for_a_platform);
            let fitting: Vec<_> = members.iter().filter(|m| platform::fits(m, platform)).collect();
            // Abbreviated documents often leave `libc` out.
            let found = if platform.libc().is_some() && fitting.iter().any(|m| m.libc.is_empty()) {
                let exact: Vec<_> =
                    fitting.iter().map(|m| (m.name.clone(), m.version.clone())).collect();
                let (full, _) = self.manifests(query, &exact, true).await?;
                platform::best(&full, platform).cloned()
            } else {
                platform::best(&members, platform).cloned()
            };
            if let Some(found) = found {
                return Ok(Family::Member(Box::new(found)));
            }
        }
        Ok(match lacking {
            // A mirror that lags behind must not look like a publisher that has nothing.
            Some((name, version)) => Family::NotHere(format!(
                "it names `{name}` {version} for this platform, which the registry does not have"
            )),
            None if any => Family::NotHere(platform::packages(parent)),
            None => Family::None,
        })
    }

    async fn artifact(&self, query: &Query<'_>, manifest: &Manifest) -> Result<ArtifactOffer> {
        let endpoint = self.endpoint(query, &manifest.name).await?;
        let tarball = Tarball::of(manifest).map_err(|why| Error::Malformed {
            subject: query.subject(),
            url: endpoint.base.value.to_string(),
            why,
        })?;
        let Some(integrity) = manifest.integrity() else {
            return Err(Error::WeakHash { subject: query.subject(), file: tarball.file });
        };
        // A platform package seldom lists commands; its executables are in `bin/` or on top.
        let commands = match manifest.commands() {
            Some(named) => Commands::Named(named),
            None => Commands::Found,
        };
        let mut locations = tarball.locations(&endpoint);
        Ok(ArtifactOffer {
            location: locations.swap_remove(0),
            file: tarball.file,
            integrity: Some(integrity),
            size: None,
            format: Format::TarGz,
            strip: query.strip(1),
            commands: query.commands(commands),
            proofs: vec![Proof::RegistryHash],
        })
    }
}

/// What the platform packages of a parent have.
enum Family {
    /// This one.
    Member(Box<Manifest>),
    /// There are some, none for the platform; why.
    NotHere(String),
    /// The parent has no platform packages.
    None,
}

#[async_trait]
impl Source for Npm {
    fn kind(&self) -> SourceKind {
        SourceKind::Npm
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let own = self.own(query).await?;
        let versions = own.iter().flat_map(Packument::versions);
        // `deprecated` is advice, not withdrawal; npm installs such a version as well.
        Ok(versions.filter_map(|text| text.parse().ok()).map(Candidate::new).collect())
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        let own = self.own(query).await?;
        let gone = || Error::VersionGone { subject: query.subject(), version: version.clone() };
        let packument = own.as_ref().as_ref().ok_or_else(gone)?;
        let parent = self
            .read(query, query.package(), packument, version.as_str())
            .await?
            .ok_or_else(gone)?;
        let chosen = match self.family(query, &parent, platform).await? {
            Family::Member(member) => *member,
            Family::NotHere(reason) => return Ok(Offer::Unavailable { reason }),
            Family::None if platform::allows(&parent, platform) => parent,
            Family::None => return Ok(Offer::Unavailable { reason: platform::limits(&parent) }),
        };
        Ok(Offer::Artifact(Box::new(self.artifact(query, &chosen).await?)))
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
        let package = file::package(file).ok_or_else(gone)?;
        let packument = self.packument(query, package, false).await?;
        let tarball = packument.iter().find_map(|p| p.tarball_of(file)).ok_or_else(gone)?;
        let endpoint = self.endpoint(query, package).await?;
        Ok(tarball.locations(&endpoint))
    }

    async fn evidence(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        self.signed(asked).await
    }

    async fn published(
        &self,
        query: &Query<'_>,
        version: &Version,
    ) -> Result<Option<jiff::Timestamp>> {
        let full = self.packument(query, query.package(), true).await?;
        let text = full.iter().find_map(|p| p.published(version.as_str()));
        Ok(text.and_then(|text| text.parse().ok()))
    }
}
