//! Ecosystems that provide artifacts, behind one trait.
//!
//! A source lists versions, describes the artifact of a version for a platform, and says where a
//! locked file lies now. Sources know no store and no lock file; they never unpack anything.
//! [`Sources`] makes all of them and finds where each is served on this machine; what an index
//! says is read by pure functions over bytes. Invariant: credentials only go to the host that
//! they are configured for, and no hash weaker than SHA-256 is ever offered.

mod access;
mod aqua;
mod checksum;
mod choose;
mod crates;
mod deb;
mod diagnose;
pub mod error;
mod forge;
mod github;
mod go;
mod memo;
mod npm;
mod oci;
mod path;
mod pypi;
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
    CommandName, DepName, Integrity, Platform, RelPath, Secret, SourceKind, Version,
};
use crate::lock::model::{Definition, Proof};
use crate::profile::model::Requirement;

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

    /// Whether its offers for a platform are meant for just that platform. Where they are not, a
    /// file that proves to be for another one means that this one has none.
    fn is_sure(&self, _platform: Platform) -> bool {
        true
    }

    /// Where a locked file lies now, best first; never empty.
    async fn locate(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>>;
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

impl Query<'_> {
    /// The package's name in the ecosystem.
    pub fn package(&self) -> &str {
        self.requirement.from.package()
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
    /// A directory that already lies on this machine.
    Directory {
        /// Where, relative to the project.
        path: PathBuf,
        /// Which files are commands.
        commands: Commands,
    },
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
