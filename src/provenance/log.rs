//! What a transparency log answers, as the part of a Sigstore bundle that it is. Pure.
//!
//! Publishers that keep signature and certificate apart leave the log's word to whoever verifies:
//! it is asked for once, when locking, and from then on kept in the bundle. Reads the answers of
//! Rekor's API, version 1 (`index/retrieve`, `log/entries`); the entry is that of Sigstore's
//! protobuf JSON (`TransparencyLogEntry`). Verifies nothing: an entry that was chosen here is
//! verified with the bundle. Invariant: an entry is only given for the certificate asked about, and
//! certificates of workloads are made for one signature.

use data_encoding::{BASE64, BASE64_MIME_PERMISSIVE, HEXLOWER_PERMISSIVE};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Error, Result};
use crate::base::Integrity;

/// The question for entries about an artifact: path below the log, and the document to send.
pub fn question(artifact: &Integrity) -> (&'static str, Vec<u8>) {
    let hash = format!("{}:{}", artifact.algorithm().name(), artifact.hex());
    ("api/v1/index/retrieve", json!({ "hash": hash }).to_string().into_bytes())
}

/// Paths of the entries that an answer to [`question`] names, below the log.
///
/// # Errors
/// When it is no such answer.
pub fn entries(body: &[u8]) -> Result<Vec<String>> {
    let names: Vec<String> = serde_json::from_slice(body).map_err(Error::malformed)?;
    let is_name = |name: &String| !name.is_empty() && name.bytes().all(|b| b.is_ascii_hexdigit());
    let paths = names.iter().filter(|name| is_name(name));
    Ok(paths.map(|name| format!("api/v1/log/entries/{name}")).collect())
}

/// The entry in an answer, if it is about a signature by this certificate.
///
/// # Errors
/// When it is no entry.
pub fn entry(body: &[u8], certificate: &Certificate) -> Result<Option<Value>> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Entry {
        body: String,
        integrated_time: i64,
        #[serde(rename = "logID")]
        log_id: String,
        log_index: i64,
        verification: Verification,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Verification {
        inclusion_proof: Inclusion,
        signed_entry_timestamp: String,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Inclusion {
        checkpoint: String,
        hashes: Vec<String>,
        log_index: i64,
        root_hash: String,
        tree_size: i64,
    }
    let mut all: Map<String, Value> = serde_json::from_slice(body).map_err(Error::malformed)?;
    let name = all.keys().next().cloned();
    let Some(found) = name.and_then(|name| all.remove(&name)) else { return Ok(None) };
    let found: Entry = serde_json::from_value(found).map_err(Error::malformed)?;
    let text = BASE64.decode(found.body.as_bytes()).map_err(Error::malformed)?;
    let said: Value = serde_json::from_slice(&text).map_err(Error::malformed)?;
    if !mentions(&said, certificate) {
        return Ok(None);
    }
    let base64 = |hex: &String| {
        let bytes = HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).map_err(Error::malformed)?;
        Ok::<_, Error>(BASE64.encode(&bytes))
    };
    let inclusion = found.verification.inclusion_proof;
    let hashes = inclusion.hashes.iter().map(base64).collect::<Result<Vec<_>>>()?;
    Ok(Some(json!({
        "logIndex": found.log_index.to_string(),
        "logId": {"keyId": base64(&found.log_id)?},
        "kindVersion": {"kind": said["kind"], "version": said["apiVersion"]},
        "integratedTime": found.integrated_time.to_string(),
        "inclusionPromise": {"signedEntryTimestamp": found.verification.signed_entry_timestamp},
        "inclusionProof": {
            "logIndex": inclusion.log_index.to_string(),
            "rootHash": base64(&inclusion.root_hash)?,
            "treeSize": inclusion.tree_size.to_string(),
            "hashes": hashes,
            "checkpoint": {"envelope": inclusion.checkpoint},
        },
        "canonicalizedBody": found.body,
    })))
}

/// Whether a text somewhere in an entry is this certificate: each kind of entry has it elsewhere.
fn mentions(said: &Value, certificate: &Certificate) -> bool {
    match said {
        Value::String(text) => Certificate::read(text).as_ref() == Some(certificate),
        Value::Array(all) => all.iter().any(|one| mentions(one, certificate)),
        Value::Object(all) => all.values().any(|one| mentions(one, certificate)),
        _ => false,
    }
}

/// A certificate that something was signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate(Vec<u8>);

impl Certificate {
    /// The first certificate of a PEM file, or of one in base64, as cosign writes it.
    pub fn read(text: &str) -> Option<Self> {
        let pem = |bytes: &[u8]| CertificateDer::from_pem_slice(bytes).ok();
        let found = match text.contains("-----BEGIN") {
            true => pem(text.as_bytes()),
            false => pem(&BASE64_MIME_PERMISSIVE.decode(text.as_bytes()).ok()?),
        };
        found.map(|der| Self(der.to_vec()))
    }

    /// A bundle of a signature over a file itself.
    pub fn signed(&self, signature: &str, digest: &Integrity, entry: Value) -> Value {
        let signature: String = signature.split_ascii_whitespace().collect();
        let message = json!({
            "messageDigest": {"algorithm": "SHA2_256", "digest": BASE64.encode(digest.as_bytes())},
            "signature": signature,
        });
        self.bundle("messageSignature", message, entry)
    }

    /// A bundle of a signed statement.
    pub fn stated(&self, envelope: &Value, entry: Value) -> Value {
        let signature = envelope.pointer("/signatures/0/sig").cloned().unwrap_or_default();
        let envelope = json!({
            "payload": envelope["payload"],
            "payloadType": envelope["payloadType"],
            "signatures": [{"sig": signature}],
        });
        self.bundle("dsseEnvelope", envelope, entry)
    }

    fn bundle(&self, what: &str, content: Value, entry: Value) -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": BASE64.encode(&self.0)},
                "tlogEntries": [entry],
            },
            what: content,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_hexadecimal() {
        let body = br#"["24296fb2", "../x", ""]"#;
        assert_eq!(entries(body).expect("names"), ["api/v1/log/entries/24296fb2"]);
        for bad in ["", "{}", "[1]", "<html>"] {
            assert!(entries(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[cfg(feature = "provenance")]
    #[test]
    fn an_entry_is_about_its_certificate() {
        use super::super::testing::{Authority, Identity};
        let authority = Authority::new();
        let who = Identity::workflow("o/r", "release.yml", "refs/tags/v1");
        let digest = Integrity::sha256_of(b"bytes");
        let bundle = authority.sign_bytes(&who, b"bytes");
        let apart = authority.apart(&bundle);
        let certificate = Certificate::read(&apart.certificate).expect("certificate");
        let in_base64 = BASE64.encode(apart.certificate.as_bytes());
        assert_eq!(Certificate::read(&in_base64), Some(certificate.clone()));
        let found = entry(apart.entry.as_bytes(), &certificate).expect("entry").expect("ours");
        assert_eq!(found, bundle["verificationMaterial"]["tlogEntries"][0]);
        assert_eq!(certificate.signed(&apart.signature, &digest, found), bundle);
        let other = authority.apart(&authority.sign_bytes(&who, b"bytes"));
        assert_eq!(entry(other.entry.as_bytes(), &certificate).expect("entry"), None);
    }

    #[cfg(feature = "provenance")]
    #[test]
    fn a_statement_apart_is_put_together() {
        use super::super::testing::{Authority, Identity};
        use super::super::{Slsa, slsa};
        let authority = Authority::new();
        let who = Identity::workflow("o/r", "release.yml", "refs/tags/v1");
        let digest = Integrity::sha256_of(b"bytes");
        let bundle = authority.attest(&who, &[("tool.zip", "sha256", &digest.hex())]);
        let other = authority.attest(&who, &[("x.zip", "sha256", &"ab".repeat(32))]);
        let apart = authority.apart(&bundle);
        let lines = format!("{}\n{}\n{bundle}\n", authority.apart(&other).envelope, apart.envelope);
        let found = slsa(lines.as_bytes(), std::slice::from_ref(&digest)).expect("lines");
        let [Slsa::Envelope { envelope, certificate }, Slsa::Bundle(whole)] = &found[..] else {
            panic!("{found:?}")
        };
        let entry = entry(apart.entry.as_bytes(), certificate).expect("entry").expect("ours");
        assert_eq!((&certificate.stated(envelope, entry), whole), (&bundle, &bundle));
        // Without one about the artifact, the others are the answer.
        let found = slsa(other.to_string().as_bytes(), &[digest]).expect("lines");
        assert_eq!(found, [Slsa::Bundle(other)]);
        let bare = br#"{"payload": "e30=", "payloadType": "x", "signatures": [{"sig": "x"}]}"#;
        assert_eq!(slsa(bare, &[]).expect("line"), [Slsa::Bare]);
        for bad in ["<html>", "1", "{}", "{\"payload\""] {
            assert!(slsa(bad.as_bytes(), &[]).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,60}", t in "\\{\"[0-9a-f]{2}\":\\{\"body\":\"[A-Za-z0-9=]{0,20}\".{0,20}") {
            let _ = (entries(s.as_bytes()), Certificate::read(&s));
            let certificate = Certificate(Vec::new());
            let _ = (entry(s.as_bytes(), &certificate), entry(t.as_bytes(), &certificate));
        }
    }
}
