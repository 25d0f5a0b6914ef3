//! Content hashes: what vouches for an artifact, and what names a tree.
//!
//! Two types that must never be confused: [`Integrity`] covers the bytes of a file as served,
//! [`TreeHash`] covers the NAR serialisation of an unpacked tree. Both are written as
//! Subresource Integrity strings (W3C SRI: `sha256-<base64>`).

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64, HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha512};

use super::nix32;

/// A hash function that a source may publish. Weaker ones are not accepted anywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4), npm's default.
    Sha512,
}

impl Algorithm {
    /// The name used in SRI strings and in the artifact cache's folders.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of a digest in bytes.
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

/// The hash of an artifact's bytes as its source serves them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Integrity {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Integrity {
    /// From raw digest bytes; `None` when the length is not the algorithm's.
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        (bytes.len() == algorithm.digest_len()).then(|| Self { algorithm, bytes: bytes.to_vec() })
    }

    /// From hexadecimal, as checksum files and PyPI write it.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Option<Self> {
        Self::new(algorithm, &HEXLOWER_PERMISSIVE.decode(hex.trim().as_bytes()).ok()?)
    }

    /// The SHA-256 of bytes held in memory.
    pub fn sha256_of(data: &[u8]) -> Self {
        Self { algorithm: Algorithm::Sha256, bytes: Sha256::digest(data).to_vec() }
    }

    /// The algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The hash itself, without its algorithm.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Lower-case hexadecimal of the digest.
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.bytes)
    }
}

impl fmt::Display for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.algorithm.name(), BASE64.encode(&self.bytes))
    }
}

impl fmt::Debug for Integrity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not an SRI string of an accepted algorithm.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an integrity value (`sha256-<base64>` or `sha512-<base64>`)")]
pub struct InvalidIntegrity(pub String);

impl FromStr for Integrity {
    type Err = InvalidIntegrity;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parsed = || {
            let (algorithm, value) = s.split_once('-')?;
            let algorithm = match algorithm {
                "sha256" => Algorithm::Sha256,
                "sha512" => Algorithm::Sha512,
                _ => return None,
            };
            Self::new(algorithm, &BASE64.decode(value.as_bytes()).ok()?)
        };
        parsed().ok_or_else(|| InvalidIntegrity(s.to_owned()))
    }
}

impl TryFrom<String> for Integrity {
    type Error = InvalidIntegrity;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<Integrity> for String {
    fn from(value: Integrity) -> Self {
        value.to_string()
    }
}

/// The SHA-256 of a tree's NAR serialisation: the identity of what a service executes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreeHash([u8; 32]);

impl TreeHash {
    /// From the raw SHA-256 of a NAR.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The raw digest.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Lower-case hexadecimal, as store-path fingerprints need it.
    pub fn hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// Nix base-32, as `nix-hash --type sha256 --base32 PATH` prints it.
    pub fn nix32(&self) -> String {
        nix32::encode(&self.0)
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256-{}", BASE64.encode(&self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for TreeHash {
    type Err = InvalidIntegrity;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let integrity: Integrity = s.parse()?;
        let bytes: [u8; 32] =
            integrity.bytes.try_into().map_err(|_| InvalidIntegrity(s.to_owned()))?;
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for TreeHash {
    type Error = InvalidIntegrity;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<TreeHash> for String {
    fn from(value: TreeHash) -> Self {
        value.to_string()
    }
}

/// A running hash of the algorithm that an [`Integrity`] asks for.
#[derive(Clone)]
pub enum Hasher {
    /// SHA-256 state.
    Sha256(Sha256),
    /// SHA-512 state.
    Sha512(Sha512),
}

impl Hasher {
    /// A fresh state.
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Feeds bytes.
    pub fn update(&mut self, data: &[u8]) {
        match self {
            Self::Sha256(h) => h.update(data),
            Self::Sha512(h) => h.update(data),
        }
    }

    /// The digest of all bytes fed.
    pub fn finish(self) -> Integrity {
        match self {
            Self::Sha256(h) => {
                Integrity { algorithm: Algorithm::Sha256, bytes: h.finalize().to_vec() }
            }
            Self::Sha512(h) => {
                Integrity { algorithm: Algorithm::Sha512, bytes: h.finalize().to_vec() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sri_round_trips_and_rejects() {
        let i = Integrity::sha256_of(b"hello\n");
        assert_eq!(i.to_string(), "sha256-WJG1tSLV3whtD/CxEPvZ0hu0/HFjrzTQgoai6Eb2vgM=");
        assert_eq!(i.to_string().parse::<Integrity>(), Ok(i));
        for bad in ["", "sha256-", "md5-AAAA", "sha256-WJG1", "sha256:WJG1", "sha512-WJG1tSLV"] {
            assert!(bad.parse::<Integrity>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_sha512_is_no_tree_hash() {
        let long = Hasher::new(Algorithm::Sha512).finish().to_string();
        assert!(long.parse::<TreeHash>().is_err());
    }
}
