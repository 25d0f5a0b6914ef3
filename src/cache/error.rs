//! What can go wrong with a cache, and what to do about it.

use crate::base::{Diagnose, Hint, Integrity, Kind, ObjectName, TreeHash};
use crate::{fs, http, store};

/// Result of a cache operation.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cache operation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file of a cache directory, or a temporary one.
    #[error(transparent)]
    Fs(#[from] fs::Error),
    /// The server.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Work on another thread was lost.
    #[error("a thread that worked on a cache ended early")]
    Worker(#[source] tokio::task::JoinError),
    /// A text that names no cache.
    #[error("`{text}` names no cache: {why}")]
    Location {
        /// As given, without credentials.
        text: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no `nix-cache-info`.
    #[error("`{cache}` is no binary cache: it has no nix-cache-info")]
    NoCache {
        /// Which.
        cache: String,
    },
    /// It holds the objects of a store in another place.
    #[error("`{cache}` holds paths of `{dir}`, not of /nix/store")]
    OtherStore {
        /// Which.
        cache: String,
        /// The directory it names.
        dir: String,
    },
    /// A small document that is not what it should be.
    #[error("`{file}` in `{cache}` is damaged: {why}")]
    Document {
        /// Which cache.
        cache: String,
        /// The document.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// It does not have an object.
    #[error("`{cache}` does not have `{object}`")]
    NotThere {
        /// Which cache.
        cache: String,
        /// The object.
        object: ObjectName,
    },
    /// It names another tree than is wanted.
    #[error("`{cache}` has another tree for `{object}`")]
    OtherTree {
        /// Which cache.
        cache: String,
        /// The object.
        object: ObjectName,
        /// From the lock.
        expected: Box<TreeHash>,
        /// From the cache.
        received: Box<TreeHash>,
    },
    /// The packed archive is not the one that the narinfo names.
    #[error("the archive of `{object}` in `{cache}` is not the file it should be")]
    OtherFile {
        /// Which cache.
        cache: String,
        /// The object.
        object: ObjectName,
        /// From the narinfo.
        expected: Box<Integrity>,
        /// Of the bytes that came.
        received: Box<Integrity>,
    },
    /// The archive has another length than the narinfo says.
    #[error("the archive of `{object}` in `{cache}` has {received} bytes, expected {expected}")]
    FileSize {
        /// Which cache.
        cache: String,
        /// The object.
        object: ObjectName,
        /// From the narinfo.
        expected: u64,
        /// What is there.
        received: u64,
    },
    /// The archive is named and is not there.
    #[error("`{cache}` names `{file}` for `{object}`, and does not have it")]
    NoArchive {
        /// Which cache.
        cache: String,
        /// The object.
        object: ObjectName,
        /// The file.
        file: String,
    },
    /// The archive cannot be unpacked.
    #[error("the archive of `{object}` in `{cache}` cannot be unpacked")]
    Unpack {
        /// Which cache.
        cache: String,
        /// The object.
        object: ObjectName,
        /// The unpacker's reason.
        source: std::io::Error,
    },
    /// Packing failed: the temporary file.
    #[error("cannot pack `{object}`")]
    Pack {
        /// The object.
        object: ObjectName,
        /// The temporary file, and the system's reason.
        source: fs::Error,
    },
    /// Nothing vouches for an object.
    #[error("nothing that is known vouches for `{object}` from `{cache}`")]
    Untrusted {
        /// Which cache.
        cache: String,
        /// The object.
        object: ObjectName,
        /// Names of the keys that signed it.
        signed_by: Vec<String>,
    },
    /// An object whose name does not follow from its content cannot be in our store.
    #[error("`{object}` in `{cache}` is not named by its content")]
    NotContentAddressed {
        /// Which cache.
        cache: String,
        /// The object.
        object: ObjectName,
    },
    /// It cannot say what it holds.
    #[error("`{cache}` cannot list what it holds")]
    CannotList {
        /// Which cache.
        cache: String,
    },
    /// A listing that cannot be understood.
    #[error("the listing of `{cache}` cannot be understood: {why}")]
    Listing {
        /// Which cache.
        cache: String,
        /// What is wrong.
        why: String,
    },
    /// A bucket did not take a file in parts.
    #[error("`{cache}` does not take `{file}` in parts: {why}")]
    Upload {
        /// Which cache.
        cache: String,
        /// The file.
        file: String,
        /// What it answered.
        why: String,
    },
    /// The server could not be started or went down.
    #[error("cannot serve at `{at}`")]
    Serve {
        /// The address.
        at: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Error {
    /// Whether the server said that there is no such file.
    pub fn is_not_found(&self) -> bool {
        match self {
            Self::Http(e) => e.is_not_found(),
            Self::Fs(e) => e.is_not_found(),
            _ => false,
        }
    }

    /// Whether a cache said something that is not so.
    pub fn is_lie(&self) -> bool {
        self.kind() == Kind::Integrity
    }
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Fs(e) => e.kind(),
            Self::Http(e) => e.kind(),
            Self::Store(e) => e.kind(),
            Self::Location { .. } => Kind::Usage,
            Self::Worker(_) => Kind::Bug,
            Self::Document { .. }
            | Self::OtherTree { .. }
            | Self::OtherFile { .. }
            | Self::FileSize { .. }
            | Self::NoArchive { .. }
            | Self::Unpack { .. }
            | Self::Untrusted { .. }
            | Self::NotContentAddressed { .. } => Kind::Integrity,
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let texts = match self {
            Self::Fs(e) => return e.hints(),
            Self::Http(http::Error::Status { status: 401 | 403, .. }) => vec![
                "set INFRA_CACHE_TOKEN for a server that asks for one, or AWS_ACCESS_KEY_ID and \
                 AWS_SECRET_ACCESS_KEY for a bucket"
                    .to_owned(),
            ],
            Self::Http(e) => return e.hints(),
            Self::Store(e) => return e.hints(),
            Self::Pack { source, .. } => return source.hints(),
            Self::NoCache { cache } => vec![format!("`infra cache init {cache}` makes one there")],
            Self::Untrusted { signed_by, .. } => {
                let mut hints = Vec::new();
                if !signed_by.is_empty() {
                    hints.push(format!(
                        "it is signed by {}; put the public key into `[cache] keys` to trust it",
                        signed_by.join(", ")
                    ));
                }
                hints.push(
                    "`--unsigned` takes an object whose name follows from its content".to_owned(),
                );
                hints
            }
            Self::NotThere { .. } => vec![
                "`infra cache push`, where it is in the store, puts it there; `infra dep sync` \
                 asks sources as well"
                    .to_owned(),
            ],
            Self::Location { why, .. } if why.contains("AWS_ENDPOINT_URL") => {
                vec!["write it like `s3://BUCKET/PREFIX?endpoint=https://HOST`".to_owned()]
            }
            Self::Location { .. } => {
                vec![
                    "write it like `./cache`, `https://HOST/PATH` or `s3://BUCKET/PREFIX`"
                        .to_owned(),
                ]
            }
            Self::NotContentAddressed { .. } => {
                vec!["only Nix itself can use it: `nix copy --from`".to_owned()]
            }
            Self::CannotList { .. } => vec![
                "name the objects or environments to look at, or give the directory or bucket \
                 behind the server"
                    .to_owned(),
            ],
            Self::OtherTree { .. }
            | Self::OtherFile { .. }
            | Self::FileSize { .. }
            | Self::NoArchive { .. }
            | Self::Unpack { .. }
            | Self::Document { .. } => {
                vec![
                    "nothing was installed; `infra cache verify` says what else is wrong"
                        .to_owned(),
                ]
            }
            _ => Vec::new(),
        };
        texts.into_iter().map(Hint::new).collect()
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Fs(e) => e.details(),
            Self::Http(e) => e.details(),
            Self::Store(e) => e.details(),
            Self::OtherTree { expected, received, cache, .. } => vec![
                format!("expected  {expected}  from dep.lock.json"),
                format!("received  {received}  from `{cache}`"),
            ],
            Self::OtherFile { expected, received, cache, .. } => vec![
                format!("expected  {expected}  from its narinfo"),
                format!("received  {received}  from `{cache}`"),
            ],
            _ => Vec::new(),
        }
    }
}
