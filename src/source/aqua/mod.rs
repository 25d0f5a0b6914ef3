//! What the Aqua registry defines: for thousands of programs, which file a platform gets.
//!
//! ```text
//! registry (which state) ── yaml ── definition (which overrides) ── render (which file) ── offer
//!                                        └ constraint                 ├ template
//!                                                                     └ evidence ── vouch (its signatures) ── signatures
//! ```
//!
//! Owns nothing of releases: [`super::forge`] does. Refuses to guess: which file a platform gets is
//! the definition's word alone, and emulation is none. Invariant: the lock names the state of the
//! registry and the hash of the definition, so that the same file is found again.

mod constraint;
mod definition;
mod evidence;
mod registry;
mod render;
mod signatures;
mod template;
mod vouch;
mod yaml;

use std::collections::BTreeMap;
use std::sync::Arc;

use ::url::Url;
use async_trait::async_trait;

use self::registry::{Found, Registry};
use self::render::{Checksum, File, Outcome, Place, Render, SideFile};
use self::yaml::Flaw;
use super::access::Access;
use super::forge::{self, Forge, Release, Repo};
use super::log::Logs;
use super::memo::Memo;
use super::url::exact;
use super::{
    ArtifactOffer, Asked, Candidate, Commands, Error, Location, Offer, Query, Result, Source,
    StackOffer,
};
use crate::base::{Arch, Integrity, Libc, Os, Platform, SourceKind, Version};
use crate::lock::model::{Definition as Locked, Proof};
use crate::provenance::Evidence;

/// The source.
pub(super) struct Aqua {
    access: Arc<Access>,
    forge: Arc<Forge>,
    registry: Registry,
    logs: Logs,
    /// By state, package and requirement.
    versions: Memo<(String, String, String), BTreeMap<Version, Tagged>>,
}

/// A version's tag.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Tagged {
    tag: String,
    prerelease: bool,
    /// When its release was published; tags alone have no such date.
    published: Option<jiff::Timestamp>,
}

impl Aqua {
    /// Asks nothing yet.
    pub(super) fn new(access: Arc<Access>, forge: Arc<Forge>) -> Self {
        let registry = Registry::new(Arc::clone(&access), Arc::clone(&forge));
        Self { access, forge, registry, logs: Logs::default(), versions: Memo::new() }
    }

    /// Every version of the package that has a file, by the filters of its definition.
    async fn versions_of(
        &self,
        query: &Query<'_>,
        found: &Found,
    ) -> Result<Arc<BTreeMap<Version, Tagged>>> {
        let wanted = query.requirement.version.as_str().to_owned();
        let key = (found.locked.revision.clone(), query.package().to_owned(), wanted);
        self.versions.get(key, self.listed_versions(query, found)).await
    }

    async fn listed_versions(
        &self,
        query: &Query<'_>,
        found: &Found,
    ) -> Result<BTreeMap<Version, Tagged>> {
        let refused = |flaw: Flaw| self.refused(query, found, flaw);
        let definition = &found.definition;
        let text = |key| definition.text(key).map_err(refused);
        let (Some(owner), Some(name)) = (text("repo_owner")?, text("repo_name")?) else {
            // Nobody lists the versions of what has no repository.
            let wanted = &query.requirement.version;
            let Some(version) = exact(wanted) else {
                let wanted = wanted.clone();
                return Err(Error::NotExact { subject: query.subject(), wanted });
            };
            let tag = wanted.as_str().trim().trim_start_matches('=').trim().to_owned();
            return Ok([(version, Tagged { tag, prerelease: false, published: None })].into());
        };
        let repo = self.repo(query, found, owner, name)?;
        let mut out: BTreeMap<Version, Tagged> = BTreeMap::new();
        let mut add = |tag: &str, prerelease: bool, published: Option<jiff::Timestamp>| {
            if let Some(text) = definition.version_in(tag).map_err(refused)?
                && let Some(version) = version(text)
            {
                let tagged = Tagged { tag: tag.to_owned(), prerelease, published };
                let place = out.entry(version).or_insert_with(|| tagged.clone());
                // `v1.0` and `1.0` beside each other: the greater text, whatever the order.
                if place.tag.as_str() < tag {
                    *place = tagged;
                }
            }
            Ok::<_, Error>(())
        };
        if text("version_source")? == Some("github_tag") {
            for tag in self.forge.tags(query, repo).await?.iter() {
                add(tag, false, None)?;
            }
            return Ok(out);
        }
        if let Some((version, release)) = self.pinned(query, found, repo).await? {
            let Release { tag, prerelease, published, .. } = release;
            return Ok([(version, Tagged { tag, prerelease, published })].into());
        }
        for release in self.forge.list(query, repo).await?.iter() {
            add(&release.tag, release.prerelease, release.published)?;
        }
        Ok(out)
    }

    /// The release of a version that the profile pins, so that not all have to be read.
    async fn pinned(
        &self,
        query: &Query<'_>,
        found: &Found,
        repo: Repo<'_>,
    ) -> Result<Option<(Version, Release)>> {
        let wanted = &query.requirement.version;
        let Some(version) = exact(wanted).filter(|_| wanted.as_str().trim().starts_with('='))
        else {
            return Ok(None);
        };
        let prefixes = found.definition.prefixes().map_err(|f| self.refused(query, found, f))?;
        for prefix in prefixes {
            for tag in [format!("{prefix}v{version}"), format!("{prefix}{version}")] {
                let is_ours = found.definition.version_in(&tag);
                if is_ours.map_err(|f| self.refused(query, found, f))?.is_none() {
                    continue;
                }
                if let Some(there) = self.forge.by_tag(query, repo, &tag).await?.as_ref() {
                    return Ok(Some((version, there.release.clone())));
                }
            }
        }
        Ok(None)
    }

    fn repo<'a>(
        &self,
        query: &Query<'_>,
        found: &Found,
        owner: &'a str,
        name: &'a str,
    ) -> Result<Repo<'a>> {
        Repo::new(owner, name).ok_or_else(|| {
            let why = format!("`{owner}/{name}` is no repository");
            self.refused(query, found, Flaw::new(found.definition.line(), why))
        })
    }

    fn refused(&self, query: &Query<'_>, found: &Found, flaw: Flaw) -> Error {
        registry::flawed(query, &found.locked.file, flaw)
    }

    /// What the definition says for a tag and platform.
    fn outcome(
        &self,
        query: &Query<'_>,
        found: &Found,
        tag: &str,
        platform: Platform,
    ) -> Result<Outcome> {
        let refused = |flaw: Flaw| self.refused(query, found, flaw);
        let at = found.definition.at(tag).map_err(refused)?;
        let elsewhere = Render::new(&at, tag, platform).elsewhere().map_err(refused)?;
        if let Some((made_by, instead)) = elsewhere {
            return Err(Error::Elsewhere { subject: query.subject(), made_by, instead });
        }
        let on = at.on(definition::Runtime::of(platform)).map_err(refused)?;
        let outcome = Render::new(&on, tag, platform).outcome().map_err(refused)?;
        Ok(match outcome {
            // On this platform alone.
            Outcome::Elsewhere { kind, instead } => {
                Outcome::None(format!("it is made by `{kind}` here; `{instead}` may serve"))
            }
            other => other,
        })
    }

    /// A repository's release of a tag.
    async fn release(
        &self,
        query: &Query<'_>,
        found: &Found,
        repo: Repo<'_>,
        tag: &str,
    ) -> Result<Option<Release>> {
        let definition = &found.definition;
        let own = (definition.text("repo_owner"), definition.text("repo_name"));
        let listed = own == (Ok(Some(repo.owner)), Ok(Some(repo.name)))
            && definition.text("version_source") != Ok(Some("github_tag"))
            && exact(&query.requirement.version).is_none();
        if listed {
            // It was read for the versions.
            let all = self.forge.list(query, repo).await?;
            return Ok(all.iter().find(|release| release.tag == tag).cloned());
        }
        let there = self.forge.by_tag(query, repo, tag).await?;
        Ok(there.as_ref().as_ref().map(|there| there.release.clone()))
    }

    /// The hash in a checksum file; why the platform has none otherwise.
    async fn listed(
        &self,
        query: &Query<'_>,
        found: &Found,
        tag: &str,
        asset: &str,
        checksum: &Checksum,
    ) -> Result<std::result::Result<(Url, Integrity), String>> {
        let (text, url) = match &checksum.at {
            SideFile::Release { repo, asset } => {
                let repo = self.parsed(query, found, repo)?;
                let release = self.release(query, found, repo, tag).await?;
                let Some(file) = release.as_ref().and_then(|release| release.asset(asset)) else {
                    return Ok(Err(format!("release {tag} has no checksum file `{asset}`")));
                };
                (self.forge.text(query, file).await?, file.web.clone())
            }
            SideFile::Url(url) => {
                let at = self.direct(query, found, url)?;
                (self.forge.text_at(query, &at).await?, at.url)
            }
        };
        let shown = crate::http::shown(&url);
        let Some(text) = text.as_ref() else {
            return Ok(Err(format!("the server has no checksum file `{shown}`")));
        };
        let hash = checksum.sums.find(text, asset).map_err(|why| {
            let (subject, file) = (query.subject(), asset.to_owned());
            Error::Checksum { subject, url: shown, file, why }
        })?;
        Ok(Ok((url, hash)))
    }

    fn parsed<'a>(&self, query: &Query<'_>, found: &Found, repo: &'a str) -> Result<Repo<'a>> {
        let (owner, name) = repo.split_once('/').unwrap_or((repo, ""));
        self.repo(query, found, owner, name)
    }

    /// An address that a definition gives in full.
    fn direct(&self, query: &Query<'_>, found: &Found, text: &str) -> Result<Location> {
        let refused = |why: String| {
            self.refused(
                query,
                found,
                Flaw::new(found.definition.line(), format!("`{text}`: {why}")),
            )
        };
        let url: Url = text.parse().map_err(|e: ::url::ParseError| refused(e.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.username().is_empty() {
            return Err(refused("it is no plain http or https address".to_owned()));
        }
        self.access.direct(query, url)
    }

    async fn offered(
        &self,
        query: &Query<'_>,
        found: &Found,
        tag: &str,
        platform: Platform,
        file: File,
    ) -> Result<Offer> {
        let File { place, asset, format, commands, checksum } = file;
        let unavailable = |reason: String| Ok(Offer::Unavailable { reason });
        let (mut digest, mut size) = (None, None);
        let (name, location) = match &place {
            Place::Release { repo: name } => {
                let repo = self.parsed(query, found, name)?;
                let Some(release) = self.release(query, found, repo, tag).await? else {
                    return unavailable(format!("`{name}` has no release {tag}"));
                };
                let Some(there) = release.asset(&asset) else {
                    return unavailable(format!("release {tag} has no file `{asset}`"));
                };
                (digest, size) = (there.digest.clone(), there.size);
                let location = self.forge.locations(query, there).await?.swap_remove(0);
                (format!("{name}/releases/{tag}/{asset}"), location)
            }
            Place::Content { repo: name, path } => {
                let repo = self.parsed(query, found, name)?;
                let mut locations = self.forge.contents(query, repo, path, tag).await?;
                let location = locations.swap_remove(0);
                (format!("{name}/contents/{}/{path}", tag.replace('/', "%2F")), location)
            }
            Place::Archive { repo: name } => {
                let repo = self.parsed(query, found, name)?;
                let location = self.forge.archive(query, repo, tag).await?;
                (format!("{name}/archive/{tag}.tar.gz"), location)
            }
            Place::Url(url) => (format!("url/{tag}/{asset}"), self.direct(query, found, url)?),
        };
        let listed = match &checksum {
            None => None,
            Some(checksum) => match self.listed(query, found, tag, &asset, checksum).await? {
                Ok(listed) => Some(listed),
                // The forge's own digest vouches for the file as well.
                Err(_) if digest.is_some() => None,
                Err(why) => return unavailable(why),
            },
        };
        let listed = listed.as_ref().map(|(url, hash)| (url, hash.clone()));
        let (integrity, proofs): (_, Vec<Proof>) =
            forge::agreed(query, &asset, digest.as_ref(), listed)?;
        let first = ArtifactOffer {
            file: name,
            location,
            integrity,
            size,
            format,
            strip: query.strip(0),
            commands: query.commands(Commands::Named(commands)),
            proofs,
        };
        let promised = is_promised(platform);
        Ok(Offer::Stack(Box::new(StackOffer { promised, ..StackOffer::from(first) })))
    }
}

/// Whether a definition's file is meant for just this platform: it names one for Linux, whatever
/// its C library, and may name one build for both of macOS' processors.
fn is_promised(platform: Platform) -> bool {
    platform.libc() != Some(Libc::Musl)
        && (platform.os() == Os::Linux || platform.arch() == Arch::X86_64)
}

/// The version that a tag without its prefix stands for.
fn version(text: &str) -> Option<Version> {
    let bare = text.strip_prefix(['v', 'V']).unwrap_or(text);
    bare.parse().ok().or_else(|| super::github::version_of_tag(text))
}

#[async_trait]
impl Source for Aqua {
    fn kind(&self) -> SourceKind {
        SourceKind::Aqua
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let found = self.registry.find(query).await?;
        let refused = |flaw: Flaw| self.refused(query, &found, flaw);
        if !found.definition.has_files().map_err(refused)? {
            let render = Render::new(&found.definition, "", Platform::host());
            if let Some((made_by, instead)) = render.elsewhere().map_err(refused)? {
                return Err(Error::Elsewhere { subject: query.subject(), made_by, instead });
            }
        }
        let found = self.versions_of(query, &found).await?;
        let candidate = |(version, tagged): (&Version, &Tagged)| Candidate {
            prerelease: tagged.prerelease,
            ..Candidate::new(version.clone())
        };
        Ok(found.iter().map(candidate).collect())
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        let found = self.registry.find(query).await?;
        let versions = self.versions_of(query, &found).await?;
        let Some(tagged) = versions.get(version) else {
            return Err(query.version_gone(version));
        };
        match self.outcome(query, &found, &tagged.tag, platform)? {
            Outcome::File(file) => self.offered(query, &found, &tagged.tag, platform, *file).await,
            Outcome::None(reason) => Ok(Offer::Unavailable { reason }),
            Outcome::Elsewhere { kind, instead } => {
                Err(Error::Elsewhere { subject: query.subject(), made_by: kind, instead })
            }
        }
    }

    async fn definition(&self, query: &Query<'_>) -> Result<Option<Locked>> {
        Ok(Some(self.registry.find(query).await?.locked.clone()))
    }

    async fn locate(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let gone = || query.file_gone(version, file);
        let parts: Vec<&str> = file.splitn(4, '/').collect();
        if let [owner, name, place, rest] = parts[..]
            && let Some(repo) = Repo::new(owner, name)
        {
            match place {
                "releases" => {
                    // Tags may hold slashes, names never do.
                    let (tag, name) = rest.rsplit_once('/').ok_or_else(gone)?;
                    let found = self.forge.locate(query, repo, tag, name).await?;
                    return if found.is_empty() { Err(gone()) } else { Ok(found) };
                }
                "archive" => {
                    let tag = rest.strip_suffix(".tar.gz").ok_or_else(gone)?;
                    return Ok(vec![self.forge.archive(query, repo, tag).await?]);
                }
                "contents" => {
                    let (tag, path) = rest.split_once('/').ok_or_else(gone)?;
                    let tag = tag.replace("%2F", "/");
                    return self.forge.contents(query, repo, path, &tag).await;
                }
                _ => {}
            }
        }
        // Its address is only in the definition.
        let (tag, name) =
            file.strip_prefix("url/").and_then(|rest| rest.rsplit_once('/')).ok_or_else(gone)?;
        let found = self.registry.find(query).await?;
        match self.outcome(query, &found, tag, platform)? {
            Outcome::File(file) => match &file.place {
                Place::Url(url) if file.asset == name => Ok(vec![self.direct(query, &found, url)?]),
                _ => Err(gone()),
            },
            _ => Err(gone()),
        }
    }
    async fn locate_elsewhere(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let parts: Vec<&str> = file.splitn(4, '/').collect();
        match parts[..] {
            [owner, name, "releases", rest] => {
                match (Repo::new(owner, name), rest.rsplit_once('/')) {
                    (Some(repo), Some((tag, name))) => {
                        self.forge.locate_elsewhere(query, repo, tag, name).await
                    }
                    _ => Ok(Vec::new()),
                }
            }
            _ => Ok(Vec::new()),
        }
    }

    async fn evidence(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        self.vouched(asked).await
    }

    async fn published(
        &self,
        query: &Query<'_>,
        version: &Version,
    ) -> Result<Option<jiff::Timestamp>> {
        let found = self.registry.find(query).await?;
        let versions = self.versions_of(query, &found).await?;
        Ok(versions.get(version).and_then(|tagged| tagged.published))
    }
}

/// For `fuzz/`: a file of the registry, for a tag, on every platform.
pub(super) fn fuzz(text: &str) {
    let Ok(document) = yaml::parse(text) else { return };
    let Ok(Some(found)) = definition::find(&document, "owner/name") else { return };
    let _ = (found.has_files(), found.prefixes(), found.version_in("v1.2.3"));
    let Ok(at) = found.at("v1.2.3") else { return };
    for platform in Platform::ALL {
        let Ok(on) = at.on(definition::Runtime::of(platform)) else { continue };
        let render = Render::new(&on, "v1.2.3", platform);
        if let Ok(Outcome::File(file)) = render.outcome()
            && let Some(checksum) = &file.checksum
        {
            let _ = checksum.sums.find(text, &file.asset);
        }
    }
}
