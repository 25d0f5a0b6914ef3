//! What can vouch for an artifact's bytes: the words of the lock's `verified`.
//!
//! Invariant: a word, once in a lock, keeps its meaning; new kinds are only added.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Something that vouches for an artifact's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Proof {
    /// The hash in the registry's index.
    RegistryHash,
    /// The digest that a forge records of a release's asset.
    ReleaseDigest,
    /// An index that the repository's keys, which this machine trusts, signed.
    SignedRelease,
    /// A checksum file that the publisher serves.
    ChecksumFile,
    /// A hash that the profile gives (`hashes`), for instance from another tool's lock.
    ProfileHash,
    /// The digest of an image's manifest.
    ManifestDigest,
    /// The database of checksums that the Go command asks (`GOSUMDB`).
    ChecksumDatabase,
    /// A signature of the npm registry over name, version and hash.
    NpmSignature,
    /// A minisign signature by the key that the profile or registry names.
    Minisign,
    /// A cosign signature by the key or identity that the profile or registry names.
    Cosign,
    /// An index attestation of PyPI (PEP 740).
    PypiAttestation,
    /// A provenance statement in the npm registry.
    NpmProvenance,
    /// An artifact attestation of GitHub.
    GithubAttestation,
    /// A provenance statement among a release's files (SLSA).
    SlsaProvenance,
    /// Nothing but the first download: later ones must equal it.
    FirstUse,
    /// A directory of this project, under its own version control.
    Local,
}

/// A word that names no [`Proof`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no proof is called so")]
pub struct UnknownProof;

impl Proof {
    /// Every kind, in the order of the lock.
    pub const ALL: [Self; 16] = [
        Self::RegistryHash,
        Self::ReleaseDigest,
        Self::SignedRelease,
        Self::ChecksumFile,
        Self::ProfileHash,
        Self::ManifestDigest,
        Self::ChecksumDatabase,
        Self::NpmSignature,
        Self::Minisign,
        Self::Cosign,
        Self::PypiAttestation,
        Self::NpmProvenance,
        Self::GithubAttestation,
        Self::SlsaProvenance,
        Self::FirstUse,
        Self::Local,
    ];

    /// Its word in the lock and in profiles.
    pub const fn name(self) -> &'static str {
        match self {
            Self::RegistryHash => "registry-hash",
            Self::ReleaseDigest => "release-digest",
            Self::SignedRelease => "signed-release",
            Self::ChecksumFile => "checksum-file",
            Self::ProfileHash => "profile-hash",
            Self::ManifestDigest => "manifest-digest",
            Self::ChecksumDatabase => "checksum-database",
            Self::NpmSignature => "npm-signature",
            Self::Minisign => "minisign",
            Self::Cosign => "cosign",
            Self::PypiAttestation => "pypi-attestation",
            Self::NpmProvenance => "npm-provenance",
            Self::GithubAttestation => "github-attestation",
            Self::SlsaProvenance => "slsa-provenance",
            Self::FirstUse => "first-use",
            Self::Local => "local",
        }
    }

    /// Whether it is somebody's signature over the artifact, or over a file that lists it.
    pub const fn is_signed(self) -> bool {
        matches!(
            self,
            Self::NpmSignature
                | Self::Minisign
                | Self::Cosign
                | Self::PypiAttestation
                | Self::NpmProvenance
                | Self::GithubAttestation
                | Self::SlsaProvenance
        )
    }

    /// Whether somebody else than the one who served the bytes vouches for them.
    pub const fn vouches(self) -> bool {
        !matches!(self, Self::FirstUse | Self::Local)
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Proof {
    type Err = UnknownProof;

    fn from_str(text: &str) -> Result<Self, UnknownProof> {
        Self::ALL.into_iter().find(|proof| proof.name() == text).ok_or(UnknownProof)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_lock() {
        for proof in Proof::ALL {
            let json = serde_json::to_string(&proof).expect("json");
            assert_eq!(json, format!("\"{proof}\""));
            assert_eq!(proof.name().parse(), Ok(proof));
        }
        assert_eq!("trust".parse::<Proof>(), Err(UnknownProof));
        assert!(Proof::ALL.is_sorted());
    }
}
