//! Ecosystems that provide artifacts, behind one trait.
//!
//! A source lists versions, describes the artifact of a version for a platform, and says where a
//! locked file lies now. Sources know no store and no lock file; they never unpack anything.
//! [`Sources`] makes all of them and finds where each is served on this machine, which may be
//! several places ([`mirrors`]); what an index says is read by pure functions over bytes. Invariant: credentials only go to the host that
//! they are configured for, and no hash weaker than SHA-256 is ever offered.

mod access;
mod aqua;
mod choose;
mod crates;
mod deb;
mod diagnose;
pub mod error;
mod forge;
#[doc(hidden)]
pub mod fuzzing;
mod github;
mod go;
mod log;
mod memo;
mod mirrors;
mod npm;
mod oci;
mod path;
mod pypi;
mod signed;
mod sources;
mod url;

use std::collections::BTreeMap;
use std::path::PathBuf;

use ::url::Url;
use async_trait::async_trait;

pub use choose::choose_version;
pub use deb::repositories as deb_repositories;
pub use error::{Error, NoVersion, Result, Subject};
pub use sources::{Setup, Sources};

use crate::archive::Format;
use crate::base::{
    Algorithm, CommandName, DepName, Integrity, Platform, RelPath, Secret, SourceKind, Version,
};
use crate::lock::model::{Definition, Linking, Proof};
use crate::profile::model::Requirement;
use crate::provenance::{Evidence, Trust};

/// One ecosystem.
#[async_trait]
pub trait Source: Send + Sync {
    /// Which one.
    fn kind(&self) -> SourceKind;

    /// Every version it publishes, in no particular order.
    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>>;

    /// What it has for a platform at a version.
    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer>;

    /// The registry's file that says what is fetched, to be locked beside the version. Most
    /// ecosystems have none.
    async fn definition(&self, _query: &Query<'_>) -> Result<Option<Definition>> {
        Ok(None)
    }

    /// Whether it only took an offered file to be for its platform's C library, since nobody said
    /// so: neither the publisher, in metadata or the file's name, nor the profile. When the file's
    /// own headers then say otherwise, it is no lie and the platform has nothing.
    fn guesses_libc(&self, _query: &Query<'_>, _file: &str) -> bool {
        false
    }

    /// Where a locked file lies now, best first; never empty.
    async fn locate(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>>;

    /// Where else it may lie, at places that [`Source::locate`] did not need to ask; for when what
    /// those gave proved wrong or was not there. May repeat what `locate` gave.
    async fn locate_elsewhere(
        &self,
        _query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        _file: &str,
    ) -> Result<Vec<Location>> {
        Ok(Vec::new())
    }

    /// Who signed a file, as far as the source or the profile says where that is found. Nothing of
    /// it is verified here. A source that has none, or whose mirror serves none, answers with
    /// none; one that cannot be asked is an error.
    async fn evidence(&self, _asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        Ok(Vec::new())
    }

    /// When a version was published; `None` when the source does not say.
    async fn published(
        &self,
        _query: &Query<'_>,
        _version: &Version,
    ) -> Result<Option<jiff::Timestamp>> {
        Ok(None)
    }
}

/// A file that evidence is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The dep.
    pub query: &'a Query<'a>,
    /// Its version.
    pub version: &'a Version,
    /// The platform that the file is for.
    pub platform: Platform,
    /// Its name in the source, as in the lock.
    pub file: &'a str,
    /// Hashes of its bytes; at least the locked one.
    pub digests: &'a [Integrity],
    /// Whose logs are asked for what publishers leave out.
    pub trust: &'a Trust,
}

impl Asked<'_> {
    /// The hash of an algorithm, where it is known.
    fn digest(&self, algorithm: Algorithm) -> Option<&Integrity> {
        self.digests.iter().find(|digest| digest.algorithm() == algorithm)
    }
}

/// What is asked of a source.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// The dep's project-local name, for messages.
    pub dep: &'a DepName,
    /// What the profile says of it.
    pub requirement: &'a Requirement,
    /// The registry's file that it is locked with, for sources that have such; the newest one
    /// otherwise.
    pub definition: Option<&'a Definition>,
}

impl<'a> Query<'a> {
    /// What a profile asks, by what is published now.
    pub fn new(dep: &'a DepName, requirement: &'a Requirement) -> Self {
        Self { dep, requirement, definition: None }
    }
}

/// Whether a file's name has a word for a C library: then its publisher says for which it is.
fn names_libc(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file).to_ascii_lowercase();
    let mut words = name.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|word| ["musl", "gnu", "glibc", "alpine", "musllinux", "manylinux"].contains(&word))
}

impl Query<'_> {
    /// The package's name in the ecosystem.
    pub fn package(&self) -> &str {
        self.requirement.from.package()
    }

    /// The version is not there, or not any more.
    fn version_gone(&self, version: &Version) -> Error {
        Error::VersionGone { subject: self.subject(), version: version.clone() }
    }

    /// A file of a version is not there, or not any more.
    fn file_gone(&self, version: &Version, file: &str) -> Error {
        let (version, file) = (version.clone(), file.to_owned());
        Error::FileGone { subject: self.subject(), version, file }
    }

    /// Whom an error is about.
    fn subject(&self) -> Box<Subject> {
        Box::new(Subject { dep: self.dep.clone(), from: self.requirement.from.clone() })
    }

    /// The commands that the profile lists, else what the source's packages usually do.
    fn commands(&self, habit: Commands) -> Commands {
        if self.requirement.bin.is_empty() {
            habit
        } else {
            Commands::Named(self.requirement.bin.clone())
        }
    }

    /// The components to strip that the profile says, else the source's habit.
    fn strip(&self, habit: u8) -> u8 {
        self.requirement.strip.unwrap_or(habit)
    }
}

/// A published version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its version.
    pub version: Version,
    /// Withdrawn by its publisher: only chosen when an exact requirement names it.
    pub yanked: bool,
    /// Marked as a pre-release by its publisher, whatever its version looks like: only chosen when
    /// an exact requirement names it.
    pub prerelease: bool,
}

impl Candidate {
    /// A version that its publisher says nothing special of.
    pub fn new(version: Version) -> Self {
        Self { version, yanked: false, prerelease: false }
    }
}

/// What a source has for a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offer {
    /// A file to fetch and unpack.
    Artifact(Box<ArtifactOffer>),
    /// Several files, each laid over those before it.
    Stack(Box<StackOffer>),
    /// A directory that already lies on this machine.
    Directory {
        /// Where, relative to the project.
        path: PathBuf,
        /// Which files are commands.
        commands: Commands,
    },
    /// A command that is built here, from modules.
    Build(Box<BuildOffer>),
    /// Nothing.
    Unavailable {
        /// Why, naming what there is instead.
        reason: String,
    },
}

/// A file a source serves for a platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArtifactOffer {
    /// Its name in the source, as [`Source::locate`] takes it back.
    pub file: String,
    /// Where it lies now.
    pub location: Location,
    /// The hash the source publishes.
    pub integrity: Option<Integrity>,
    /// Its size in bytes where the source says it.
    pub size: Option<u64>,
    /// How it is unpacked.
    pub format: Format,
    /// Leading path components dropped when unpacking.
    pub strip: u8,
    /// Which files are commands.
    pub commands: Commands,
    /// What vouches for the hash.
    pub proofs: Vec<Proof>,
}

/// Several files that are one tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackOffer {
    /// The first; commands and proofs are those of the whole tree.
    pub first: ArtifactOffer,
    /// What is laid over it, in this order.
    pub with: Vec<Layer>,
    /// How programs and libraries of the tree are told where they find each other.
    pub linking: Option<Linking>,
    /// Whether the source promises that it runs on the platform. Where it does not (an index of
    /// images knows no libc), a contradiction only means that the platform has nothing.
    pub promised: bool,
}

impl From<ArtifactOffer> for StackOffer {
    fn from(first: ArtifactOffer) -> Self {
        Self { first, with: Vec::new(), linking: None, promised: true }
    }
}

/// A file that is laid over others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Its name in the source, as [`Source::locate`] takes it back.
    pub file: String,
    /// Where it lies now.
    pub location: Location,
    /// Its hash.
    pub integrity: Integrity,
    /// Its size in bytes where the source says it.
    pub size: Option<u64>,
    /// How it is unpacked.
    pub format: Format,
    /// Leading path components dropped when unpacking.
    pub strip: u8,
}

/// How a command is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildOffer {
    /// The version as the ecosystem's own tools take it (`v1.2.3`).
    pub version: String,
    /// The module that has the package at this version.
    pub module: String,
    /// What to hand to the tool that looks modules up when locking.
    pub network: crate::build::Network,
    /// Which modules the checksum database does not vouch for: patterns; `None` when it is not
    /// asked.
    pub unknown_to_database: Option<String>,
}

/// Which files of a tree are commands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Commands {
    /// Exactly these.
    Named(BTreeMap<CommandName, RelPath>),
    /// A wheel's: executables in `*.data/scripts/`, else in a package's `bin/`.
    Wheel,
    /// Every executable file in `bin/`, else at the top of the tree.
    Found,
    /// Those of a package of the system: every executable file in `bin/`, `sbin/`, `usr/bin/`,
    /// `usr/sbin/` and `usr/games/`.
    System,
    /// Those of an image: what its usual `PATH` finds, else executables at the top.
    Image,
}

/// Where a file can be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// Its URL, without credentials; print it through [`Location::shown`].
    pub url: Url,
    /// `Authorization` header for it, if the source's credentials may go there.
    pub authorization: Option<Secret>,
    /// `Accept` header, where the server sends the file only for a certain one.
    pub accept: Option<&'static str>,
}

impl Location {
    /// The URL without user, password, query and fragment.
    pub fn shown(&self) -> String {
        crate::http::shown(&self.url)
    }
}
