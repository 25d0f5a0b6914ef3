//! Evidence: everything that is needed to verify where an artifact comes from, but for the
//! artifact's hash and the trust root.
//!
//! It is one JSON document, kept by the hash of its bytes. Invariant: a document that was written
//! is read back as the same evidence, so that what was verified when locking is what is verified
//! later.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::statement::Statement;
use super::sums::Sums;
use super::{Error, Result};
use crate::base::{Algorithm, Integrity, Proof};

/// A signed statement or signature with what it must be compared with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Evidence {
    /// An attestation object of an index (PEP 740).
    PypiAttestation {
        /// Who may publish, as the index says.
        publisher: Value,
        /// The attestation object.
        attestation: Value,
    },
    /// A provenance statement of the npm registry.
    NpmProvenance {
        /// The package.
        name: String,
        /// Its version.
        version: String,
        /// The Sigstore bundle.
        bundle: Value,
    },
    /// A signature of the npm registry over `NAME@VERSION:INTEGRITY` (ECDSA, P-256).
    NpmSignature {
        /// The package.
        name: String,
        /// Its version.
        version: String,
        /// `dist.integrity`, as it was signed.
        integrity: String,
        /// The signature, DER in base64.
        signature: String,
        /// The key that the signature names.
        key: NpmSigningKey,
        /// When the version was published, where the key has an end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        published: Option<String>,
    },
    /// An artifact attestation of a forge.
    GithubAttestation {
        /// `OWNER/REPOSITORY` that the artifact must have been built from.
        repository: String,
        /// The Sigstore bundle.
        bundle: Value,
    },
    /// A minisign signature.
    Minisign {
        /// The public key, base64.
        key: String,
        /// The signature file's text.
        signature: String,
    },
    /// A Sigstore bundle by somebody whom the profile or registry names.
    Cosign {
        /// The certificate's subject: a URL with or without `@REF`, or an e-mail address.
        identity: String,
        /// Who vouched for the identity.
        issuer: String,
        /// The Sigstore bundle.
        bundle: Value,
    },
    /// A signature by a key that the profile or registry names, without a log.
    CosignKey {
        /// The public key, PEM.
        key: String,
        /// The signature, base64.
        signature: String,
    },
    /// A provenance statement among a release's files.
    Slsa {
        /// `OWNER/REPOSITORY` that the artifact must have been built from.
        repository: String,
        /// The git reference that it must have been built at; any when `None`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// The Sigstore bundle.
        bundle: Value,
    },
    /// A signature over a checksum file that lists the artifact.
    Listed {
        /// The checksum file's name.
        list: String,
        /// Its text, as it was signed.
        text: String,
        /// The name that the artifact has in it.
        file: String,
        /// How it is read.
        sums: Sums,
        /// What vouches for the checksum file.
        by: Box<Evidence>,
    },
}

/// A key of an npm registry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NpmSigningKey {
    /// Its name: `SHA256:` and the hash of its bytes in base64.
    pub keyid: String,
    /// SubjectPublicKeyInfo, base64; empty when the registry publishes no such key.
    pub key: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
}

impl Evidence {
    /// What it proves, once it is verified.
    pub fn kind(&self) -> Proof {
        match self {
            Self::PypiAttestation { .. } => Proof::PypiAttestation,
            Self::NpmProvenance { .. } => Proof::NpmProvenance,
            Self::NpmSignature { .. } => Proof::NpmSignature,
            Self::GithubAttestation { .. } => Proof::GithubAttestation,
            Self::Minisign { .. } => Proof::Minisign,
            Self::Cosign { .. } | Self::CosignKey { .. } => Proof::Cosign,
            Self::Slsa { .. } => Proof::SlsaProvenance,
            Self::Listed { by, .. } => by.kind(),
        }
    }

    /// Whether its statement names an artifact of this hash, so that a forge need not be asked
    /// again for what one statement says of all files of a release.
    pub fn names(&self, digest: &Integrity) -> bool {
        match self {
            Self::GithubAttestation { bundle, .. } => Statement::of(bundle)
                .ok()
                .flatten()
                .is_some_and(|statement| statement.about(std::slice::from_ref(digest)).is_ok()),
            _ => false,
        }
    }

    /// The hash of the artifact that it is compared with, where it is of one kind alone.
    pub fn algorithm(&self) -> Option<Algorithm> {
        match self {
            Self::Listed { sums, .. } => Some(sums.algorithm),
            _ => None,
        }
    }

    /// The document that is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Maps with text keys and no fractions: this has no way to fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The hash that the document is kept by.
    pub fn digest(&self) -> Integrity {
        Integrity::sha256_of(&self.to_bytes())
    }

    /// Reads a document that was kept.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes).map_err(Error::malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sums::Read;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn a_document_is_read_back(key in "\\PC{0,40}", signature in "\\PC{0,80}", n in any::<u32>()) {
            let some = [
                Evidence::Minisign { key: key.clone(), signature: signature.clone() },
                Evidence::Listed {
                    list: key.clone(),
                    text: signature.clone(),
                    file: key.clone(),
                    sums: Sums {
                        algorithm: Algorithm::Sha512,
                        read: Read::Patterns { checksum: key.clone(), file: None },
                    },
                    by: Box::new(Evidence::CosignKey {
                        key: signature.clone(),
                        signature: key.clone(),
                    }),
                },
                Evidence::GithubAttestation {
                    repository: key.clone(),
                    bundle: json!({"b": n, "a": [signature, null, true]}),
                },
            ];
            for evidence in some {
                let bytes = evidence.to_bytes();
                prop_assert_eq!(&Evidence::from_bytes(&bytes).expect("evidence"), &evidence);
                prop_assert_eq!(evidence.digest(), Integrity::sha256_of(&bytes));
            }
        }

        #[test]
        fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..60), s in "\\{\"kind\":\"cosign\\PC{0,40}") {
            let _ = (Evidence::from_bytes(&bytes), Evidence::from_bytes(s.as_bytes()));
        }
    }
}
