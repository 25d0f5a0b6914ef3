//! What can fail in the store, with the remedy beside each failure.
//!
//! Invariant: whatever variant is returned, nothing half-made is registered.

use std::path::PathBuf;

use crate::archive;
use crate::base::object_name::InvalidObjectName;
use crate::base::{Diagnose, Excerpt, Hint, Integrity, Kind, ObjectName, TreeHash};
use crate::fs;

/// A store operation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused a file operation, or a lock was held for too long.
    #[error(transparent)]
    Fs(#[from] fs::Error),
    /// Something had to be written into a store that this user or filesystem cannot write.
    #[error("the store `{}` is read-only", root.display())]
    ReadOnly {
        /// The store's directory.
        root: PathBuf,
        /// The first operation that was refused.
        source: fs::Error,
    },
    /// The artifact is no archive that may be unpacked.
    #[error(transparent)]
    Archive(archive::Error),
    /// A download is not the file that was asked for.
    #[error("{} mismatch for {shown}", expected.algorithm().name())]
    ArtifactMismatch {
        /// Dep, version and platform.
        shown: String,
        /// From the lock.
        expected: Integrity,
        /// Of the bytes received.
        received: Integrity,
        /// Where they came from.
        from: String,
    },
    /// A file of the artifact cache is no longer what was put there.
    #[error("the cached artifact of {shown} changed on disk")]
    CachedArtifactChanged {
        /// Dep, version and platform.
        shown: String,
        /// The file.
        path: PathBuf,
        /// What its name promises.
        expected: Integrity,
        /// What it holds.
        actual: Integrity,
    },
    /// A document that a proof was verified from is no longer what was kept.
    #[error("the evidence `{}` changed on disk", path.display())]
    EvidenceChanged {
        /// The file.
        path: PathBuf,
        /// What its name promises.
        expected: Integrity,
        /// What it holds.
        actual: Integrity,
    },
    /// A tree is not the one the lock names.
    #[error("tree hash mismatch for {shown}")]
    TreeMismatch {
        /// Dep, version and platform.
        shown: String,
        /// What was hashed: `the unpacked artifact`, or a directory.
        from: String,
        /// From the lock.
        expected: TreeHash,
        /// Of the tree that was made.
        actual: TreeHash,
    },
    /// The object's name in the lock is not the one that its tree hash gives.
    #[error("the object name of {shown} does not follow from its tree hash")]
    NameMismatch {
        /// Dep, version and platform.
        shown: String,
        /// From the lock.
        expected: ObjectName,
        /// What tree and name give.
        actual: ObjectName,
    },
    /// A name that no store object can have.
    #[error("cannot name a store object")]
    InvalidName(#[source] InvalidObjectName),
    /// A registered object was changed after it was added.
    #[error("store object `{object}` was changed after it was added")]
    Damaged {
        /// Which.
        object: ObjectName,
        /// From its registration.
        expected: TreeHash,
        /// Of the files that are there now.
        actual: TreeHash,
    },
    /// A registered object's directory is gone.
    #[error("store object `{object}` is registered but its files are gone")]
    Missing {
        /// Which.
        object: ObjectName,
    },
    /// A link would leave the tree that is added.
    #[error("cannot add {shown}: link `{}` points to `{}`, {why}", link.display(), target.display())]
    LinkLeaves {
        /// Dep, version and platform, or the object's name.
        shown: String,
        /// The link, relative to the tree.
        link: PathBuf,
        /// As written in it.
        target: PathBuf,
        /// The rule it breaks.
        why: &'static str,
    },
    /// A device, socket or pipe in a tree that is added.
    #[error("cannot add {shown}: `{}` is neither file, directory nor link", path.display())]
    SpecialFile {
        /// Dep, version and platform, or the object's name.
        shown: String,
        /// The file, relative to the tree.
        path: PathBuf,
    },
    /// A command names no file of the tree.
    #[error("cannot add {shown}: command `{}` is not a file of it", path.display())]
    NoSuchCommand {
        /// Dep, version and platform.
        shown: String,
        /// The file, relative to the tree.
        path: PathBuf,
    },
    /// A `path:` source is no directory.
    #[error("cannot add {shown}: `{}` is not a directory", from.display())]
    NotADirectory {
        /// Dep, version and platform.
        shown: String,
        /// What should have been copied.
        from: PathBuf,
    },
    /// A `path:` source contains the store, which would copy itself.
    #[error("cannot add {shown}: `{}` contains the store `{}`", from.display(), root.display())]
    ContainsStore {
        /// Dep, version and platform.
        shown: String,
        /// What should have been copied.
        from: PathBuf,
        /// The store.
        root: PathBuf,
    },
    /// Bytes that were to be an object's archive are none, or not of the length that was announced.
    #[error("the archive of {shown} is damaged")]
    BadNar {
        /// Dep, version and platform, or the object's name.
        shown: String,
        /// What is wrong with it.
        source: crate::nar::Error,
    },
    /// An archive goes on after the length that was announced for it.
    #[error("the archive of {shown} is longer than the {expected} bytes that were announced")]
    NarTooLong {
        /// Dep, version and platform, or the object's name.
        shown: String,
        /// Bytes announced.
        expected: u64,
    },
    /// An exported file is no such file, or was cut or changed.
    #[error("the exported file is damaged: {why}")]
    BadBundle {
        /// What is wrong with it.
        why: String,
    },
    /// An exported file could not be read or written.
    #[error("cannot {action} the exported file: {source}")]
    Bundle {
        /// `read` or `write`.
        action: &'static str,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A built tree refers to an object that is not there.
    #[error("cannot build `{name}`: it refers to `{reference}`, which is not in the store")]
    MissingReference {
        /// The name of what is built.
        name: String,
        /// The object it needs.
        reference: ObjectName,
    },
    /// A garbage-collector root cannot be read, so nothing may be called unused.
    #[error("cannot tell what the garbage-collector root `{}` keeps", root.display())]
    UnreadableRoot {
        /// The entry in the store's `roots`.
        root: PathBuf,
        /// Why.
        source: RootProblem,
    },
    /// No registered object is called so.
    #[error("no object of the store is `{text}`")]
    NoObject {
        /// What was asked for.
        text: String,
    },
    /// Several registered objects are called so.
    #[error("`{text}` may be {} objects of the store", objects.len())]
    Ambiguous {
        /// What was asked for.
        text: String,
        /// Those that it may be.
        objects: Vec<ObjectName>,
    },
    /// A name that no pin can have.
    #[error("`{name}` is no name for a pin")]
    PinName {
        /// As given.
        name: String,
    },
    /// There is no such pin.
    #[error("there is no pin `{name}`")]
    NoPin {
        /// As given.
        name: String,
        /// Those that there are.
        names: Vec<String>,
    },
    /// The filesystem cannot share blocks between files.
    #[error("the filesystem of the store `{}` cannot share blocks between files", root.display())]
    NoReflink {
        /// The store's directory.
        root: PathBuf,
    },
    /// A registration cannot be understood.
    #[error("registration `{}` is damaged: {why}", path.display())]
    BadRegistration {
        /// The file in the store's `meta`.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The store was written by a later version of this program.
    #[error("`{}` has version {found}; this program knows version {known}", path.display())]
    Newer {
        /// The file that says so.
        path: PathBuf,
        /// What it says.
        found: String,
        /// What is understood.
        known: u32,
    },
}

/// Why a root cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RootProblem {
    /// The system refused.
    #[error(transparent)]
    Fs(#[from] fs::Error),
    /// It is not of a kind that is known.
    #[error("{0}")]
    Unknown(String),
}

impl Error {
    /// A refused write as [`Error::ReadOnly`], anything else as it is.
    pub(super) fn writing(root: &std::path::Path, error: fs::Error) -> Self {
        use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        match error.io_kind() {
            Some(PermissionDenied | ReadOnlyFilesystem) => {
                Self::ReadOnly { root: root.to_owned(), source: error }
            }
            _ => Self::Fs(error),
        }
    }
}

/// `nats-server` of `nats-server 2.15.1 (x86_64-linux)`.
fn dep_of(shown: &str) -> &str {
    shown.split(' ').next().unwrap_or(shown).trim_matches('`')
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Fs(e) => e.kind(),
            Self::Archive(e) => e.kind(),
            Self::ArtifactMismatch { .. }
            | Self::CachedArtifactChanged { .. }
            | Self::EvidenceChanged { .. }
            | Self::TreeMismatch { .. }
            | Self::NameMismatch { .. }
            | Self::Damaged { .. }
            | Self::Missing { .. }
            | Self::BadNar { .. }
            | Self::NarTooLong { .. }
            | Self::BadBundle { .. }
            | Self::BadRegistration { .. } => Kind::Integrity,
            Self::MissingReference { .. } => Kind::Bug,
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let texts: Vec<String> = match self {
            Self::Fs(e) => return e.hints(),
            Self::Archive(e) => return e.hints(),
            Self::ReadOnly { root, .. } => vec![
                "what is in it can be used, but nothing can be added or removed".to_owned(),
                format!(
                    "set INFRA_STORE to a directory of your own, or check who may write to `{}`",
                    root.display()
                ),
            ],
            Self::ArtifactMismatch { shown, .. } => vec![
                "the file is not the one that was locked; nothing was installed".to_owned(),
                format!(
                    "if you expect the change, run `infra dep update {}` and review the diff",
                    dep_of(shown)
                ),
            ],
            Self::CachedArtifactChanged { path, .. } => vec![
                "run `infra store repair` to remove it and fetch it again".to_owned(),
                format!("or remove `{}` yourself", path.display()),
            ],
            Self::EvidenceChanged { path, .. } => vec![format!(
                "remove `{}`, then run `infra dep verify --provenance`, which fetches it again",
                path.display()
            )],
            Self::TreeMismatch { shown, .. } => vec![
                "nothing was installed".to_owned(),
                format!(
                    "if you expect the change, run `infra dep update {}` and review the diff",
                    dep_of(shown)
                ),
            ],
            Self::NameMismatch { .. } => vec![
                "dep.lock.json was changed by hand; restore it, or run `infra dep lock`".to_owned(),
            ],
            Self::Damaged { .. } | Self::Missing { .. } | Self::BadRegistration { .. } => {
                vec!["run `infra store repair`, which fetches it again".to_owned()]
            }
            Self::UnreadableRoot { root, .. } => vec![
                "nothing was removed".to_owned(),
                format!("make it readable, or remove `{}` if it is not needed", root.display()),
            ],
            Self::BadBundle { .. } => vec![
                "nothing was imported".to_owned(),
                "copy it again from where it was exported".to_owned(),
            ],
            Self::LinkLeaves { .. } => {
                vec!["replace the link by what it points to, or leave it out".to_owned()]
            }
            Self::ContainsStore { .. } => {
                vec!["name a directory inside it, or set INFRA_STORE elsewhere".to_owned()]
            }
            Self::NoObject { .. } => vec![
                "`infra store roots` lists what is kept, `infra dep list` the deps of this project"
                    .to_owned(),
            ],
            Self::Ambiguous { .. } => {
                vec!["write more of the name, or the whole digest".to_owned()]
            }
            Self::PinName { .. } => {
                vec!["use letters, digits, `-`, `_` and `.`, and begin with no `.`".to_owned()]
            }
            Self::NoPin { names, .. } if names.is_empty() => {
                vec!["nothing is pinned in this store".to_owned()]
            }
            Self::NoPin { names, .. } => vec![format!("pinned are: {}", names.join(", "))],
            Self::NoReflink { .. } => vec![
                "nothing was changed; without `--reflink` identical files are linked".to_owned(),
            ],
            Self::Newer { .. } => {
                vec!["use the newer program, or set INFRA_STORE to another directory".to_owned()]
            }
            _ => Vec::new(),
        };
        texts.into_iter().map(Hint::new).collect()
    }

    fn details(&self) -> Vec<String> {
        let pair = |expected: &dyn std::fmt::Display,
                    origin: &str,
                    word: &str,
                    actual: &dyn std::fmt::Display,
                    from: &str| {
            vec![
                format!("expected  {expected}  from {origin}"),
                format!("{word:<8}  {actual}  from {from}"),
            ]
        };
        match self {
            Self::Fs(e) => e.details(),
            Self::Archive(e) => e.details(),
            Self::ArtifactMismatch { expected, received, from, .. } => {
                pair(expected, "dep.lock.json", "received", received, from)
            }
            Self::CachedArtifactChanged { expected, actual, path, .. } => {
                let path = format!("`{}`", path.display());
                pair(expected, "its name in the cache", "found", actual, &path)
            }
            Self::EvidenceChanged { expected, actual, .. } => {
                pair(expected, "its name in the store", "found", actual, "the file on disk")
            }
            Self::TreeMismatch { expected, actual, from, .. } => {
                pair(expected, "dep.lock.json", "received", actual, from)
            }
            Self::NameMismatch { expected, actual, .. } => {
                pair(expected, "dep.lock.json", "computed", actual, "tree hash and name")
            }
            Self::Ambiguous { objects, .. } => objects.iter().map(ToString::to_string).collect(),
            Self::Damaged { expected, actual, .. } => {
                pair(expected, "its registration", "found", actual, "the files on disk")
            }
            _ => Vec::new(),
        }
    }

    fn excerpt(&self) -> Option<Excerpt> {
        match self {
            Self::Archive(e) => e.excerpt(),
            _ => None,
        }
    }
}
