//! Signatures that the profile asks for: whose they are, and where they lie beside an artifact.
//!
//! Owns what `minisign` and `cosign` of a dep mean to `url:` and `github:`. Invariant: the key or
//! identity that evidence is made with is the profile's, never the server's.

use super::access::Access;
use super::{Error, Location, Query, Result};
use crate::fs;
use crate::profile::model::Cosign;
use crate::provenance::{self, Evidence};

/// A signature to look for.
pub(super) struct Wanted {
    /// A template of its place that the profile gives.
    pub(super) place: Option<String>,
    /// What the artifact's name is followed by, where it gives none.
    pub(super) ending: &'static str,
    by: By,
}

enum By {
    Minisign { key: String },
    Key { pem: String },
    Identity { identity: String, issuer: String },
}

/// The signatures that a dep's profile names.
pub(super) fn wanted(query: &Query<'_>, access: &Access) -> Result<Vec<Wanted>> {
    let requirement = query.requirement;
    let mut out = Vec::new();
    if let Some(key) = &requirement.minisign {
        out.push(Wanted {
            place: requirement.signature.clone(),
            ending: ".minisig",
            by: By::Minisign { key: key.clone() },
        });
    }
    match &requirement.cosign {
        None => {}
        Some(Cosign::Identity { identity, issuer, bundle }) => out.push(Wanted {
            place: bundle.clone(),
            ending: ".sigstore.json",
            by: By::Identity { identity: identity.clone(), issuer: issuer.clone() },
        }),
        Some(Cosign::Key { file, signature }) => {
            let pem = fs::read_to_string(&file.under(&access.project))
                .map_err(|source| Error::PathIo { subject: query.subject(), source })?;
            let (place, ending) = (signature.clone(), ".sig");
            out.push(Wanted { place, ending, by: By::Key { pem } });
        }
    }
    Ok(out)
}

impl Wanted {
    /// The evidence, from the bytes that lay there.
    pub(super) fn of(self, query: &Query<'_>, at: &Location, body: &[u8]) -> Result<Evidence> {
        let text = || String::from_utf8_lossy(body).into_owned();
        Ok(match self.by {
            By::Minisign { key } => Evidence::Minisign { key, signature: text() },
            By::Key { pem } => Evidence::CosignKey { key: pem, signature: text() },
            By::Identity { identity, issuer } => {
                let bundle = serde_json::from_slice(body).map_err(|e| {
                    refused(query, at, provenance::Error::Malformed { why: e.to_string() })
                })?;
                Evidence::Cosign { identity, issuer, bundle }
            }
        })
    }
}

/// An answer that is not what it should be.
pub(super) fn refused(query: &Query<'_>, at: &Location, error: provenance::Error) -> Error {
    Error::Evidence { subject: query.subject(), url: at.shown(), source: Box::new(error) }
}
