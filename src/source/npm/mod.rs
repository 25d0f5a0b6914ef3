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
use super::mirrors::{self, Place};
use super::{
    ArtifactOffer, Asked, Candidate, Commands, Error, Location, Offer, Query, Result, Source,
};
use crate::archive::Format;
use crate::base::{Platform, SourceKind, Version};
use crate::config::ecosystem::{Endpoint, Indexes};
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
    packuments: Memo<(String, bool), Option<Found>>,
    /// The keys that each registry signs with; `None` when it publishes none.
    keys: Memo<String, Option<Vec<NpmKey>>>,
}

/// A package's document, and the place that has it.
struct Found {
    endpoint: Endpoint,
    packument: Packument,
}

impl Npm {
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access, packuments: Memo::new(), keys: Memo::new() }
    }

    async fn indexes(&self, query: &Query<'_>, package: &str) -> Result<Arc<Indexes>> {
        let scope = package.split_once('/').map(|(scope, _)| scope);
        self.access.indexes(query, scope).await
    }

    /// Where a package's document is looked for, for messages.
    async fn shown(&self, query: &Query<'_>, package: &str) -> Result<String> {
        let indexes = self.indexes(query, package).await?;
        Ok(mirrors::shown(&indexes, |endpoint| address(endpoint, package).shown()))
    }

    /// A place's document of a package.
    async fn at(
        &self,
        query: &Query<'_>,
        place: Place<'_>,
        package: &str,
        full: bool,
    ) -> Result<Option<Found>> {
        let at = address(place.endpoint, package);
        let accept = Some(if full { FULL } else { SHORT });
        let page = self.access.page_of(place.last, query, &at, accept).await?;
        let Some(page) = page else { return Ok(None) };
        let packument = Packument::parse(&page.body, package).map_err(|why| {
            self.access.forget_as(&at, accept);
            Error::Malformed { subject: query.subject(), url: at.shown(), why }
        })?;
        Ok(Some(Found { endpoint: place.endpoint.clone(), packument }))
    }

    async fn packument(
        &self,
        query: &Query<'_>,
        package: &str,
        full: bool,
    ) -> Result<Arc<Option<Found>>> {
        // The full document has everything that the other has.
        let full = full || self.packuments.has_begun(&(package.to_owned(), true));
        let fetch = async {
            let indexes = self.indexes(query, package).await?;
            self.access.first(&indexes, |place| self.at(query, place, package, full)).await
        };
        self.packuments.get((package.to_owned(), full), fetch).await
    }

    /// The document of the package that the profile names.
    async fn own(&self, query: &Query<'_>) -> Result<Arc<Option<Found>>> {
        if !file::is_package(query.package()) {
            return Err(Error::PackageName { subject: query.subject() });
        }
        let found = self.packument(query, query.package(), false).await?;
        if found.is_none() {
            let url = self.shown(query, query.package()).await?;
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
        let found = self.packument(query, package, full).await?;
        let Some(found) = found.as_ref() else { return Ok(None) };
        found.packument.manifest(version).map_err(|why| {
            let url = address(&found.endpoint, package).shown();
            Error::Malformed { subject: query.subject(), url, why }
        })
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
            // Abbreviated documents often leave out `libc` and who signed. Both are wanted of what is
            // likely to be taken, so that its full document is asked for at once and no other.
            let full = is_likely;
            let (members, lacks) = self.manifests(query, &group, full).await?;
            lacking = lacking.or(lacks.filter(|_| is_likely));
            any |= members.iter().any(Manifest::is_for_a_platform);
            let fitting: Vec<_> = members.iter().filter(|m| platform::fits(m, platform)).collect();
            let says_all = full || platform.libc().is_none();
            let found = if !says_all && fitting.iter().any(|m| m.libc.is_empty()) {
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
        let found = self.packument(query, &manifest.name, false).await?;
        let endpoint = match found.as_ref() {
            Some(found) => found.endpoint.clone(),
            None => self.access.endpoint(query, None).await?.as_ref().clone(),
        };
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

/// The address of a package's document.
fn address(endpoint: &Endpoint, package: &str) -> Location {
    // The scope's slash is left as it is: some mirrors refuse `%2f`, none refuses this.
    access::located(endpoint, access::below(&endpoint.base.value, package))
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

    /// Few packages say `libc`; those that exist for both have it in their names.
    fn guesses_libc(&self, _query: &Query<'_>, file: &str) -> bool {
        !super::names_libc(file)
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let own = self.own(query).await?;
        let versions = own.iter().flat_map(|found| found.packument.versions());
        // `deprecated` is advice, not withdrawal; npm installs such a version as well.
        Ok(versions.filter_map(|text| text.parse().ok()).map(Candidate::new).collect())
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        self.own(query).await?;
        let gone = || query.version_gone(version);
        let parent = self.manifest(query, query.package(), version.as_str(), false).await?;
        let parent = parent.ok_or_else(gone)?;
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
        platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let gone = || query.file_gone(version, file);
        let package = file::package(file).ok_or_else(gone)?;
        let indexes = self.indexes(query, package).await?;
        let found = self.packument(query, package, false).await?;
        let Some(found) = found.as_ref() else { return Err(gone()) };
        let Some(tarball) = found.packument.tarball_of(file) else {
            // A mirror may lag behind.
            let elsewhere = self.locate_elsewhere(query, version, platform, file).await?;
            return if elsewhere.is_empty() { Err(gone()) } else { Ok(elsewhere) };
        };
        let mut out = tarball.locations(&found.endpoint);
        if tarball.is_usual() {
            // Its path is the same below every registry, so that none has to be asked for it.
            let bases = indexes.iter().flatten();
            let below = bases.map(|e| access::located(e, access::below(&e.base.value, file)));
            for at in below {
                if !out.iter().any(|other| other.url == at.url) {
                    out.push(at);
                }
            }
        }
        Ok(out)
    }

    async fn locate_elsewhere(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let Some(package) = file::package(file) else { return Ok(Vec::new()) };
        let indexes = self.indexes(query, package).await?;
        let found = self.packument(query, package, false).await?;
        let Some(found) = found.as_ref() else { return Ok(Vec::new()) };
        let mut out = Vec::new();
        for place in mirrors::others(&indexes, &found.endpoint) {
            let said = self.at(query, place, package, false).await;
            let there = self.access.tolerated(place, said)?;
            let tarball = there.as_ref().and_then(|there| there.packument.tarball_of(file));
            out.extend(tarball.iter().flat_map(|tarball| tarball.locations(place.endpoint)));
        }
        Ok(out)
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
        let text = full.iter().find_map(|found| found.packument.published(version.as_str()));
        Ok(text.and_then(|text| text.parse().ok()))
    }
}

/// For `fuzz/`: a package's document.
pub(super) fn fuzz(document: &[u8]) {
    let Ok(packument) = Packument::parse(document, "@scope/x") else { return };
    for version in packument.versions() {
        if let Ok(Some(manifest)) = packument.manifest(version) {
            let _ = Tarball::of(&manifest);
            let _ = manifest.commands();
        }
    }
    let _ = packument.tarball_of("x-1.0.0.tgz");
}
