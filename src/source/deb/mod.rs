//! Packages of Debian-style repositories, as this machine's apt is configured or a profile says.
//!
//! Owns which package a platform gets: `amd64` and `arm64` for Linux with glibc, nothing elsewhere.
//! Refuses repositories that no trusted key signed, and indexes past their date, whatever apt is
//! told to tolerate. No script of a package is ever run. Dependencies are looked at only where a
//! profile asks for the closure ([`closure`]): what a program needs of the host is in its pin. Invariant: every hash offered follows, link by link,
//! from a signature that was verified in this process. Which versions there are may be known from an
//! earlier one ([`told`]); nothing else is.

mod closure;
mod packages;
mod release;
#[cfg(feature = "deb")]
mod signature;
mod suite;
mod told;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::join_all;

use self::packages::Package;
use self::release::Release;
use self::suite::Suite;
use super::access::Access;
use super::memo::Memo;
use super::{
    ArtifactOffer, Candidate, Commands, Error, Layer, Location, Offer, Query, Result, Source,
    StackOffer, choose,
};
use crate::archive::Format;
use crate::base::{Arch, Libc, Os, Platform, SourceKind, Version};
use crate::config::ecosystem::apt::{self, Instead, Repository};
use crate::config::{self, Environ};
use crate::lock::model::{Linking, Proof};
use crate::profile::model::SourceOverride;

/// The source.
pub(super) struct Deb {
    access: Arc<Access>,
    repositories: Memo<(), Vec<Repository>>,
    /// By position of the repository.
    releases: Memo<usize, Release>,
    /// `None` where there is no such list.
    lists: Memo<ListKey, Option<Vec<u8>>>,
}

/// Position of the repository, component, architecture.
type ListKey = (usize, Option<String>, &'static str);

/// A list that a verified index names.
struct Named {
    /// Position of the repository.
    at: usize,
    release: Arc<Release>,
    component: Option<String>,
    architecture: &'static str,
}

/// A list and the position of its repository.
struct One {
    at: usize,
    list: Arc<Option<Vec<u8>>>,
    not_automatic: bool,
}

/// A package and the position of the repository that has it.
struct Found {
    at: usize,
    package: Package,
}

impl Deb {
    pub(super) fn new(access: Arc<Access>) -> Self {
        let (repositories, releases, lists) = (Memo::new(), Memo::new(), Memo::new());
        Self { access, repositories, releases, lists }
    }

    async fn repositories(&self, query: &Query<'_>) -> Result<Arc<Vec<Repository>>> {
        let find = async {
            let chosen = self.access.overrides.get(&SourceKind::Deb);
            repositories(chosen, &self.access.environ, &self.access.project)
                .map_err(|e| Error::Endpoint { subject: query.subject(), source: Box::new(e) })
        };
        self.repositories.get((), find).await
    }

    /// Every package of the query's name for an architecture, in the order of the repositories.
    async fn find(&self, query: &Query<'_>, architecture: &'static str) -> Result<Vec<Found>> {
        let name = query.package();
        if !is_name(name) {
            return Err(Error::PackageName { subject: query.subject() });
        }
        let mut out = Vec::new();
        let repositories = self.repositories(query).await?;
        for One { at, list, .. } in self.lists(query, architecture).await? {
            let Some(list) = list.as_ref() else { continue };
            let found = packages::find(list, name)
                .map_err(|why| malformed(query, &repositories[at], why))?;
            out.extend(found.into_iter().map(|package| Found { at, package }));
        }
        Ok(out)
    }

    /// The lists for an architecture, in the order of the repositories. Their indexes are asked for
    /// at the same time.
    async fn named(&self, query: &Query<'_>, architecture: &'static str) -> Result<Vec<Named>> {
        let repositories = self.repositories(query).await?;
        let each = repositories.iter().enumerate().map(|(at, repository)| {
            let suite = Suite { access: &self.access, repository };
            async move { self.releases.get(at, suite.release(query)).await }
        });
        let mut out = Vec::new();
        for (at, release) in join_all(each).await.into_iter().enumerate() {
            let release = release?;
            let components: Vec<Option<String>> = match repositories[at].components.as_slice() {
                [] => vec![None],
                some => some.iter().cloned().map(Some).collect(),
            };
            for component in components {
                for architecture in [architecture, "all"] {
                    if !release.has_list(architecture) {
                        continue;
                    }
                    let (release, component) = (Arc::clone(&release), component.clone());
                    let is_flat = component.is_none();
                    out.push(Named { at, release, component, architecture });
                    // A flat repository has one list for everything.
                    if is_flat {
                        break;
                    }
                }
            }
        }
        Ok(out)
    }

    /// A list itself.
    async fn list(&self, query: &Query<'_>, named: &Named) -> Result<Arc<Option<Vec<u8>>>> {
        let repositories = self.repositories(query).await?;
        let suite = Suite { access: &self.access, repository: &repositories[named.at] };
        let component = named.component.as_deref();
        let fetch = suite.list(query, &named.release, component, named.architecture);
        let key = (named.at, named.component.clone(), named.architecture);
        self.lists.get(key, fetch).await
    }

    /// Every list for an architecture, in the order of the repositories.
    async fn lists(&self, query: &Query<'_>, architecture: &'static str) -> Result<Vec<One>> {
        let mut out = Vec::new();
        for named in self.named(query, architecture).await? {
            let list = self.list(query, &named).await?;
            out.push(One { at: named.at, list, not_automatic: named.release.not_automatic });
        }
        Ok(out)
    }

    /// The versions of the query's package for an architecture, and whether each is only taken when
    /// it is named.
    async fn known(
        &self,
        query: &Query<'_>,
        architecture: &'static str,
    ) -> Result<Vec<(Version, bool)>> {
        let name = query.package();
        if !is_name(name) {
            return Err(Error::PackageName { subject: query.subject() });
        }
        let mut out = Vec::new();
        for named in self.named(query, architecture).await? {
            let not_automatic = named.release.not_automatic;
            let signed = named.release.list(named.component.as_deref(), named.architecture);
            let Some(signed) = signed else { continue };
            let client = &self.access.client;
            let versions = match told::get(client, signed, name) {
                Some(versions) => versions,
                None => {
                    let list = self.list(query, &named).await?;
                    let Some(list) = list.as_ref() else { continue };
                    let repositories = self.repositories(query).await?;
                    let found = packages::find(list, name)
                        .map_err(|why| malformed(query, &repositories[named.at], why))?;
                    let versions: Vec<Version> =
                        found.into_iter().map(|package| package.version).collect();
                    told::put(client, signed, name, &versions);
                    versions
                }
            };
            out.extend(versions.into_iter().map(|version| (version, not_automatic)));
        }
        Ok(out)
    }

    /// What a package depends on, as layers over it.
    async fn closure(
        &self,
        query: &Query<'_>,
        package: &Package,
        architecture: &'static str,
    ) -> Result<Vec<Layer>> {
        let lists = self.lists(query, architecture).await?;
        let automatic = lists.iter().filter(|one| !one.not_automatic);
        let indexes: Vec<closure::Index<'_>> = automatic
            .filter_map(|one| Some(closure::Index::of(one.list.as_ref().as_ref()?, one.at)))
            .collect();
        let repositories = self.repositories(query).await?;
        let found =
            closure::closure(&indexes, package, architecture).map_err(|flaw| match flaw {
                closure::Flaw::Malformed(at, why) => malformed(query, &repositories[at], why),
                closure::Flaw::Missing(missing) => Error::Closure {
                    subject: query.subject(),
                    package: missing.package,
                    needs: missing.needs,
                },
            })?;
        Ok(found
            .into_iter()
            .map(|(at, package)| Layer {
                location: suite::files(&repositories[at], &package.file).swap_remove(0),
                file: package.file,
                integrity: package.integrity,
                size: Some(package.size),
                format: Format::Deb,
                strip: query.strip(0),
            })
            .collect())
    }
}

fn malformed(query: &Query<'_>, repository: &Repository, why: String) -> Error {
    Error::Malformed { subject: query.subject(), url: repository.base.value.to_string(), why }
}

/// The repositories that `deb:` looks into: the one that a profile says, else those of apt.
///
/// # Errors
/// There is none, or apt's configuration cannot be read.
pub fn repositories(
    chosen: Option<&SourceOverride>,
    environ: &Environ,
    project: &Path,
) -> std::result::Result<Vec<Repository>, config::Error> {
    let instead = chosen.and_then(|chosen| {
        Some(Instead {
            url: chosen.url.clone()?,
            mirrors: chosen.mirrors.clone(),
            suite: chosen.suite.clone().unwrap_or_default(),
            components: chosen.components.clone(),
            signed_by: chosen.signed_by.as_ref().map(|path| path.under(project)),
        })
    });
    apt::repositories(instead, environ, project)
}

#[async_trait]
impl Source for Deb {
    fn kind(&self) -> SourceKind {
        SourceKind::Deb
    }

    /// An architecture of Debian says nothing of a C library.
    fn guesses_libc(&self, _query: &Query<'_>, _file: &str) -> bool {
        true
    }

    /// Those of this machine's architecture; of the other one where it has none. The lists are
    /// large, so that no more of them are fetched than an answer needs, and none is read again that
    /// has told before ([`told`]): a version that is chosen is looked up in the lists themselves.
    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let (first, second) = match Platform::host().arch() {
            Arch::X86_64 => ("amd64", "arm64"),
            Arch::Aarch64 => ("arm64", "amd64"),
        };
        let mut found = self.known(query, first).await?;
        if found.is_empty() {
            found = self.known(query, second).await?;
        }
        if found.is_empty() {
            let shown: Vec<_> = self
                .repositories(query)
                .await?
                .iter()
                .map(|r| crate::http::shown(&r.base.value))
                .collect();
            return Err(Error::UnknownPackage {
                subject: query.subject(),
                url: shown.join("`, `"),
            });
        }
        let named = choose::is_exact(&query.requirement.version);
        let versions: BTreeMap<Version, ()> = found
            .into_iter()
            .filter(|(_, not_automatic)| named || !not_automatic)
            .map(|(version, _)| (version, ()))
            .collect();
        Ok(versions.into_keys().map(Candidate::new).collect())
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        let Some(architecture) = architecture(platform) else {
            let reason = "Debian packages are for Linux with glibc".to_owned();
            return Ok(Offer::Unavailable { reason });
        };
        let found = self.find(query, architecture).await?;
        // One architecture's package may have been rebuilt without a change: `+b1`.
        let wanted = packages::without_rebuild(version.as_str());
        let same = |one: &&Found| packages::without_rebuild(one.package.version.as_str()) == wanted;
        let exact = found.iter().find(|one| one.package.version == *version);
        let best = exact.or_else(|| {
            let mut best: Option<&Found> = None;
            for one in found.iter().filter(same) {
                if best.is_none_or(|best| best.package.version < one.package.version) {
                    best = Some(one);
                }
            }
            best
        });
        let Some(Found { at, package, .. }) = best else {
            let reason = match found.iter().map(|one| &one.package.version).max() {
                Some(newest) => format!("for {architecture} there is only {newest}"),
                None => format!("the repositories have no package for {architecture}"),
            };
            return Ok(Offer::Unavailable { reason });
        };
        let repositories = self.repositories(query).await?;
        let first = ArtifactOffer {
            location: suite::files(&repositories[*at], &package.file).swap_remove(0),
            file: package.file.clone(),
            integrity: Some(package.integrity.clone()),
            size: Some(package.size),
            format: Format::Deb,
            strip: query.strip(0),
            commands: query.commands(Commands::System),
            proofs: vec![Proof::SignedRelease],
        };
        if !query.requirement.closure {
            return Ok(Offer::Artifact(Box::new(first)));
        }
        let with = self.closure(query, package, architecture).await?;
        let linking = Some(Linking::Origin);
        Ok(Offer::Stack(Box::new(StackOffer { first, with, linking, promised: true })))
    }

    /// Below every repository, without a look at an index: a package's path does not change as long
    /// as a repository has it, and archives keep it when no index lists it any more. What it must
    /// be is in the lock.
    async fn locate(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let mut out: Vec<Location> = Vec::new();
        for repository in self.repositories(query).await?.iter() {
            for location in suite::files(repository, file) {
                if !out.contains(&location) {
                    out.push(location);
                }
            }
        }
        Ok(out)
    }
}

/// Debian's word for a platform.
fn architecture(platform: Platform) -> Option<&'static str> {
    match (platform.os(), platform.libc(), platform.arch()) {
        (Os::Linux, Some(Libc::Glibc), Arch::X86_64) => Some("amd64"),
        (Os::Linux, Some(Libc::Glibc), Arch::Aarch64) => Some("arm64"),
        _ => None,
    }
}

/// Debian Policy 5.6.7.
fn is_name(name: &str) -> bool {
    let good = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b);
    name.len() >= 2
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(good)
}

/// For `fuzz/`: the texts of a repository.
pub(super) fn fuzz(text: &[u8]) {
    let _ = release::Release::parse(&String::from_utf8_lossy(text));
    let Ok(found) = packages::find(text, "x") else { return };
    let indexes = [closure::Index::of(text, 0)];
    for root in &found {
        let _ = closure::closure(&indexes, root, "amd64");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_architectures() {
        for (name, good) in [
            ("hello", true),
            ("g++-12", true),
            ("7zip", true),
            ("Hello", false),
            ("a", false),
            ("-a", false),
            ("a/b", false),
            ("a\nb", false),
        ] {
            assert_eq!(is_name(name), good, "{name}");
        }
        let words = Platform::ALL.map(|p| architecture(p).unwrap_or("-"));
        assert_eq!(words, ["-", "arm64", "-", "-", "-", "amd64", "-", "-"]);
    }
}
