//! Store object names: `<digest>-<name>`, Nix's content-addressed store path without the prefix.
//!
//! Invariant: the digest is a function of the tree, the references and the name, so equal names
//! mean equal bytes. Reference: the Nix manual, "Store path specification" (type `source`).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{Digest, TreeHash};

/// The directory in every fingerprint. It is part of Nix's formula, not a place on this host.
const STORE_DIR: &str = "/nix/store";
/// Nix refuses longer names.
const MAX_NAME: usize = 211;

/// The name of a store object.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectName {
    digest: Digest,
    name: String,
}

impl ObjectName {
    /// The name of a tree that refers to `references` (other objects it links to).
    ///
    /// # Errors
    /// When `name` has a character that Nix does not allow in store paths, starts with a dot, or
    /// is longer than 211 characters.
    pub fn for_tree(
        tree: &TreeHash,
        references: &BTreeSet<ObjectName>,
        name: &str,
    ) -> Result<Self, InvalidObjectName> {
        check_name(name)?;
        let mut fingerprint = String::from("source");
        for reference in references {
            fingerprint.push_str(&format!(":{STORE_DIR}/{reference}"));
        }
        fingerprint.push_str(&format!(":sha256:{}:{STORE_DIR}:{name}", tree.hex()));
        Ok(Self { digest: Digest::of_fingerprint(&fingerprint), name: name.to_owned() })
    }

    /// The digest part.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The part after the digest, e.g. `nats-server-2.15.1`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn check_name(name: &str) -> Result<(), InvalidObjectName> {
    let good = !name.is_empty()
        && name.len() <= MAX_NAME
        && !name.starts_with('.')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._?=".contains(&b));
    if good { Ok(()) } else { Err(InvalidObjectName(name.to_owned())) }
}

/// The text is not `<32 characters of Nix base-32>-<name>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a store object name (`<digest>-<name>`)")]
pub struct InvalidObjectName(pub String);

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.digest, self.name)
    }
}

impl fmt::Debug for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ObjectName {
    type Err = InvalidObjectName;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || InvalidObjectName(s.to_owned());
        let (digest, name) = s.split_once('-').ok_or_else(bad)?;
        check_name(name).map_err(|_| bad())?;
        Ok(Self { digest: digest.parse().map_err(|_| bad())?, name: name.to_owned() })
    }
}

impl TryFrom<String> for ObjectName {
    type Error = InvalidObjectName;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<ObjectName> for String {
    fn from(value: ObjectName) -> Self {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_it_prints() {
        let hash = TreeHash::new([7; 32]);
        let name = ObjectName::for_tree(&hash, &BTreeSet::new(), "x-1.0").expect("name");
        assert_eq!(name.to_string().parse(), Ok(name.clone()));
        let with_reference =
            ObjectName::for_tree(&hash, &BTreeSet::from([name.clone()]), "x-1.0").expect("name");
        assert_ne!(name, with_reference, "references are part of the identity");
    }

    /// What `nix store make-content-addressed` named a tree with these references. The names are
    /// sorted as text, which is not the order of the digests' bytes.
    #[test]
    fn references_count_in_the_order_that_nix_has() {
        let tree = "sha256-389i6TiNgkLpvbOeJxyKNOYTD63gnCb4CMsjowzje6s=".parse().expect("hash");
        let names = [
            "67hjk5vpimivcbi7gccsq2hshw3pam2w-caddy-2.11.7",
            "las8lnmmi11bkl7hfc489md2nd8zl0hj-nats-server-2.15.1",
            "n17phr0n4bdh4i2a05p5byb56hdqivy7-pocketbase-0.40.6",
        ];
        let references = names.iter().map(|n| n.parse().expect("name")).collect();
        let name = ObjectName::for_tree(&tree, &references, "env-dev").expect("name");
        assert_eq!(name.to_string(), "06wzyv0bi5cpnibxi24q5pgw2pp1p1vz-env-dev");
        assert!(references.iter().map(ToString::to_string).eq(names));
    }

    #[test]
    fn refuses_what_nix_refuses() {
        for bad in ["", ".hidden", "a/b", "a b", &"x".repeat(212)] {
            assert!(
                ObjectName::for_tree(&TreeHash::new([0; 32]), &BTreeSet::new(), bad).is_err(),
                "{bad}"
            );
        }
    }
}
