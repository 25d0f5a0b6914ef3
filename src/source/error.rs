//! What goes wrong at a source.
//!
//! Invariant: every message names the dep and its package; text of a wrapped error is left to the
//! renderer, which walks `source()`.

use std::fmt;

use crate::base::{DepName, Diagnose, Hint, Kind, SourceKind, SourceRef, Version, VersionReq};
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
    /// No published version is acceptable.
    #[error("no version of {subject} matches `{wanted}`")]
    NoVersion {
        /// Whom for.
        subject: Box<Subject>,
        /// What was asked.
        wanted: VersionReq,
        /// The newest ones there are, newest first, at most five.
        newest: Vec<Version>,
        /// One that would match, had its publisher not withdrawn it.
        yanked: Option<Version>,
        /// One that would match, were it no pre-release.
        prerelease: Option<Version>,
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
    /// The source has no index, so the profile must say the version.
    #[error("{subject} needs an exact version; `{wanted}` is a range")]
    NotExact {
        /// Whom for.
        subject: Box<Subject>,
        /// What the profile says.
        wanted: VersionReq,
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
    /// The system refused to look at a `path:` directory.
    #[error("cannot look at the directory of {subject}")]
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
    /// The dep and package it is about.
    pub fn subject(&self) -> &Subject {
        match self {
            Self::Endpoint { subject, .. }
            | Self::Fetch { subject, .. }
            | Self::PackageName { subject }
            | Self::UnknownPackage { subject, .. }
            | Self::NoVersion { subject, .. }
            | Self::VersionGone { subject, .. }
            | Self::FileGone { subject, .. }
            | Self::Malformed { subject, .. }
            | Self::WeakHash { subject, .. }
            | Self::Checksum { subject, .. }
            | Self::Format { subject, .. }
            | Self::NotExact { subject, .. }
            | Self::Template { subject, .. }
            | Self::Path { subject, .. }
            | Self::PathIo { subject, .. }
            | Self::NoFiles { subject, .. } => subject,
        }
    }
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Endpoint { source, .. } => source.kind(),
            Self::Fetch { source, .. } => source.kind(),
            Self::PathIo { source, .. } => source.kind(),
            Self::PackageName { .. }
            | Self::NotExact { .. }
            | Self::Template { .. }
            | Self::Path { .. } => Kind::Usage,
            Self::NoFiles { .. } => Kind::Bug,
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let hint = match self {
            Self::Endpoint { source, .. } => return source.hints(),
            Self::Fetch { source, .. } => return source.hints(),
            Self::PathIo { source, .. } => return source.hints(),
            Self::PackageName { subject } => match subject.from.kind() {
                SourceKind::Npm => "write `npm:NAME` or `npm:@SCOPE/NAME`".to_owned(),
                kind => format!("write `{kind}:NAME`"),
            },
            Self::UnknownPackage { subject, .. } => {
                return vec![
                    Hint::new(format!("check how {} spells the package", subject.from.kind())),
                    Hint::new(format!(
                        "if another index has it, set `url` in `[source.{}]` of the profile",
                        subject.from.kind()
                    )),
                ];
            }
            Self::NoVersion { subject, yanked, prerelease, .. } => match (prerelease, yanked) {
                (Some(version), _) => {
                    format!("{version} is a pre-release; ask for it with `version = \"={version}\"`")
                }
                (None, Some(version)) => format!(
                    "{version} was withdrawn by its publisher; only `version = \"={version}\"` \
                     takes it"
                ),
                (None, None) => format!("change `version` of `{}` in the profile", subject.dep),
            },
            Self::VersionGone { subject, .. } | Self::FileGone { subject, .. } => format!(
                "if it was deleted upstream, run `infra dep update {}`; if a mirror lacks it, use \
                 another one",
                subject.dep
            ),
            Self::Malformed { subject, .. } => format!(
                "check that the base URL of {} is that of an index, not of a web page",
                subject.from.kind()
            ),
            Self::WeakHash { subject, .. } => {
                format!("choose a version of `{}` that was published with one", subject.dep)
            }
            Self::Checksum { .. } => {
                "correct `checksum` in the profile, or leave it out to trust the first download"
                    .to_owned()
            }
            Self::Format { .. } => {
                "supported are .zip, .whl, .tar, .tar.gz, .tgz and plain executables".to_owned()
            }
            Self::NotExact { subject, .. } => match subject.from.kind() {
                SourceKind::Path => "write `version = \"=1.2.3\"`, or leave it out".to_owned(),
                _ => "write `version = \"=1.2.3\"`".to_owned(),
            },
            Self::Template { .. } => {
                "known words are `${version}`, `${os}`, `${arch}`, `${libc}`, `${ext}` and `${exe}`; \
                 `${file}` and `${url}` also in `checksum`"
                    .to_owned()
            }
            Self::Path { .. } => {
                "write the path of a directory relative to the project, e.g. `path:tools/bin`"
                    .to_owned()
            }
            Self::NoFiles { .. } => return Vec::new(),
        };
        vec![Hint::new(hint)]
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::NoVersion { newest, .. } if newest.is_empty() => {
                vec!["published  none".to_owned()]
            }
            Self::NoVersion { newest, .. } => {
                let list: Vec<_> = newest.iter().map(Version::as_str).collect();
                vec![format!("newest  {}", list.join(", "))]
            }
            Self::Endpoint { source, .. } => source.details(),
            Self::Fetch { source, .. } => source.details(),
            Self::PathIo { source, .. } => source.details(),
            _ => Vec::new(),
        }
    }
}

/// Result of asking a source.
pub type Result<T> = std::result::Result<T, Error>;
