//! How a dep's tree is called in the store.
//!
//! Invariant: one function makes the readable part of a name, so that lock, store and reader
//! cannot disagree; it holds only characters that Nix allows in a store path's name.

use std::collections::BTreeSet;

use crate::base::{DepName, ObjectName, TreeHash, Version};

/// The readable part of a dep's object name: `<dep>-<version>`.
///
/// Characters of a version that Nix does not allow in names (the `!` of a Python epoch) become
/// `-`. Reference: the Nix manual, "Store path" (allowed characters).
pub fn object_suffix(dep: &DepName, version: &Version) -> String {
    let version = version.as_str().chars().map(|c| match c {
        '+' | '.' | '_' | '?' | '=' | '-' => c,
        c if c.is_ascii_alphanumeric() => c,
        _ => '-',
    });
    let mut out = format!("{dep}-");
    out.extend(version);
    out
}

/// The object name that follows from a tree, its dep and its version. A dep's tree refers to no
/// other object.
///
/// # Errors
/// Never for names and versions as long as `base` allows them; the store's limit is longer.
pub fn object_name(
    tree: &TreeHash,
    dep: &DepName,
    version: &Version,
) -> Result<ObjectName, crate::base::object_name::InvalidObjectName> {
    ObjectName::for_tree(tree, &BTreeSet::new(), &object_suffix(dep, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn replaces_what_nix_refuses() {
        let dep = DepName::new("g++").expect("name");
        let suffix = |v: &str| object_suffix(&dep, &v.parse().expect("version"));
        assert_eq!(suffix("2.15.1"), "g++-2.15.1");
        assert_eq!(suffix("1!2.0+local"), "g++-1-2.0+local");
    }

    proptest! {
        #[test]
        fn every_dep_and_version_has_a_name(
            dep in "[a-zA-Z0-9][a-zA-Z0-9_.+-]{0,63}",
            version in "[0-9][0-9a-zA-Z.+_!-]{0,63}",
        ) {
            let dep = DepName::new(dep).expect("name");
            if let Ok(version) = version.parse() {
                prop_assert!(object_name(&TreeHash::new([1; 32]), &dep, &version).is_ok());
            }
        }
    }
}
