//! Commands that a crate publishes prebuilt, by its `[package.metadata.binstall]`.
//!
//! ```text
//! index (versions, hashes) ── .crate ── manifest (addresses) ── forge or server ── offer
//!                                         ├ target (overrides)
//!                                         └ template
//! ```
//!
//! Owns where a target's package lies. Refuses to build anything: a platform without a package has
//! none. A release's file is looked up and fetched through [`super::forge`] when that is configured.
//! Invariant: no address of the metadata is in the lock; it is rendered again.

mod index;
mod manifest;
mod target;
mod template;

use std::sync::Arc;

use ::url::Url;
use async_trait::async_trait;

use self::index::Published;
use self::manifest::{Manifest, Place as Spotted, Places};
use self::target::Target;
use super::access::{self, Access};
use super::forge::{Asset, Forge, Release, Repo, malformed};
use super::github::vouched;
use super::memo::Memo;
use super::mirrors::{self, Place};
use super::{ArtifactOffer, Commands, Error, Location, Offer, Query, Result, Source};
use crate::base::{Integrity, Platform, SourceKind, Version};
use crate::config::{self, ecosystem::Endpoint};
use crate::http;

/// The source.
pub(super) struct Crates {
    access: Arc<Access>,
    forge: Arc<Forge>,
    /// By name.
    indexes: Memo<String, Vec<Published>>,
    /// A registry's `config.json`, by its base.
    config: Memo<String, Vec<u8>>,
    /// By name and version.
    manifests: Memo<(String, String), Manifest>,
}

/// A file of a release, taken out of its address.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Released {
    owner: String,
    name: String,
    tag: String,
    file: String,
}

impl Released {
    /// `…/OWNER/NAME/releases/download/TAG/FILE` on a host of that forge.
    fn of(url: &Url) -> Option<Self> {
        // By its name, as those who write the metadata assume.
        url.host_str().filter(|host| host.starts_with("github") || is_local(host))?;
        let parts: Vec<String> = url.path_segments()?.map(decoded).collect();
        // An enterprise's server may lie below a path.
        let (_, parts) = parts.split_at_checked(parts.len().checked_sub(6)?)?;
        match parts {
            [owner, name, releases, download, tag, file]
                if releases == "releases" && download == "download" =>
            {
                Repo::new(owner, name)?;
                let [owner, name, tag, file] = [owner, name, tag, file].map(String::clone);
                (!file.is_empty() && !file.contains('/')).then_some(Self { owner, name, tag, file })
            }
            _ => None,
        }
    }

    fn repo(&self) -> Option<Repo<'_>> {
        Repo::new(&self.owner, &self.name)
    }

    /// As the lock has it.
    fn shown(&self) -> String {
        let Self { owner, name, tag, file } = self;
        format!("{owner}/{name}/releases/{tag}/{file}")
    }
}

fn located(endpoint: &Endpoint, path: &str) -> Location {
    access::located(endpoint, access::below(&endpoint.base.value, path))
}

/// Whether it is this machine: a forge that is run for oneself.
fn is_local(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

fn decoded(part: &str) -> String {
    part.replace("%2F", "/").replace("%2f", "/")
}

/// An address as the lock has it: the release's file, or the last name.
fn file_of(url: &Url) -> Option<String> {
    match Released::of(url) {
        Some(released) => Some(released.shown()),
        None => {
            // Some servers have what is a file's name before a last `download`.
            let mut parts = url.path_segments()?.rev().filter(|part| !part.is_empty());
            let last = parts.next()?;
            let name = if last == "download" { parts.next()? } else { last };
            Some(name.to_owned())
        }
    }
}

impl Crates {
    /// Asks nothing yet.
    pub(super) fn new(access: Arc<Access>, forge: Arc<Forge>) -> Self {
        let (indexes, config, manifests) = (Memo::new(), Memo::new(), Memo::new());
        Self { access, forge, indexes, config, manifests }
    }

    /// Every version of the crate.
    async fn listed(&self, query: &Query<'_>) -> Result<Arc<Vec<Published>>> {
        let name = query.package();
        let path =
            index::path(name).ok_or_else(|| Error::PackageName { subject: query.subject() })?;
        let fetch = async {
            let indexes = self.access.indexes(query, None).await?;
            let ask = |place| self.listed_at(query, place, &path);
            if let Some(found) = self.access.first(&indexes, ask).await? {
                return Ok(found);
            }
            let url = mirrors::shown(&indexes, |e| located(e, &path).shown());
            Err(Error::UnknownPackage { subject: query.subject(), url })
        };
        self.indexes.get(name.to_owned(), fetch).await
    }

    /// Every version that a place has; `None` when it has no such crate.
    async fn listed_at(
        &self,
        query: &Query<'_>,
        place: Place<'_>,
        path: &str,
    ) -> Result<Option<Vec<Published>>> {
        let at = located(place.endpoint, path);
        let Some(page) = self.access.page_of(place.last, query, &at, None).await? else {
            return Ok(None);
        };
        let found = index::versions(&page.body).map(Some);
        found.map_err(|why| {
            self.access.forget(&at);
            malformed(query, &at, why)
        })
    }

    /// The manifest of a version, out of its `.crate` file.
    async fn manifest(&self, query: &Query<'_>, version: &Version) -> Result<Arc<Manifest>> {
        let name = query.package();
        let fetch = async {
            let published = self.listed(query).await?;
            let one = published.iter().find(|one| one.version == version.as_str());
            let one = one.ok_or_else(|| query.version_gone(version))?;
            let indexes = self.access.indexes(query, None).await?;
            let ask = |place| self.manifest_at(query, place, one);
            let found = self.access.first(&indexes, ask).await?;
            found.ok_or_else(|| query.file_gone(version, &format!("{name}-{version}.crate")))
        };
        self.manifests.get((name.to_owned(), version.to_string()), fetch).await
    }

    /// The manifest of a version, out of a place's `.crate` file; `None` when it has none.
    async fn manifest_at(
        &self,
        query: &Query<'_>,
        place: Place<'_>,
        one: &Published,
    ) -> Result<Option<Manifest>> {
        let at = self.crate_file(query, place.endpoint, one).await?;
        let Some(page) = self.access.page_of(place.last, query, &at, None).await? else {
            return Ok(None);
        };
        let received = Integrity::sha256_of(&page.body);
        if received != one.checksum {
            self.access.forget(&at);
            return Err(Error::IndexHash {
                subject: query.subject(),
                url: at.shown(),
                expected: Box::new(one.checksum.clone()),
                received: Box::new(received),
            });
        }
        let manifest = Manifest::of_crate(&page.body, query.package(), &one.version);
        manifest.map(Some).map_err(|why| malformed(query, &at, why))
    }

    /// Where a version's `.crate` file lies.
    async fn crate_file(
        &self,
        query: &Query<'_>,
        endpoint: &Endpoint,
        one: &Published,
    ) -> Result<Location> {
        let at = located(endpoint, "config.json");
        let fetch = async {
            match self.access.get(query, &at, None).await? {
                Some(body) => Ok(body),
                None => Err(malformed(query, &at, "it is not there".to_owned())),
            }
        };
        let config = self.config.get(endpoint.base.value.to_string(), fetch).await?;
        let text = index::download(&config, query.package(), one);
        let url = text.and_then(|text| text.parse::<Url>().map_err(|e| e.to_string()));
        let url = url.map_err(|why| malformed(query, &at, why))?;
        Ok(access::located(endpoint, url))
    }

    /// Every place of a platform's package, and why there is none.
    fn places(
        &self,
        query: &Query<'_>,
        manifest: &Manifest,
        platform: Platform,
    ) -> Result<(Vec<Spot>, Option<&'static str>)> {
        let (mut out, mut why) = (Vec::new(), None);
        for target in Target::of(platform) {
            let places = manifest
                .places(target)
                .map_err(|why| Error::Metadata { subject: query.subject(), why })?;
            let (places, usual) = match places {
                Places::Named(places) => (places, false),
                Places::Usual(places) => (places, true),
                Places::None(reason) => {
                    why = Some(reason);
                    continue;
                }
            };
            for place in places {
                let url: Url =
                    place.url.parse().map_err(|e: ::url::ParseError| Error::Metadata {
                        subject: query.subject(),
                        why: format!("`{}` is no address: {e}", place.url),
                    })?;
                if !matches!(url.scheme(), "http" | "https") {
                    let why = format!("`{}` is no http or https address", place.url);
                    return Err(Error::Metadata { subject: query.subject(), why });
                }
                // The order of targets counts; for all of macOS there may be one address.
                if !out.iter().any(|one: &Spot| one.url == url) {
                    let released = Released::of(&url);
                    out.push(Spot { place, url, released, usual });
                }
            }
        }
        Ok((out, why))
    }

    /// Whether the forge's API is configured.
    async fn has_forge(&self, query: &Query<'_>) -> Result<bool> {
        match self.forge.endpoint(query).await {
            Ok(_) => Ok(true),
            Err(Error::Endpoint { source, .. })
                if matches!(*source, config::Error::NoEndpoint { .. }) =>
            {
                Ok(false)
            }
            Err(e) => Err(e),
        }
    }

    async fn exists(&self, query: &Query<'_>, at: &Location) -> Result<bool> {
        let request = http::Get {
            url: at.url.clone(),
            accept: at.accept,
            authorization: at.authorization.clone(),
        };
        let found = self.access.client.exists(&request).await;
        found.map_err(|e| Error::Fetch { subject: query.subject(), source: Box::new(e) })
    }

    /// The release and file of an address, if they are there.
    async fn in_release(
        &self,
        query: &Query<'_>,
        released: &Released,
    ) -> Result<Option<(Release, Asset)>> {
        let Some(repo) = released.repo() else { return Ok(None) };
        let release = self.forge.by_tag(query, repo, &released.tag).await?;
        let Some(there) = release.as_ref() else { return Ok(None) };
        let asset = there.release.asset(&released.file);
        Ok(asset.map(|asset| (there.release.clone(), asset.clone())))
    }
}

/// A place with its address.
struct Spot {
    place: Spotted,
    url: Url,
    released: Option<Released>,
    usual: bool,
}

#[async_trait]
impl Source for Crates {
    fn kind(&self) -> SourceKind {
        SourceKind::Crate
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<super::Candidate>> {
        let listed = self.listed(query).await?;
        Ok(listed
            .iter()
            .filter_map(|one| {
                let version = one.version.parse().ok()?;
                Some(super::Candidate { yanked: one.yanked, ..super::Candidate::new(version) })
            })
            .collect())
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        let manifest = self.manifest(query, version).await?;
        let (places, why) = self.places(query, &manifest, platform)?;
        let has_forge = self.has_forge(query).await?;
        let only = places.len() == 1;
        let mut reason = why.map(str::to_owned);
        for Spot { place, url, released, usual } in places {
            let commands = place.commands.map_or(Commands::Found, Commands::Named);
            let mut offer = ArtifactOffer {
                file: file_of(&url).unwrap_or_default(),
                location: self.access.direct(query, url)?,
                integrity: None,
                size: None,
                format: place.format,
                strip: query.strip(0),
                commands: query.commands(commands),
                proofs: Vec::new(),
            };
            match released.as_ref().filter(|_| has_forge) {
                Some(released) => {
                    let Some((release, asset)) = self.in_release(query, released).await? else {
                        reason.get_or_insert_with(|| {
                            let Released { tag, owner, name, .. } = released;
                            format!("no release {tag} of {owner}/{name} has a package for it")
                        });
                        continue;
                    };
                    (offer.integrity, offer.proofs) =
                        vouched(&self.forge, query, &release, &asset).await?;
                    offer.size = asset.size;
                    offer.location = self.forge.locations(query, &asset).await?.swap_remove(0);
                }
                // Names by habit are too many to be asked for one by one.
                None if usual => {
                    reason.get_or_insert_with(|| {
                        "the crate says no `pkg-url`, and what its releases have is only told by \
                         an API (GITHUB_API_URL)"
                            .to_owned()
                    });
                    continue;
                }
                None if only || self.exists(query, &offer.location).await? => {}
                None => {
                    reason.get_or_insert_with(|| format!("its source has no `{}`", offer.file));
                    continue;
                }
            }
            return Ok(Offer::Artifact(Box::new(offer)));
        }
        let reason = reason.unwrap_or_else(|| "the crate publishes no package for it".to_owned());
        Ok(Offer::Unavailable { reason })
    }

    async fn locate(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let gone = || query.file_gone(version, file);
        if let Some((repo, tag, name)) = Repo::release_file(file)
            && self.has_forge(query).await?
        {
            let found = self.forge.locate(query, repo, tag, name).await?;
            return if found.is_empty() { Err(gone()) } else { Ok(found) };
        }
        let manifest = self.manifest(query, version).await?;
        let (places, _) = self.places(query, &manifest, platform)?;
        let mut found = Vec::new();
        for place in places {
            if file_of(&place.url).as_deref() == Some(file) {
                found.push(self.access.direct(query, place.url)?);
            }
        }
        if found.is_empty() { Err(gone()) } else { Ok(found) }
    }

    async fn locate_elsewhere(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        if let Some((repo, tag, name)) = Repo::release_file(file)
            && self.has_forge(query).await?
        {
            return self.forge.locate_elsewhere(query, repo, tag, name).await;
        }
        Ok(Vec::new())
    }

    /// When the index says it, else when the release was published that has this machine's package.
    async fn published(
        &self,
        query: &Query<'_>,
        version: &Version,
    ) -> Result<Option<jiff::Timestamp>> {
        let listed = self.listed(query).await?;
        let one = listed.iter().find(|one| one.version == version.as_str());
        if let Some(at) = one.and_then(|one| one.published) {
            return Ok(Some(at));
        }
        if !self.has_forge(query).await? {
            return Ok(None);
        }
        let manifest = self.manifest(query, version).await?;
        let (places, _) = self.places(query, &manifest, Platform::host())?;
        for released in places.iter().filter_map(|spot| spot.released.as_ref()) {
            if let Some((release, _)) = self.in_release(query, released).await? {
                return Ok(release.published);
            }
        }
        Ok(None)
    }
}

/// For `fuzz/`: documents of a registry, and a crate.
pub(super) fn fuzz(choice: u8, bytes: &[u8]) {
    match choice % 4 {
        0 => drop(index::versions(bytes)),
        2 => drop(Manifest::of_crate(bytes, "tool", "1.0.0")),
        1 => {
            let checksum = Integrity::sha256_of(bytes);
            let version = "1.0.0".to_owned();
            let one = Published { version, yanked: false, published: None, checksum };
            let _ = index::download(bytes, "tool", &one);
        }
        _ => {
            let text = String::from_utf8_lossy(bytes);
            let files = ["src/main.rs".to_owned(), "src/bin/other.rs".to_owned()];
            let Ok(manifest) = Manifest::of_text(&text, &files, "tool", "1.0.0") else { return };
            for target in Platform::ALL.into_iter().flat_map(Target::of) {
                let _ = manifest.places(target);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect("url")
    }

    #[test]
    fn files_of_addresses() {
        for (address, want) in [
            (
                "https://github.invalid/some/tool/releases/download/v1.0/t.tgz",
                "some/tool/releases/v1.0/t.tgz",
            ),
            (
                "https://github.corp.invalid/forge/some/tool/releases/download/cli%2Fv1/t.tgz",
                "some/tool/releases/cli/v1/t.tgz",
            ),
            ("https://other.invalid/some/tool/releases/download/v1/t.tgz", "t.tgz"),
            ("https://files.invalid/a/t-1.0.zip?x=y", "t-1.0.zip"),
            ("https://files.invalid/a/t-1.0.zip/download", "t-1.0.zip"),
        ] {
            assert_eq!(file_of(&url(address)).as_deref(), Some(want), "{address}");
        }
        assert_eq!(file_of(&url("https://files.invalid/")), None);
        assert_eq!(Released::of(&url("https://github.invalid/releases/download/v1/t")), None);
    }
}
