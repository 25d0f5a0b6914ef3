//! The in-toto statement in a bundle: what it says it is about.
//!
//! Reads without verifying: whatever is decided here only ever refuses. Invariant: a statement
//! passes when one of its subjects has one of the artifact's hashes.

use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value;

use super::{Error, Result};
use crate::base::{Algorithm, Integrity};

/// A statement (in-toto attestation framework, v0.1 and v1).
#[derive(Debug, Deserialize)]
pub(super) struct Statement {
    subject: Vec<Subject>,
}

#[derive(Debug, Deserialize)]
struct Subject {
    #[serde(default)]
    name: String,
    #[serde(default)]
    digest: std::collections::BTreeMap<String, String>,
}

impl Subject {
    fn hashes(&self) -> impl Iterator<Item = Integrity> {
        let known = [("sha256", Algorithm::Sha256), ("sha512", Algorithm::Sha512)];
        known.into_iter().filter_map(|(name, algorithm)| {
            Integrity::from_hex(algorithm, &self.digest.get(name)?.to_ascii_lowercase())
        })
    }
}

impl Statement {
    /// That of a bundle; `None` when the bundle is a signature over the artifact itself.
    pub(super) fn of(bundle: &Value) -> Result<Option<Self>> {
        let Some(payload) = bundle.pointer("/dsseEnvelope/payload") else { return Ok(None) };
        let text = payload.as_str().ok_or_else(|| Error::malformed("its payload is no text"))?;
        let bytes = BASE64.decode(text.as_bytes()).map_err(Error::malformed)?;
        serde_json::from_slice(&bytes).map(Some).map_err(Error::malformed)
    }

    /// The hash of the artifact that the statement names, with the names of that subject.
    pub(super) fn about(&self, digests: &[Integrity]) -> Result<(Integrity, &str)> {
        for subject in &self.subject {
            if let Some(hash) = subject.hashes().find(|hash| digests.contains(hash)) {
                return Ok((hash, &subject.name));
            }
        }
        // A release's statement names every file of it; a few tell what it is about.
        const SHOWN: usize = 3;
        let said = |subject: &Subject| {
            let hash = subject.hashes().next();
            let hash = hash.map_or_else(|| "no known hash".to_owned(), |hash| hash.to_string());
            format!("{hash}  `{}`", subject.name.escape_debug())
        };
        let mut found: Vec<String> = self.subject.iter().take(SHOWN).map(said).collect();
        if self.subject.len() > SHOWN {
            found.push(format!("and {} more", self.subject.len() - SHOWN));
        }
        let expected = digests.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
        // Nothing of the statement's algorithm is known of an artifact that is not here.
        let algorithms = |hash: &Integrity| {
            self.subject.iter().any(|s| s.hashes().any(|h| h.algorithm() == hash.algorithm()))
        };
        if !digests.iter().any(algorithms) && !self.subject.is_empty() {
            return Err(Error::NeedsContent);
        }
        Err(Error::OtherFile { expected, found })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn statement(subject: Value) -> Statement {
        let text = json!({"_type": "x", "subject": subject, "predicateType": "y"}).to_string();
        let payload = BASE64.encode(text.as_bytes());
        let bundle = json!({"dsseEnvelope": {"payload": payload}});
        Statement::of(&bundle).expect("statement").expect("one")
    }

    #[test]
    fn one_subject_must_be_the_artifact() {
        let (one, two) = (Integrity::sha256_of(b"1"), Integrity::sha256_of(b"2"));
        let both = statement(json!([
            {"name": "a", "digest": {"sha1": "00", "sha256": two.hex()}},
            {"name": "b", "digest": {"sha256": one.hex().to_uppercase()}}
        ]));
        assert_eq!(both.about(std::slice::from_ref(&one)).expect("subject"), (one.clone(), "b"));
        let other = statement(json!([{"name": "a", "digest": {"sha256": two.hex()}}]));
        let error = other.about(std::slice::from_ref(&one)).expect_err("other");
        assert!(matches!(error, Error::OtherFile { .. }), "{error}");
        let longer = statement(json!([{"name": "a", "digest": {"sha512": "ab".repeat(64)}}]));
        assert!(matches!(longer.about(std::slice::from_ref(&one)), Err(Error::NeedsContent)));
        assert!(statement(json!([])).about(&[one]).is_err());
    }

    #[test]
    fn a_bundle_without_envelope_has_none() {
        assert!(Statement::of(&json!({"messageSignature": {}})).expect("none").is_none());
        for payload in [json!(1), json!("*"), json!("bm8=")] {
            assert!(Statement::of(&json!({"dsseEnvelope": {"payload": payload}})).is_err());
        }
    }
}
