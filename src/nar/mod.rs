//! NAR, Nix's archive format: the serialisation whose SHA-256 is a tree's identity.
//!
//! Owns the wire format, its writer and its reader. Only names, contents, the executable bit and
//! link targets survive; entries are sorted bytewise. Reference: the Nix manual, "Nix Archive (NAR)
//! format"; Dolstra, "The Purely Functional Software Deployment Model", figure 5.2.

use std::path::Path;

use crate::base::TreeHash;

/// The NAR hash of a tree on disk and the length of its serialisation in bytes.
pub fn hash_path(path: &Path) -> Result<(TreeHash, u64), crate::fs::Error> {
    let _ = path;
    todo!()
}
