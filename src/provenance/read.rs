//! What registries and forges answer → [`Evidence`]. Pure.
//!
//! Formats: PEP 740 (provenance object), the npm registry's `attestations` and `keys` documents,
//! GitHub's REST API "attestations". Unknown fields are ignored, as all of them ask.

use serde::Deserialize;
use serde_json::Value;

use super::evidence::{Evidence, NpmSigningKey};
use super::log::Certificate;
use super::statement::Statement;
use super::{Error, Result};
use crate::base::Integrity;

/// A key of an npm registry, as it publishes it.
pub type NpmKey = NpmSigningKey;

/// The provenance object of a file in a Python index.
pub fn pypi(body: &[u8]) -> Result<Vec<Evidence>> {
    #[derive(Deserialize)]
    struct Document {
        version: u64,
        attestation_bundles: Vec<Bundle>,
    }
    #[derive(Deserialize)]
    struct Bundle {
        publisher: Value,
        attestations: Vec<Value>,
    }
    let document: Document = serde_json::from_slice(body).map_err(Error::malformed)?;
    if document.version != 1 {
        let why = format!("it has version {}; only 1 is known", document.version);
        return Err(Error::malformed(why));
    }
    let mut out = Vec::new();
    for Bundle { publisher, attestations } in document.attestation_bundles {
        for attestation in attestations {
            let publisher = publisher.clone();
            out.push(Evidence::PypiAttestation { publisher, attestation });
        }
    }
    Ok(out)
}

/// The attestations of a version in an npm registry. Those that the registry signed with a key of
/// its own say what [`Evidence::NpmSignature`] says, and are left out.
pub fn npm_provenance(body: &[u8], name: &str, version: &str) -> Result<Vec<Evidence>> {
    #[derive(Deserialize)]
    struct Document {
        attestations: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        bundle: Value,
    }
    let document: Document = serde_json::from_slice(body).map_err(Error::malformed)?;
    let bundles = document.attestations.into_iter().map(|entry| entry.bundle);
    let by_certificate =
        bundles.filter(|bundle| bundle.pointer("/verificationMaterial/publicKey").is_none());
    Ok(by_certificate
        .map(|bundle| Evidence::NpmProvenance {
            name: name.to_owned(),
            version: version.to_owned(),
            bundle,
        })
        .collect())
}

/// The keys that an npm registry signs with.
pub fn npm_keys(body: &[u8]) -> Result<Vec<NpmKey>> {
    #[derive(Deserialize)]
    struct Document {
        keys: Vec<Key>,
    }
    #[derive(Deserialize)]
    struct Key {
        keyid: String,
        key: String,
        #[serde(default)]
        expires: Option<String>,
    }
    let document: Document = serde_json::from_slice(body).map_err(Error::malformed)?;
    let keys = document.keys.into_iter();
    Ok(keys.map(|Key { keyid, key, expires }| NpmKey { keyid, key, expires }).collect())
}

/// The attestations that a forge has of a digest.
pub fn github(body: &[u8], repository: &str) -> Result<Vec<Evidence>> {
    #[derive(Deserialize)]
    struct Document {
        attestations: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        #[serde(default)]
        bundle: Value,
    }
    let document: Document = serde_json::from_slice(body).map_err(Error::malformed)?;
    let mut out = Vec::new();
    for Entry { bundle } in document.attestations {
        if !bundle.is_object() {
            return Err(Error::malformed("an attestation has no bundle in it"));
        }
        if !is_about_a_build(&bundle) {
            continue;
        }
        out.push(Evidence::GithubAttestation { repository: repository.to_owned(), bundle });
    }
    Ok(out)
}

/// One line of a file of provenance statements.
#[derive(Clone, Debug, PartialEq)]
pub enum Slsa {
    /// A whole bundle.
    Bundle(Value),
    /// A signed statement with the certificate that signed it; the log's word is missing.
    Envelope {
        /// The envelope (DSSE).
        envelope: Value,
        /// Who signed it.
        certificate: Certificate,
    },
    /// A signed statement that says nothing of who signed it.
    Bare,
}

/// A file of provenance statements (`.intoto.jsonl`): envelopes or bundles, one a line, or one
/// document over several lines. Those that name other hashes than `digests` are left out, unless
/// there is no other.
pub fn slsa(body: &[u8], digests: &[Integrity]) -> Result<Vec<Slsa>> {
    let values: Vec<Value> = serde_json::Deserializer::from_slice(body)
        .into_iter()
        .collect::<Result<_, _>>()
        .map_err(Error::malformed)?;
    let names = |value: &Value| {
        let envelope = value.get("dsseEnvelope").unwrap_or(value);
        let bundle = serde_json::json!({ "dsseEnvelope": envelope });
        let statement = Statement::of(&bundle).ok().flatten();
        statement.is_none_or(|statement| statement.about(digests).is_ok())
    };
    let (about, other): (Vec<Value>, Vec<Value>) = values.into_iter().partition(names);
    // Statements about other files alone are an answer as well: a wrong one.
    let chosen = if about.is_empty() { other } else { about };
    chosen.into_iter().map(line).collect()
}

fn line(value: Value) -> Result<Slsa> {
    if value.get("verificationMaterial").is_some() {
        return Ok(Slsa::Bundle(value));
    }
    if value.get("payload").is_none() {
        return Err(Error::malformed("a line of it is neither an envelope nor a bundle"));
    }
    let certificate = value.pointer("/signatures/0/cert").and_then(Value::as_str);
    Ok(match certificate.and_then(Certificate::read) {
        Some(certificate) => Slsa::Envelope { envelope: value, certificate },
        None => Slsa::Bare,
    })
}

/// Whether a bundle says how its subject was built. Forges also sign statements of their own about
/// a release, and publishers about contents: neither says who built the file. What cannot be read
/// is kept, for the verification to refuse.
fn is_about_a_build(bundle: &Value) -> bool {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statement {
        predicate_type: String,
    }
    let payload = bundle.pointer("/dsseEnvelope/payload").and_then(Value::as_str);
    let bytes = payload.and_then(|text| data_encoding::BASE64.decode(text.as_bytes()).ok());
    let statement = bytes.and_then(|bytes| serde_json::from_slice::<Statement>(&bytes).ok());
    statement.is_none_or(|s| s.predicate_type.contains("slsa.dev/provenance/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_is_published() {
        let body = br#"{"version": 1, "attestation_bundles": [
            {"publisher": {"kind": "GitHub"}, "attestations": [{"version": 1}, {"version": 1}]},
            {"publisher": {"kind": "Google"}, "attestations": [{}], "more": 1}]}"#;
        assert_eq!(pypi(body).expect("evidence").len(), 3);
        let body = br#"{"attestations": [
            {"predicateType": "a", "bundle": {"verificationMaterial": {"publicKey": {"hint": "x"}}}},
            {"predicateType": "b", "bundle": {"verificationMaterial": {"x509CertificateChain": {}}}}]}"#;
        let found = npm_provenance(body, "a", "1.0.0").expect("evidence");
        assert!(matches!(&found[..], [Evidence::NpmProvenance { name, .. }] if name == "a"));
        let body =
            br#"{"keys": [{"expires": null, "keyid": "SHA256:x", "keytype": "k", "key": "y"}]}"#;
        assert_eq!(npm_keys(body).expect("keys")[0].keyid, "SHA256:x");
        let body = br#"{"attestations": [{"bundle": {}, "repository_id": 1}]}"#;
        assert_eq!(github(body, "o/r").expect("evidence").len(), 1);
        assert_eq!(github(br#"{"attestations": []}"#, "o/r").expect("evidence"), []);
        for (predicate, count) in [("https://slsa.dev/provenance/v1", 1), ("https://x/release", 0)]
        {
            let statement = format!(r#"{{"predicateType": "{predicate}"}}"#);
            let payload = data_encoding::BASE64.encode(statement.as_bytes());
            let body = format!(
                r#"{{"attestations": [{{"bundle": {{"dsseEnvelope": {{"payload": "{payload}"}}}}}}]}}"#
            );
            assert_eq!(github(body.as_bytes(), "o/r").expect("evidence").len(), count);
        }
    }

    #[test]
    fn refuses() {
        for body in ["", "{}", "[]", "<html>", r#"{"version": 2, "attestation_bundles": []}"#] {
            assert!(pypi(body.as_bytes()).is_err(), "{body}");
            assert!(npm_provenance(body.as_bytes(), "a", "1").is_err(), "{body}");
            assert!(npm_keys(body.as_bytes()).is_err(), "{body}");
            assert!(github(body.as_bytes(), "o/r").is_err(), "{body}");
        }
        let by_link = br#"{"attestations": [{"bundle": null, "bundle_url": "http://a.invalid"}]}"#;
        assert!(github(by_link, "o/r").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\{\"(attestations|keys|version)\":\\PC{0,60}") {
            let body = s.as_bytes();
            let _ = (pypi(body), npm_provenance(body, "a", "1"), npm_keys(body), github(body, "o/r"));
        }
    }
}
