//! The 160-bit digest that opens a store object's name.
//!
//! Invariant: always 20 bytes, always written as 32 characters of Nix base-32, ordered as they are
//! written.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::nix32;

/// A store digest: a SHA-256 folded to 160 bits by XOR, as Nix does for store paths.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 20]);

/// As the text is ordered, which Nix base-32 writes from the last byte to the first: fingerprints
/// list references in this order.
impl Ord for Digest {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.iter().rev().cmp(other.0.iter().rev())
    }
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Digest {
    /// Folds the SHA-256 of a fingerprint (`type:sha256:hex:/nix/store:name`) to 160 bits.
    ///
    /// Reference: the Nix manual, "Store path specification".
    pub fn of_fingerprint(fingerprint: &str) -> Self {
        let full = Sha256::digest(fingerprint.as_bytes());
        let mut out = [0u8; 20];
        for (i, byte) in full.iter().enumerate() {
            out[i % 20] ^= byte;
        }
        Self(out)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&nix32::encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not 32 characters of Nix base-32.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a store digest (32 characters of Nix base-32)")]
pub struct InvalidDigest(pub String);

impl FromStr for Digest {
    type Err = InvalidDigest;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        nix32::decode(s).map(Self).ok_or_else(|| InvalidDigest(s.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ordered_as_written(a: [u8; 20], b: [u8; 20]) {
            let (a, b) = (Digest(a), Digest(b));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
        }
    }
}
