//! What goes wrong at a source.
//!
//! Invariant: every message names the dep and its package; text of a wrapped error is left to the
//! renderer, which walks `source()`.

use std::fmt;

use crate::base::{DepName, Integrity, Platform, SourceKind, SourceRef, Version, VersionReq};
use crate::{config, fs, http};

/// Whom an error is about: a dep and the package it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The dep's project-local name.
    pub dep: DepName,
    /// Its package.
    pub from: SourceRef,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.from.kind();
        match kind {
            // A template that wrongly holds credentials is refused in a message without them.
            SourceKind::Url => {
                write!(f, "`{}` ({kind}:{})", self.dep, super::url::shown(self.from.package()))
            }
            _ => write!(f, "`{}` ({})", self.dep, self.from),
        }
    }
}

/// What was asked of a source that has nothing acceptable, and what it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoVersion {
    /// Whom for.
    pub subject: Box<Subject>,
    /// What was asked.
    pub wanted: VersionReq,
    /// The newest ones there are, newest first, at most five.
    pub newest: Vec<Version>,
    /// One that would match, had its publisher not withdrawn it.
    pub yanked: Option<Version>,
    /// One that would match, were it no pre-release.
    pub prerelease: Option<Version>,
}

/// A source that failed or has nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The ecosystem's base URL could not be found on this machine.
    #[error("cannot tell where {subject} is served")]
    Endpoint {
        /// Whom for.
        subject: Box<Subject>,
        /// Why.
        source: Box<config::Error>,
    },
    /// A path was given where no base URL is set.
    #[error("the address of {subject} is a path, and there is no base URL to put it below")]
    NoBase {
        /// Whom for.
        subject: Box<Subject>,
    },
    /// A document could not be fetched.
    #[error("cannot look up {subject}")]
    Fetch {
        /// Whom for.
        subject: Box<Subject>,
        /// Why.
        source: Box<http::Error>,
    },
    /// The ecosystem has no packages of such a name.
    #[error("the package of {subject} is not a name that {} has", subject.from.kind())]
    PackageName {
        /// Whom for.
        subject: Box<Subject>,
    },
    /// The index has no such package.
    #[error("there is no package for {subject} at `{url}`")]
    UnknownPackage {
        /// Whom for.
        subject: Box<Subject>,
        /// Where it was looked for, without credentials.
        url: String,
    },
    /// A module that this machine's configuration keeps away from proxies.
    #[error("{subject} is kept away from module proxies by `{pattern}` in GONOPROXY or GOPRIVATE")]
    Private {
        /// Whom for.
        subject: Box<Subject>,
        /// The pattern.
        pattern: String,
    },
    /// No list of versions is served.
    #[error("the versions of {subject} cannot be listed")]
    NoList {
        /// Whom for.
        subject: Box<Subject>,
        /// What the proxy said.
        source: Box<http::Error>,
    },
    /// No published version is acceptable.
    #[error("no version of {} matches `{}`", .0.subject, .0.wanted)]
    NoVersion(Box<NoVersion>),
    /// Several kinds of releases are published side by side.
    #[error("the releases of {subject} are of several kinds")]
    Tags {
        /// Whom for.
        subject: Box<Subject>,
        /// The newest tag of each kind, with `${version}` where its version stands.
        kinds: Vec<String>,
    },
    /// There are releases, but no files to download.
    #[error("no release of {subject} has a file to download")]
    NoAssets {
        /// Whom for.
        subject: Box<Subject>,
    },
    /// Several files of a release are equally good for a platform.
    #[error("version {version} of {subject} has several files for {platform}")]
    Assets {
        /// Whom for.
        subject: Box<Subject>,
        /// The version.
        version: Version,
        /// The platform.
        platform: Platform,
        /// The files.
        candidates: Vec<String>,
    },
    /// The API answers no more for a while.
    #[error("{subject} cannot be looked up for now: too much was asked of its API")]
    RateLimit {
        /// Whom for.
        subject: Box<Subject>,
        /// Whether a token was sent, which has a limit of its own.
        token: bool,
        /// What the server said, and until when.
        source: Box<http::Error>,
    },
    /// The registry defines no such package.
    #[error("the registry does not define {subject}: there is no `{file}`")]
    NotDefined {
        /// Whom for.
        subject: Box<Subject>,
        /// The file that would define it.
        file: String,
        /// Packages that may be meant.
        near: Vec<String>,
    },
    /// A definition cannot be understood.
    #[error(
        "`{file}` of the registry, which defines {subject}, cannot be used: line {line}: {why}"
    )]
    Definition {
        /// Whom for.
        subject: Box<Subject>,
        /// The file in the registry.
        file: String,
        /// The line in it, from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
    /// What a crate says of its packages cannot be understood.
    #[error("the `[package.metadata.binstall]` of {subject} cannot be used: {why}")]
    Metadata {
        /// Whom for.
        subject: Box<Subject>,
        /// What is wrong.
        why: String,
    },
    /// A definition is not the one that was locked.
    #[error("sha256 mismatch for `{file}` of the registry, which defines {subject}")]
    DefinitionHash {
        /// Whom for.
        subject: Box<Subject>,
        /// The file in the registry.
        file: String,
        /// As the lock says.
        expected: Box<Integrity>,
        /// Of what was served.
        received: Box<Integrity>,
    },
    /// A definition has no file to download, but says how to make one.
    #[error("{subject} is not published as a file: the registry has it made by `{made_by}`")]
    Elsewhere {
        /// Whom for.
        subject: Box<Subject>,
        /// The registry's word for how.
        made_by: String,
        /// The reference to use instead.
        instead: String,
    },
    /// A version that was listed or locked is not in the index.
    #[error("the index of {subject} has no version {version}")]
    VersionGone {
        /// Whom for.
        subject: Box<Subject>,
        /// The version.
        version: Version,
    },
    /// A locked file is not in the index.
    #[error("the index of {subject} no longer has `{file}` of version {version}")]
    FileGone {
        /// Whom for.
        subject: Box<Subject>,
        /// The locked version.
        version: Version,
        /// The locked file.
        file: String,
    },
    /// What was served is not what the protocol says.
    #[error("`{url}`, the index of {subject}, cannot be understood: {why}")]
    Malformed {
        /// Whom for.
        subject: Box<Subject>,
        /// Where it came from, without credentials.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A repository has no such suite, or a list that it announces is not there.
    #[error("`{url}`, which {subject} needs, does not exist")]
    UnknownSuite {
        /// Whom for.
        subject: Box<Subject>,
        /// What was looked for, without credentials.
        url: String,
    },
    /// No key that may sign a repository is on this machine.
    #[error("there is no key to verify the repository of {subject} with")]
    NoKeys {
        /// Whom for.
        subject: Box<Subject>,
        /// The files that were looked into.
        files: Vec<String>,
    },
    /// A repository's index has no signature that counts.
    #[error("`{url}`, the index of {subject}, is not vouched for: {why}")]
    Unsigned {
        /// Whom for.
        subject: Box<Subject>,
        /// The index, without credentials.
        url: String,
        /// What is wrong with its signature.
        why: String,
    },
    /// A repository's index is older than it may be.
    #[error("`{url}`, the index of {subject}, was valid until {until}")]
    Expired {
        /// Whom for.
        subject: Box<Subject>,
        /// The index, without credentials.
        url: String,
        /// Its `Valid-Until`.
        until: String,
    },
    /// A list of packages is not the one that the signed index names.
    #[error("sha256 mismatch for `{url}`, which {subject} needs")]
    IndexHash {
        /// Whom for.
        subject: Box<Subject>,
        /// The list, without credentials.
        url: String,
        /// As the signed index says.
        expected: Box<Integrity>,
        /// Of what was served.
        received: Box<Integrity>,
    },
    /// Only a hash that no longer protects anything (SHA-1, MD5) is published.
    #[error("`{file}` of {subject} is published without a SHA-256 or SHA-512 hash")]
    WeakHash {
        /// Whom for.
        subject: Box<Subject>,
        /// The file.
        file: String,
    },
    /// The checksum file does not vouch for the artifact.
    #[error("`{url}`, the checksum file of {subject}, does not give the hash of `{file}`: {why}")]
    Checksum {
        /// Whom for.
        subject: Box<Subject>,
        /// The checksum file, without credentials.
        url: String,
        /// The artifact's file name.
        file: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The archive format is not read.
    #[error("`{file}` of {subject} is in an archive format that is not supported")]
    Format {
        /// Whom for.
        subject: Box<Subject>,
        /// The file.
        file: String,
    },
    /// A registry of images failed, or an image cannot be taken.
    #[error("cannot take the image of {subject}")]
    Image {
        /// Whom for.
        subject: Box<Subject>,
        /// Why.
        source: Box<crate::oci::Error>,
    },
    /// What a package depends on cannot be had.
    #[error(
        "{subject} cannot have its closure: `{package}` depends on `{needs}`, which no repository has"
    )]
    Closure {
        /// Whom for.
        subject: Box<Subject>,
        /// The package that needs it.
        package: String,
        /// What it needs, as its list says it.
        needs: String,
    },
    /// The source has no index, so the profile must say the version.
    #[error("{subject} needs an exact version; `{wanted}` is a range")]
    NotExact {
        /// Whom for.
        subject: Box<Subject>,
        /// What the profile says.
        wanted: VersionReq,
    },
    /// An answer that should hold signatures holds none that can be understood.
    #[error("`{url}`, which says who signed {subject}, is not what it should be")]
    Evidence {
        /// Whom for.
        subject: Box<Subject>,
        /// What was asked, without credentials.
        url: String,
        /// What is wrong with it.
        source: Box<crate::provenance::Error>,
    },
    /// A URL template that cannot be used.
    #[error("the template `{template}` of {subject} cannot be used: {why}")]
    Template {
        /// Whom for.
        subject: Box<Subject>,
        /// The template, without credentials.
        template: String,
        /// What is wrong with it.
        why: String,
    },
    /// A `path:` that is no directory of the project.
    #[error("`{path}` of {subject} cannot be used: {why}")]
    Path {
        /// Whom for.
        subject: Box<Subject>,
        /// As the profile writes it.
        path: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The system refused to look at a `path:` directory, or at a file of keys.
    #[error("cannot look at a file of {subject}")]
    PathIo {
        /// Whom for.
        subject: Box<Subject>,
        /// Why.
        source: fs::Error,
    },
    /// A file was asked of a source that has directories only.
    #[error("{subject} is a directory of the project and has no file `{file}` to fetch")]
    NoFiles {
        /// Whom for.
        subject: Box<Subject>,
        /// What was asked.
        file: String,
    },
}

impl Error {
    /// Whether the source could not be asked, so that another time may do better.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Fetch { .. } | Self::RateLimit { .. })
    }

    /// The dep and package it is about.
    pub fn subject(&self) -> &Subject {
        match self {
            Self::Endpoint { subject, .. }
            | Self::Fetch { subject, .. }
            | Self::Private { subject, .. }
            | Self::NoList { subject, .. }
            | Self::NoBase { subject }
            | Self::PackageName { subject }
            | Self::UnknownPackage { subject, .. }
            | Self::Tags { subject, .. }
            | Self::NoAssets { subject }
            | Self::Assets { subject, .. }
            | Self::RateLimit { subject, .. }
            | Self::NotDefined { subject, .. }
            | Self::Definition { subject, .. }
            | Self::DefinitionHash { subject, .. }
            | Self::Metadata { subject, .. }
            | Self::Elsewhere { subject, .. }
            | Self::VersionGone { subject, .. }
            | Self::FileGone { subject, .. }
            | Self::Malformed { subject, .. }
            | Self::WeakHash { subject, .. }
            | Self::UnknownSuite { subject, .. }
            | Self::NoKeys { subject, .. }
            | Self::Unsigned { subject, .. }
            | Self::Expired { subject, .. }
            | Self::IndexHash { subject, .. }
            | Self::Checksum { subject, .. }
            | Self::Image { subject, .. }
            | Self::Closure { subject, .. }
            | Self::Format { subject, .. }
            | Self::NotExact { subject, .. }
            | Self::Evidence { subject, .. }
            | Self::Template { subject, .. }
            | Self::Path { subject, .. }
            | Self::PathIo { subject, .. }
            | Self::NoFiles { subject, .. } => subject,
            Self::NoVersion(none) => &none.subject,
        }
    }
}

/// Result of asking a source.
pub type Result<T> = std::result::Result<T, Error>;
