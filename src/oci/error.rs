//! What goes wrong between a registry and an image.

use crate::base::{Diagnose, Hint, Integrity, Kind};
use crate::http;

/// A request or document that failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry could not be asked.
    #[error(transparent)]
    Http(#[from] http::Error),
    /// The registry asks in a way that is not understood.
    #[error("`{url}` wants to know who asks in a way that is not understood: {why}")]
    Challenge {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A document is not what the specification says.
    #[error("`{url}` cannot be understood: {why}")]
    Malformed {
        /// Where it came from.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// A document's bytes are others than its digest says.
    #[error("digest mismatch for `{url}`")]
    Digest {
        /// Where it came from.
        url: String,
        /// What refers to it.
        expected: Box<Integrity>,
        /// Of the bytes received.
        received: Box<Integrity>,
    },
    /// Something of the image is not read.
    #[error("`{url}` cannot be taken: {what}")]
    Unsupported {
        /// Where it came from.
        url: String,
        /// What it is.
        what: String,
    },
}

/// Result of asking a registry.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Whether the registry said that there is no such thing.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Http(e) if e.is_not_found())
    }
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Http(e) => e.kind(),
            Self::Digest { .. } => Kind::Integrity,
            _ => Kind::User,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        let hint = match self {
            Self::Http(http::Error::Unauthorized { .. }) => {
                "check the name, and log in with your container tool (its auth.json or config.json \
                 is read), or write user and password for the host into .netrc"
            }
            Self::Http(e) => return e.hints(),
            Self::Challenge { .. } | Self::Malformed { .. } => {
                "check that the base URL is that of a registry"
            }
            Self::Digest { .. } => {
                "nothing of it was used; clear the mirror's copy, or use another registry"
            }
            Self::Unsupported { .. } => "choose another tag or image",
        };
        vec![Hint::new(hint)]
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::Http(e) => e.details(),
            Self::Digest { expected, received, .. } => {
                vec![format!("expected  {expected}"), format!("received  {received}")]
            }
            _ => Vec::new(),
        }
    }
}
