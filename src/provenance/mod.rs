//! Where an artifact comes from, by the word of whoever signed it: evidence, and its verification.
//!
//! ```text
//! source ──Evidence──▶ verify(evidence, subject, trust) ──▶ Verified { kind, signer }
//!                          │
//!                   a document of its own: kept by its digest, verified again without the network
//! ```
//! Owns the kinds of evidence and the trust root. Everything is computed over bytes at hand:
//! nothing here asks a server, and all cryptography is that of the crates `sigstore-verify`,
//! `minisign-verify`, `ring` and RustCrypto. Refuses evidence that is sound but about another file.
//! Invariant: [`Verified`] is made only by [`verify()`], after a signature over this very artifact
//! was checked.

#[cfg(feature = "provenance")]
mod check;
pub mod checksum;
#[cfg(feature = "provenance")]
mod crypto;
mod error;
mod evidence;
#[cfg(feature = "provenance")]
mod identity;
#[cfg(feature = "provenance")]
mod keys;
pub mod log;
mod read;
#[cfg(feature = "provenance")]
mod sigstore;
mod statement;
mod sums;
#[cfg(all(test, feature = "provenance"))]
#[path = "../../tests/it/upstream/authority.rs"]
pub(crate) mod testing;
#[cfg(all(test, feature = "provenance"))]
mod tests;
mod trust;

use std::path::Path;

pub use error::Error;
pub use evidence::Evidence;
pub use read::{NpmKey, Slsa, github, npm_keys, npm_provenance, pypi, slsa};
pub use sums::{Read, Sums};
pub use trust::Trust;

use crate::base::{Integrity, Proof};

/// Whether this program was built with the feature `provenance`. Without it no evidence is asked
/// for, and none can be verified.
pub const ENABLED: bool = cfg!(feature = "provenance");

/// Result of reading or verifying evidence.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The artifact that evidence must be about.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// Its file name, as in the lock.
    pub file: &'a str,
    /// Hashes of its bytes; the locked one, and others where the bytes were at hand.
    pub digests: &'a [Integrity],
    /// Its bytes, if they are at hand: some signatures are over the bytes and not over a hash.
    pub content: Option<Content<'a>>,
}

/// Bytes that may be signed.
#[derive(Clone, Copy, Debug)]
pub enum Content<'a> {
    /// In a file.
    File(&'a Path),
    /// In memory: a small document.
    Bytes(&'a [u8]),
}

/// What was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Of what kind the evidence is.
    pub kind: Proof,
    /// Who signed; the same for every version of the same publisher.
    pub signer: String,
    /// The checksum file that was signed in the artifact's place, and lists it.
    pub list: Option<String>,
}

/// Verifies evidence about an artifact.
///
/// # Errors
/// Every error but [`Error::NeedsContent`], [`Error::Disabled`], [`Error::TrustRoot`] and
/// [`Error::File`] says that the evidence does not vouch for the artifact.
pub fn verify(evidence: &Evidence, subject: &Subject<'_>, trust: &Trust) -> Result<Verified> {
    #[cfg(feature = "provenance")]
    return check::verify(evidence, subject, trust);
    #[cfg(not(feature = "provenance"))]
    {
        let _ = (evidence, subject, trust);
        Err(Error::Disabled)
    }
}
