//! `evidence/<algorithm>/<hex>`: the documents that proofs were verified from, by their own hash.
//!
//! They are small, publishers' servers may lose them, and a lock names them: so neither the
//! collector nor whoever empties the artifact cache touches them. Refuses bytes that are not what
//! their name promises. Invariant: a document is placed by one rename and never changed.

use super::layout::ensure_dir;
use super::{Error, Result, Store, fs};
use crate::base::{Algorithm, Hasher, Integrity};

impl Store {
    /// Keeps a document; gives the hash to ask for it with.
    pub fn keep_evidence(&self, bytes: &[u8]) -> Result<Integrity> {
        let digest = Integrity::sha256_of(bytes);
        let path = self.layout.evidence(&digest);
        // One that was damaged is replaced, since these bytes are right.
        if fs::missing_is_none(fs::read(&path))?.is_some_and(|there| there == bytes) {
            return Ok(digest);
        }
        self.layout.create()?;
        let write = || {
            let kinds = path.parent();
            for dir in kinds.and_then(std::path::Path::parent).into_iter().chain(kinds) {
                ensure_dir(dir, 0o755)?;
            }
            self.layout.write_file(&path, bytes)
        };
        write().map_err(|e| Error::writing(self.layout.root(), e))?;
        Ok(digest)
    }

    /// A kept document; `None` when it is not here.
    ///
    /// # Errors
    /// An integrity error when its bytes are no longer those that were kept.
    pub fn evidence(&self, digest: &Integrity) -> Result<Option<Vec<u8>>> {
        let path = self.layout.evidence(digest);
        let Some(bytes) = fs::missing_is_none(fs::read(&path))? else { return Ok(None) };
        let actual = match digest.algorithm() {
            Algorithm::Sha256 => Integrity::sha256_of(&bytes),
            Algorithm::Sha512 => {
                let mut hasher = Hasher::new(Algorithm::Sha512);
                hasher.update(&bytes);
                hasher.finish()
            }
        };
        if actual == *digest {
            return Ok(Some(bytes));
        }
        Err(Error::EvidenceChanged { path, expected: digest.clone(), actual })
    }
}
