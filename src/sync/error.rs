//! What goes wrong between lock, sources and store.

use super::commands::Refusal;
use super::context::FetchError;
use crate::base::object_name::InvalidObjectName;
use crate::base::{DepName, Diagnose, Integrity, Platform, Proof, TreeHash, Version, bytes};
use crate::lock::Shift;
use crate::{archive, build, fs, http, provenance, source, store};

/// A dep that a platform cannot have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Its name.
    pub dep: DepName,
    /// The locked version.
    pub version: Version,
    /// Why, from the lock.
    pub reason: String,
}

/// An artifact that would have to be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfetched {
    /// Dep, version and platform.
    pub shown: String,
    /// Its file, and the source that has it.
    pub from: String,
    /// Bytes.
    pub size: u64,
}

/// A module whose bytes are not those of the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleSums {
    /// Dep, version and platform.
    pub shown: String,
    /// Module and version.
    pub about: String,
    /// Its sum in the lock.
    pub expected: String,
    /// The sum of what was served.
    pub received: String,
    /// Who served it.
    pub from: String,
}

/// A build whose tree is not that of the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltOther {
    /// Dep, version and platform.
    pub shown: String,
    /// The dep.
    pub dep: DepName,
    /// The toolchain and its version.
    pub with: String,
    /// The tree in the lock.
    pub expected: TreeHash,
    /// The tree that was made.
    pub actual: TreeHash,
}

/// Syncing or locking that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An environment wants deps that the lock does not have.
    #[error("not in the lock: {}", names(deps))]
    NotLocked {
        /// Which.
        deps: Vec<DepName>,
    },
    /// The lock says nothing about a platform.
    #[error("not locked for {platform}: {}", names(deps))]
    NoRow {
        /// The platform.
        platform: Platform,
        /// The deps without a row.
        deps: Vec<DepName>,
    },
    /// A source had nothing for this platform when it was locked.
    #[error("not available for {platform}: {}", names(missing.iter().map(|m| &m.dep)))]
    Unavailable {
        /// The platform.
        platform: Platform,
        /// Which, and why.
        missing: Vec<Missing>,
    },
    /// The network may not be used, and something is neither in the store nor in the cache.
    #[error(
        "{} artifact{} ({}) must be fetched, but the network is not to be used",
        missing.len(),
        if missing.len() == 1 { "" } else { "s" },
        bytes(missing.iter().map(|m| m.size).sum())
    )]
    Offline {
        /// Which, and from where.
        missing: Vec<Unfetched>,
    },
    /// The network may not be used, and deps cannot be locked without.
    #[error(
        "{} dep{} cannot be locked, since the network is not to be used",
        missing.len(),
        if missing.len() == 1 { "" } else { "s" }
    )]
    OfflineLock {
        /// What each of them needs, in words.
        missing: Vec<String>,
    },
    /// A source failed.
    #[error(transparent)]
    Source(Box<source::Error>),
    /// The store refused.
    #[error(transparent)]
    Store(Box<store::Error>),
    /// An artifact is no archive that can be read.
    #[error(transparent)]
    Archive(Box<archive::Error>),
    /// The filesystem refused.
    #[error(transparent)]
    File(#[from] fs::Error),
    /// No location served an artifact.
    #[error("cannot fetch {shown}")]
    Fetch {
        /// Dep, version and platform.
        shown: String,
        /// Each place that was tried, and what it said, but for the last.
        attempts: Vec<String>,
        /// What the last one said.
        source: Box<FetchError>,
    },
    /// A source names no place where an artifact lies, though it promises to.
    #[error("the source names no location for {shown}")]
    NoLocation {
        /// Dep, version and platform.
        shown: String,
    },
    /// Which files are commands cannot be told.
    #[error("cannot tell the commands of {shown}")]
    Commands {
        /// Dep, version and platform.
        shown: String,
        /// Why.
        source: Box<Refusal>,
    },
    /// An artifact's executable is for another platform than its source says.
    #[error("{shown} cannot run there: `{file}` {what}")]
    Contradiction {
        /// Dep, version and platform.
        shown: String,
        /// The executable, in the tree.
        file: String,
        /// What it says of itself.
        what: String,
        /// Whether nothing but its C library is in the way.
        libc_only: bool,
    },
    /// A file is not the one whose hash the profile gives.
    #[error("{} mismatch for {shown}", expected.algorithm().name())]
    NotTheHash {
        /// Dep, version and platforms.
        shown: String,
        /// In the profile.
        expected: Box<Integrity>,
        /// Of the bytes.
        received: Box<Integrity>,
        /// Where they came from.
        from: String,
    },
    /// A source served other bytes than its index promises.
    #[error("{} mismatch for {shown}", published.algorithm().name())]
    Lied {
        /// Dep, version and platforms.
        shown: String,
        /// In the source's index.
        published: Box<Integrity>,
        /// Of the bytes received.
        received: Box<Integrity>,
        /// Where they came from.
        from: String,
    },
    /// A locked file has another hash in its source now.
    #[error("`{file}` of {shown} changed in its source after it was locked")]
    Changed {
        /// Dep, version and platform.
        shown: String,
        /// The dep.
        dep: DepName,
        /// The file.
        file: String,
        /// Its hash or size in the lock.
        locked: String,
        /// The same in the source.
        served: String,
    },
    /// Evidence that a source has of an artifact does not vouch for it.
    #[error("the {kind} of {shown} is refused")]
    Proof {
        /// Dep, version and platforms.
        shown: String,
        /// The artifact.
        file: String,
        /// What kind of evidence it is.
        kind: Proof,
        /// Why.
        source: Box<provenance::Error>,
    },
    /// Nobody could be asked who signed an artifact of which that must be known.
    #[error("cannot find out who signed {shown}")]
    ProofUnreachable {
        /// Dep, version and platforms.
        shown: String,
        /// What must vouch for it, or did before.
        wanted: Vec<Proof>,
        /// Why.
        source: Box<source::Error>,
    },
    /// Something would be vouched for by less than before, or by somebody else.
    #[error("{shown} is vouched for by less than before, or by somebody else")]
    Regress {
        /// Dep, version and platform.
        shown: String,
        /// The dep.
        dep: DepName,
        /// What vouched for the locked version, and what vouches now.
        changes: Vec<Shift>,
    },
    /// Every version that a requirement accepts is younger than the policy allows.
    #[error("every version of `{dep}` that matches `{wanted}` is younger than {minimum}")]
    TooYoung {
        /// The dep.
        dep: DepName,
        /// What is asked for.
        wanted: String,
        /// `minimum-age`, in words.
        minimum: String,
        /// Versions and when they were published.
        young: Vec<(Version, String)>,
    },
    /// The source does not say when a version was published.
    #[error("the source of `{dep}` does not say when {version} was published")]
    NoDate {
        /// The dep.
        dep: DepName,
        /// The version.
        version: Version,
    },
    /// A version that no wanted platform can have.
    #[error("`{dep}` {version} is not available for any platform of the profiles")]
    Nowhere {
        /// Its name.
        dep: DepName,
        /// The version chosen.
        version: Version,
        /// Each platform, and why.
        reasons: Vec<(Platform, String)>,
    },
    /// `dep update` names a dep that no profile asks for.
    #[error("no profile asks for a dep `{dep}`")]
    UnknownDep {
        /// What was named.
        dep: DepName,
        /// The nearest that there is.
        nearest: Option<String>,
    },
    /// A tree cannot be named.
    #[error("cannot name the store object of {shown}")]
    Name {
        /// Dep, version and platform.
        shown: String,
        /// Why.
        source: InvalidObjectName,
    },
    /// A dep is to be built, and nothing in the profiles can.
    #[error("`{dep}` is built with Go, and no dep of the profiles has a `go` command")]
    NoToolchain {
        /// The dep.
        dep: DepName,
    },
    /// A dep is to be built, and several could do it.
    #[error("`{dep}` is built with Go, and several deps of the profiles have a `go` command")]
    Toolchains {
        /// The dep.
        dep: DepName,
        /// Those.
        all: Vec<DepName>,
    },
    /// What is named as toolchain is none.
    #[error("`{named}`, the toolchain of `{dep}`, {}", if *.is_there { "has no `go` command" } else { "is no dep of the profiles" })]
    NotAToolchain {
        /// The dep.
        dep: DepName,
        /// What was named.
        named: DepName,
        /// Whether it is a dep at all.
        is_there: bool,
        /// The nearest dep.
        nearest: Option<String>,
    },
    /// The toolchain is not to be had for this host.
    #[error("`{toolchain}`, the toolchain of `{dep}`, has no `go` command for {host}")]
    ToolchainElsewhere {
        /// The dep.
        dep: DepName,
        /// Its toolchain.
        toolchain: DepName,
        /// This host.
        host: Platform,
    },
    /// The lock has another version of a toolchain than something was built with.
    #[error("`{dep}` was locked with {toolchain} {locked}, but the lock has {found}")]
    OtherToolchain {
        /// The dep.
        dep: DepName,
        /// Its toolchain.
        toolchain: DepName,
        /// The version it was built with.
        locked: String,
        /// The version in the lock.
        found: String,
    },
    /// A sum in the lock is none.
    #[error("`{line}` among the sums of {shown} is no line of a go.sum")]
    BadSum {
        /// Dep, version and platform.
        shown: String,
        /// The text.
        line: String,
    },
    /// A proxy served another module than was locked.
    #[error("checksum mismatch for module {}, which {} needs", .0.about, .0.shown)]
    ModuleMismatch(Box<ModuleSums>),
    /// A module has another sum than in the old lock.
    #[error("module {} of {} changed after it was locked", .0.about, .0.shown)]
    ModuleChanged(Box<ModuleSums>),
    /// Modules are needed, but the network is not to be used.
    #[error("modules of {shown} must be fetched, but the network is not to be used")]
    OfflineModules {
        /// Dep, version and platform.
        shown: String,
        /// Which, where they are known.
        missing: Vec<String>,
    },
    /// A build made another tree than was locked.
    #[error("{} was built, and is not what was locked", .0.shown)]
    BuiltOther(Box<BuiltOther>),
    /// A build failed.
    #[error(transparent)]
    Build(Box<build::Error>),
    /// A worker thread died.
    #[error("a worker thread failed while {doing}")]
    Worker {
        /// What it did.
        doing: String,
        /// How it ended.
        source: tokio::task::JoinError,
    },
}

/// Result of syncing or locking.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<source::Error> for Error {
    fn from(error: source::Error) -> Self {
        Self::Source(Box::new(error))
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        Self::Store(Box::new(error))
    }
}

impl From<build::Error> for Error {
    fn from(error: build::Error) -> Self {
        Self::Build(Box::new(error))
    }
}

impl From<archive::Error> for Error {
    fn from(error: archive::Error) -> Self {
        Self::Archive(Box::new(error))
    }
}

fn names<'a>(deps: impl IntoIterator<Item = &'a DepName>) -> String {
    deps.into_iter().map(|dep| format!("`{dep}`")).collect::<Vec<_>>().join(", ")
}

impl Error {
    /// What was needed of the network, if that there is none is all that failed.
    pub(super) fn offline_need(&self) -> Option<String> {
        match self {
            Self::Source(e) => match e.as_ref() {
                source::Error::Fetch { subject, source } => match source.as_ref() {
                    http::Error::Offline { url } => Some(format!("{subject} needs `{url}`")),
                    _ => None,
                },
                _ => None,
            },
            Self::Fetch { shown, source, .. } => match source.as_ref() {
                FetchError::Http(http::Error::Offline { url }) => {
                    Some(format!("{shown} needs `{url}`"))
                }
                _ => None,
            },
            _ => None,
        }
    }

    /// The room below that made the error, if it came through unchanged.
    pub(super) fn inner(&self) -> Option<&dyn Diagnose> {
        match self {
            Self::Source(e) => Some(e.as_ref()),
            Self::Store(e) => Some(e.as_ref()),
            Self::Archive(e) => Some(e.as_ref()),
            Self::File(e) => Some(e),
            Self::Build(e) => Some(e.as_ref()),
            Self::Fetch { source, .. } => Some(source.as_ref()),
            Self::Proof { source, .. } => Some(source.as_ref()),
            Self::ProofUnreachable { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
