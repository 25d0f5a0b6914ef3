//! A certificate authority, a signature log and signers of all kinds, made for one test.
//!
//! What they make is of the real formats: Sigstore bundles with certificate, log entry, proof of
//! inclusion and signed time; minisign signatures; signatures of an npm registry. Knows nothing of
//! the crate that is tested, so that unit tests can use it too.

use std::cell::Cell;

use data_encoding::{BASE64, HEXLOWER};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PublicKeyData as _, SanType, date_time_ymd,
};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

/// When things are signed, in seconds: a few minutes into 2024.
const SIGNED: i64 = 1_704_067_500;

/// Who signs, as a certificate says it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Subject of the certificate.
    pub(crate) san: String,
    /// Who vouched for it.
    pub(crate) issuer: String,
    /// The repository that is built, as a URL.
    pub(crate) repository: String,
    /// The git reference that is built.
    pub(crate) reference: Option<String>,
}

impl Identity {
    /// A workflow of a repository at a forge, for a git reference.
    pub(crate) fn workflow(repository: &str, workflow: &str, reference: &str) -> Self {
        let repository = format!("https://forge.example/{repository}");
        Self {
            san: format!("{repository}/.github/workflows/{workflow}@{reference}"),
            issuer: "https://issuer.example".to_owned(),
            repository,
            reference: Some(reference.to_owned()),
        }
    }
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

fn utf8_string(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).expect("a short text");
    let mut out = vec![0x0C];
    if length >= 0x80 {
        out.push(0x81);
    }
    out.push(length);
    out.extend(text.as_bytes());
    out
}

fn ecdsa(key: &KeyPair) -> EcdsaKeyPair {
    let random = SystemRandom::new();
    let der = key.serialize_der();
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der, &random).expect("key")
}

fn sign(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let signature = ecdsa(key).sign(&SystemRandom::new(), message).expect("sign");
    signature.as_ref().to_vec()
}

/// An instance of Sigstore.
pub(crate) struct Authority {
    key: KeyPair,
    params: CertificateParams,
    certificate: Vec<u8>,
    log: KeyPair,
    time: Cell<i64>,
}

impl Authority {
    /// Makes its keys.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("key");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        params.not_before = date_time_ymd(2023, 1, 1);
        params.not_after = date_time_ymd(2040, 1, 1);
        let certificate = params.self_signed(&key).expect("certificate").der().to_vec();
        let log = KeyPair::generate().expect("key");
        Self { key, params, certificate, log, time: Cell::new(SIGNED) }
    }

    /// Lets what follows be signed a month later, when certificates have long expired.
    pub(crate) fn late(&self) -> &Self {
        self.time.set(SIGNED + 31 * 24 * 3600);
        self
    }

    /// Its trust root: a certificate authority and a signature log, no certificate log.
    pub(crate) fn root(&self) -> String {
        self.root_with_log("https://log.example")
    }

    /// The same, with the address that its log is asked at.
    pub(crate) fn root_with_log(&self, address: &str) -> String {
        let since = json!({"start": "2023-01-01T00:00:00Z"});
        json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": address,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": BASE64.encode(&self.log.subject_public_key_info()),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": since,
                },
                "logId": {"keyId": BASE64.encode(&self.log_id())},
            }],
            "certificateAuthorities": [{
                "subject": {"organization": "example", "commonName": "example"},
                "uri": "https://authority.example",
                "certChain": {"certificates": [{"rawBytes": BASE64.encode(&self.certificate)}]},
                "validFor": since,
            }],
            "ctlogs": [],
            "timestampAuthorities": [],
        })
        .to_string()
    }

    fn log_id(&self) -> Vec<u8> {
        sha256(&self.log.subject_public_key_info())
    }

    fn certify(&self, who: &Identity, key: &KeyPair) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![if who.san.contains("://") {
            SanType::URI(who.san.as_str().try_into().expect("text"))
        } else {
            SanType::Rfc822Name(who.san.as_str().try_into().expect("text"))
        }];
        params.not_before = date_time_ymd(2024, 1, 1);
        params.not_after = date_time_ymd(2024, 1, 2);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        let reference = who.reference.as_deref().map(|reference| (14, reference));
        let claims = [(8, &*who.issuer), (12, &*who.repository), (18, &*who.san)];
        for (number, text) in claims.into_iter().chain(reference) {
            let oid = [1, 3, 6, 1, 4, 1, 57264, 1, number];
            let claim = CustomExtension::from_oid_content(&oid, utf8_string(text));
            params.custom_extensions.push(claim);
        }
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(key, &issuer).expect("certificate").der().to_vec()
    }

    fn entry(&self, kind: &str, body: &Value) -> Value {
        let body = body.to_string().into_bytes();
        let time = self.time.get();
        let promise = json!({
            "body": BASE64.encode(&body),
            "integratedTime": time,
            "logID": HEXLOWER.encode(&self.log_id()),
            "logIndex": 0,
        });
        let leaf = sha256(&[&[0], &body[..]].concat());
        let note = format!("log.example\n1\n{}\n", BASE64.encode(&leaf));
        let signed = [&self.log_id()[..4], &sign(&self.log, note.as_bytes())].concat();
        let envelope = format!("{note}\n\u{2014} log.example {}\n", BASE64.encode(&signed));
        json!({
            "logIndex": "0",
            "logId": {"keyId": BASE64.encode(&self.log_id())},
            "kindVersion": {"kind": kind, "version": "0.0.1"},
            "integratedTime": time.to_string(),
            "inclusionPromise": {
                "signedEntryTimestamp":
                    BASE64.encode(&sign(&self.log, promise.to_string().as_bytes())),
            },
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": BASE64.encode(&leaf),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": envelope},
            },
            "canonicalizedBody": BASE64.encode(&body),
        })
    }

    fn bundle(&self, certificate: &[u8], entry: &Value) -> Value {
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": BASE64.encode(certificate)},
                "tlogEntries": [entry],
            },
        })
    }

    /// A bundle with a statement about things of these names and digests (`sha256`/`sha512` and
    /// hexadecimal).
    pub(crate) fn attest(&self, who: &Identity, subjects: &[(&str, &str, &str)]) -> Value {
        let subject: Vec<Value> = subjects
            .iter()
            .map(|(name, algorithm, hex)| json!({"name": name, "digest": {*algorithm: hex}}))
            .collect();
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": subject,
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {},
        });
        let payload = statement.to_string().into_bytes();
        const TYPE: &str = "application/vnd.in-toto+json";
        let mut message = format!("DSSEv1 {} {TYPE} {} ", TYPE.len(), payload.len()).into_bytes();
        message.extend(&payload);
        let key = KeyPair::generate().expect("key");
        let certificate = self.certify(who, &key);
        let signature = BASE64.encode(&sign(&key, &message));
        let hash =
            |bytes: &[u8]| json!({"algorithm": "sha256", "value": HEXLOWER.encode(&sha256(bytes))});
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "dsse",
            "spec": {
                "envelopeHash": hash(b"as it was sent"),
                "payloadHash": hash(&payload),
                "signatures": [{
                    "signature": signature,
                    "verifier": BASE64.encode(pem(&certificate).as_bytes()),
                }],
            },
        });
        let mut bundle = self.bundle(&certificate, &self.entry("dsse", &body));
        bundle["dsseEnvelope"] = json!({
            "payload": BASE64.encode(&payload),
            "payloadType": TYPE,
            "signatures": [{"sig": signature}],
        });
        bundle
    }

    /// A bundle with a signature over bytes.
    pub(crate) fn sign_bytes(&self, who: &Identity, bytes: &[u8]) -> Value {
        let key = KeyPair::generate().expect("key");
        let certificate = self.certify(who, &key);
        let signature = BASE64.encode(&sign(&key, bytes));
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": {"hash": {
                    "algorithm": "sha256", "value": HEXLOWER.encode(&sha256(bytes)),
                }},
                "signature": {
                    "content": signature,
                    "publicKey": {"content": BASE64.encode(pem(&certificate).as_bytes())},
                },
            },
        });
        let mut bundle = self.bundle(&certificate, &self.entry("hashedrekord", &body));
        bundle["messageSignature"] = json!({
            "messageDigest": {"algorithm": "SHA2_256", "digest": BASE64.encode(&sha256(bytes))},
            "signature": signature,
        });
        bundle
    }
}

/// What a publisher has who keeps signature and certificate apart.
pub(crate) struct Apart {
    /// The certificate, PEM.
    pub(crate) certificate: String,
    /// The signature, base64.
    pub(crate) signature: String,
    /// The signed statement with its certificate, a line of `.intoto.jsonl`.
    pub(crate) envelope: String,
    /// What the log answers for the entry.
    pub(crate) entry: String,
}

impl Authority {
    /// A bundle's parts.
    pub(crate) fn apart(&self, bundle: &Value) -> Apart {
        let material = &bundle["verificationMaterial"];
        let bytes = |value: &Value| {
            BASE64.decode(value.as_str().expect("text").as_bytes()).expect("base64")
        };
        let number = |value: &Value| value.as_str().expect("text").parse::<i64>().expect("number");
        let certificate = pem(&bytes(&material["certificate"]["rawBytes"]));
        let mut envelope = bundle["dsseEnvelope"].clone();
        if envelope.is_object() {
            envelope["signatures"][0]["cert"] = json!(certificate);
        }
        let (logged, proof) =
            (&material["tlogEntries"][0], &material["tlogEntries"][0]["inclusionProof"]);
        let entry = json!({"24296fb24b8ad77a": {
            "body": logged["canonicalizedBody"],
            "integratedTime": number(&logged["integratedTime"]),
            "logID": HEXLOWER.encode(&self.log_id()),
            "logIndex": number(&logged["logIndex"]),
            "verification": {
                "inclusionProof": {
                    "checkpoint": proof["checkpoint"]["envelope"],
                    "hashes": [],
                    "logIndex": number(&proof["logIndex"]),
                    "rootHash": HEXLOWER.encode(&bytes(&proof["rootHash"])),
                    "treeSize": number(&proof["treeSize"]),
                },
                "signedEntryTimestamp": logged["inclusionPromise"]["signedEntryTimestamp"],
            },
        }});
        let signature = bundle["messageSignature"]["signature"].as_str().unwrap_or_default();
        let signature = signature.to_owned();
        Apart { certificate, signature, envelope: envelope.to_string(), entry: entry.to_string() }
    }
}

fn pem(certificate: &[u8]) -> String {
    let text = BASE64.encode(certificate);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|l| std::str::from_utf8(l).expect("text")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// The PEP 740 attestation object of a bundle.
pub(crate) fn attestation_object(bundle: &Value) -> Value {
    json!({
        "version": 1,
        "verification_material": {
            "certificate": bundle["verificationMaterial"]["certificate"]["rawBytes"],
            "transparency_entries": bundle["verificationMaterial"]["tlogEntries"],
        },
        "envelope": {
            "statement": bundle["dsseEnvelope"]["payload"],
            "signature": bundle["dsseEnvelope"]["signatures"][0]["sig"],
        },
    })
}

/// A key of its own, without certificate: an npm registry's, or somebody's for cosign.
pub(crate) struct SigningKey(KeyPair);

impl SigningKey {
    /// Makes one.
    pub(crate) fn new() -> Self {
        Self(KeyPair::generate().expect("key"))
    }

    /// `SHA256:…`, as npm registries call it.
    pub(crate) fn id(&self) -> String {
        format!("SHA256:{}", BASE64.encode(&sha256(&self.0.subject_public_key_info())))
    }

    /// The public key, base64.
    pub(crate) fn spki(&self) -> String {
        BASE64.encode(&self.0.subject_public_key_info())
    }

    /// The public key, PEM.
    pub(crate) fn pem(&self) -> String {
        self.0.public_key_pem()
    }

    /// A signature, base64.
    pub(crate) fn sign(&self, message: &[u8]) -> String {
        BASE64.encode(&sign(&self.0, message))
    }
}

/// Somebody who signs with minisign (in its first form, over the bytes themselves).
pub(crate) struct Minisigner {
    key: Ed25519KeyPair,
    id: [u8; 8],
}

impl Minisigner {
    /// Makes a key; `seed` decides its id.
    pub(crate) fn new(seed: u8) -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("key");
        let key = Ed25519KeyPair::from_pkcs8(der.as_ref()).expect("key");
        Self { key, id: [seed; 8] }
    }

    /// The public key, base64.
    pub(crate) fn public(&self) -> String {
        BASE64.encode(&[b"Ed", &self.id[..], self.key.public_key().as_ref()].concat())
    }

    /// The signature file's text.
    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        let signature = self.key.sign(bytes);
        const COMMENT: &str = "timestamp:1704067500";
        let global = self.key.sign(&[signature.as_ref(), COMMENT.as_bytes()].concat());
        let first = [b"Ed", &self.id[..], signature.as_ref()].concat();
        format!(
            "untrusted comment: a test\n{}\ntrusted comment: {COMMENT}\n{}\n",
            BASE64.encode(&first),
            BASE64.encode(global.as_ref())
        )
    }
}
