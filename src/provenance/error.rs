//! What goes wrong with evidence.
//!
//! Invariant: messages read on after "the attestation of …"; whom it is about is said by the room
//! that asked.

use crate::base::{Diagnose, Hint, Kind};
use crate::fs;

/// Evidence that does not vouch for an artifact, or cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It is not what its format says.
    #[error("it cannot be understood: {why}")]
    Malformed {
        /// What is wrong with it.
        why: String,
    },
    /// It is sound, and about something else.
    #[error("it is about another file")]
    OtherFile {
        /// The artifact's hash.
        expected: String,
        /// What it is about: names and hashes.
        found: Vec<String>,
    },
    /// It is about another package or version.
    #[error("it is about another package")]
    OtherPackage {
        /// The package that was locked.
        expected: String,
        /// What it is about.
        found: Vec<String>,
    },
    /// Somebody else signed it.
    #[error("it was signed by somebody else")]
    OtherSigner {
        /// Who should have signed.
        expected: String,
        /// Who did.
        found: String,
    },
    /// It was made at another git reference.
    #[error("it is about another tag")]
    OtherReference {
        /// The tag that was locked, as a reference.
        expected: String,
        /// What it was made at.
        found: String,
    },
    /// A signature, certificate or log entry in it does not hold.
    #[error("it does not hold: {why}")]
    Rejected {
        /// What the verifier says.
        why: String,
    },
    /// The registry signed with a key that it does not publish.
    #[error("it was signed with the key `{keyid}`, which the registry does not publish")]
    UnknownKey {
        /// The key's name.
        keyid: String,
    },
    /// A key was used after its time.
    #[error("it was signed with the key `{keyid}`, which expired on {expired}")]
    ExpiredKey {
        /// The key's name.
        keyid: String,
        /// When it did.
        expired: String,
    },
    /// The signature is over the bytes, and they are not here.
    #[error("it can only be verified with the artifact's bytes at hand")]
    NeedsContent,
    /// This program cannot verify it.
    #[error("this `infra` was built without the feature `provenance`")]
    Disabled,
    /// The trust root that the profile names is none.
    #[error("the trust root cannot be used: {why}")]
    TrustRoot {
        /// What is wrong with it.
        why: String,
    },
    /// The artifact cannot be read.
    #[error(transparent)]
    File(#[from] fs::Error),
}

impl Error {
    pub(super) fn malformed(why: impl ToString) -> Self {
        Self::Malformed { why: why.to_string() }
    }

    /// Whether the evidence was looked at and does not vouch for the artifact.
    pub fn is_refusal(&self) -> bool {
        self.kind() == Kind::Integrity
    }
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::NeedsContent | Self::Disabled => Kind::User,
            Self::TrustRoot { .. } => Kind::Usage,
            Self::File(e) => e.kind(),
            _ => Kind::Integrity,
        }
    }

    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::TrustRoot { .. } => {
                vec![Hint::new("it is the JSON that `cosign trusted-root create` writes")]
            }
            Self::File(e) => e.hints(),
            _ => Vec::new(),
        }
    }

    fn details(&self) -> Vec<String> {
        match self {
            Self::OtherFile { expected, found } | Self::OtherPackage { expected, found } => {
                let found = found.iter().map(|f| format!("found     {f}"));
                std::iter::once(format!("expected  {expected}")).chain(found).collect()
            }
            Self::OtherSigner { expected, found } | Self::OtherReference { expected, found } => {
                vec![format!("expected  {expected}"), format!("found     {found}")]
            }
            Self::File(e) => e.details(),
            _ => Vec::new(),
        }
    }
}
