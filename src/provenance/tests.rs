//! Every kind of evidence: sound, about another file, by another signer, and tampered with.

use data_encoding::BASE64;
use serde_json::{Value, json};

use super::evidence::NpmSigningKey;
use super::testing::{Authority, Identity, Minisigner, SigningKey, attestation_object};
use super::{Content, Error, Evidence, Read, Subject, Sums, Trust, verify};
use crate::base::{Algorithm, Hasher, Integrity, Proof};

const BYTES: &[u8] = b"the artifact";
const SIGNER: &str =
    "https://forge.example/o/r/.github/workflows/release.yml (https://issuer.example)";

fn release(tag: &str) -> Identity {
    Identity::workflow("o/r", "release.yml", &format!("refs/tags/{tag}"))
}

fn sha512(bytes: &[u8]) -> Integrity {
    let mut hasher = Hasher::new(Algorithm::Sha512);
    hasher.update(bytes);
    hasher.finish()
}

fn github(bundle: Value) -> Evidence {
    Evidence::GithubAttestation { repository: "o/R".to_owned(), bundle }
}

struct Bench {
    authority: Authority,
    trust: Trust,
    digests: Vec<Integrity>,
}

impl Bench {
    fn new() -> Self {
        let authority = Authority::new();
        let trust = Trust::custom(authority.root()).expect("root");
        Self { authority, trust, digests: vec![Integrity::sha256_of(BYTES)] }
    }

    fn attest(&self, who: &Identity) -> Value {
        self.authority.attest(who, &[("tool.zip", "sha256", &Integrity::sha256_of(BYTES).hex())])
    }

    fn verify(&self, evidence: &Evidence) -> Result<String, Error> {
        self.verify_as(evidence, "v1/tool.zip")
    }

    fn verify_as(&self, evidence: &Evidence, file: &str) -> Result<String, Error> {
        // What is kept is what is verified.
        let kept = Evidence::from_bytes(&evidence.to_bytes())?;
        let subject = Subject { file, digests: &self.digests, content: None };
        verify(&kept, &subject, &self.trust).map(|found| {
            assert_eq!(found.kind, evidence.kind());
            found.signer
        })
    }

    fn marked(&self) -> String {
        format!("{SIGNER} trusted by {}", self.trust.mark().expect("mark"))
    }
}

#[test]
fn a_forges_attestation() {
    let bench = Bench::new();
    let sound = github(bench.attest(&release("v1")));
    assert_eq!(bench.verify(&sound).expect("sound"), bench.marked());
    let next = github(bench.attest(&release("v2")));
    assert_eq!(bench.verify(&next).expect("sound"), bench.marked(), "the same in every version");

    let other =
        github(bench.authority.attest(&release("v1"), &[("b.zip", "sha256", &"ab".repeat(32))]));
    let error = bench.verify(&other).expect_err("another file");
    assert!(
        matches!(&error, Error::OtherFile { found, .. } if found[0].contains("b.zip")),
        "{error}"
    );

    let who = Identity::workflow("other/r", "release.yml", "refs/tags/v1");
    let error = bench.verify(&github(bench.attest(&who))).expect_err("another repository");
    assert!(matches!(&error, Error::OtherSigner { found, .. } if found == "other/r"), "{error}");
}

#[test]
fn certificates_must_be_trusted_and_in_time() {
    let bench = Bench::new();
    let elsewhere = Authority::new();
    let hex = Integrity::sha256_of(BYTES).hex();
    let foreign = github(elsewhere.attest(&release("v1"), &[("tool.zip", "sha256", &hex)]));
    let error = bench.verify(&foreign).expect_err("untrusted");
    assert!(matches!(error, Error::Rejected { .. }), "{error}");
    let public = Trust::public();
    let subject = Subject { file: "v1/tool.zip", digests: &bench.digests, content: None };
    let error =
        verify(&github(bench.attest(&release("v1"))), &subject, &public).expect_err("public");
    assert!(matches!(error, Error::Rejected { .. }), "{error}");

    bench.authority.late();
    let error = bench.verify(&github(bench.attest(&release("v1")))).expect_err("expired");
    let why = error.to_string();
    assert!(matches!(error, Error::Rejected { .. }) && why.contains("xpire"), "{why}");
}

#[test]
fn every_changed_part_is_seen() {
    let bench = Bench::new();
    let sound = bench.attest(&release("v1"));
    let flip = |text: &Value| {
        let mut bytes = BASE64.decode(text.as_str().expect("text").as_bytes()).expect("base64");
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        json!(BASE64.encode(&bytes))
    };
    for pointer in [
        "/dsseEnvelope/signatures/0/sig",
        "/dsseEnvelope/payload",
        "/verificationMaterial/certificate/rawBytes",
        "/verificationMaterial/tlogEntries/0/canonicalizedBody",
        "/verificationMaterial/tlogEntries/0/inclusionPromise/signedEntryTimestamp",
        "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
    ] {
        let mut bundle = sound.clone();
        let part = bundle.pointer_mut(pointer).expect("part");
        *part = flip(part);
        let error = bench.verify(&github(bundle)).expect_err(pointer);
        assert!(error.is_refusal(), "{pointer}: {error}");
    }
    let mut bundle = sound.clone();
    bundle["verificationMaterial"]["tlogEntries"] = json!([]);
    assert!(bench.verify(&github(bundle)).is_err(), "without a log entry");
    let statement = json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "tool.zip", "digest": {"sha256": Integrity::sha256_of(b"evil").hex()}}],
        "predicateType": "https://slsa.dev/provenance/v1",
    });
    let mut bundle = sound;
    bundle["dsseEnvelope"]["payload"] = json!(BASE64.encode(statement.to_string().as_bytes()));
    let evil = Bench { digests: vec![Integrity::sha256_of(b"evil")], ..bench };
    let error = evil.verify(&github(bundle)).expect_err("another statement");
    assert!(matches!(error, Error::Rejected { .. }), "{error}");
}

#[test]
fn an_indexs_attestation() {
    let bench = Bench::new();
    let object = attestation_object(&bench.attest(&release("v1")));
    let evidence = |repository: &str, workflow: &str| Evidence::PypiAttestation {
        publisher: json!({"kind": "GitHub", "repository": repository, "workflow": workflow}),
        attestation: object.clone(),
    };
    let sound = evidence("o/r", "release.yml");
    assert_eq!(bench.verify_as(&sound, "tool.zip").expect("sound"), bench.marked());
    let error = bench.verify_as(&sound, "other.zip").expect_err("name");
    assert!(matches!(error, Error::OtherFile { .. }), "{error}");
    for (repository, workflow) in [("o/x", "release.yml"), ("o/r", "x.yml")] {
        let error = bench.verify_as(&evidence(repository, workflow), "tool.zip").expect_err("who");
        assert!(matches!(error, Error::OtherSigner { .. }), "{error}");
    }
    let mut newer = object.clone();
    newer["version"] = json!(2);
    let newer = Evidence::PypiAttestation { publisher: json!({}), attestation: newer };
    assert!(matches!(bench.verify_as(&newer, "tool.zip"), Err(Error::Malformed { .. })));
}

#[test]
fn provenance_of_a_package() {
    let bench = Bench { digests: vec![sha512(BYTES)], ..Bench::new() };
    let hex = sha512(BYTES).hex();
    let bundle = |purl: &str| bench.authority.attest(&release("v1"), &[(purl, "sha512", &hex)]);
    let evidence = |bundle: Value| Evidence::NpmProvenance {
        name: "@s/tool".to_owned(),
        version: "1.0.0".to_owned(),
        bundle,
    };
    let file = "@s/tool/-/tool-1.0.0.tgz";
    let sound = evidence(bundle("pkg:npm/%40s/tool@1.0.0"));
    assert_eq!(bench.verify_as(&sound, file).expect("sound"), bench.marked());
    for purl in ["pkg:npm/%40s/tool@1.0.1", "pkg:npm/tool@1.0.0", "tool"] {
        let error = bench.verify_as(&evidence(bundle(purl)), file).expect_err(purl);
        assert!(matches!(error, Error::OtherPackage { .. }), "{error}");
    }
    let error = bench.verify_as(&sound, "other/-/tool-1.0.0.tgz").expect_err("file");
    assert!(matches!(error, Error::OtherPackage { .. }), "{error}");
}

#[test]
fn a_registrys_signature() {
    let bench = Bench { digests: vec![sha512(BYTES)], ..Bench::new() };
    let key = SigningKey::new();
    let integrity = sha512(BYTES).to_string();
    let make = |signer: &SigningKey, expires: Option<&str>, published: Option<&str>| {
        let signature = signer.sign(format!("tool@1.0.0:{integrity}").as_bytes());
        Evidence::NpmSignature {
            name: "tool".to_owned(),
            version: "1.0.0".to_owned(),
            integrity: integrity.clone(),
            signature,
            key: NpmSigningKey {
                keyid: key.id(),
                key: key.spki(),
                expires: expires.map(str::to_owned),
            },
            published: published.map(str::to_owned),
        }
    };
    let file = "tool/-/tool-1.0.0.tgz";
    let check = |evidence: &Evidence| bench.verify_as(evidence, file);
    assert_eq!(check(&make(&key, None, None)).expect("sound"), format!("npm-key:{}", key.id()));
    let end = Some("2024-06-01T00:00:00.000Z");
    assert!(check(&make(&key, end, Some("2024-05-31T10:00:00.000Z"))).is_ok());
    for published in [Some("2024-06-02T10:00:00.000Z"), None] {
        let error = check(&make(&key, end, published)).expect_err("expired");
        assert!(matches!(error, Error::ExpiredKey { .. }), "{error}");
    }
    let error = check(&make(&SigningKey::new(), None, None)).expect_err("another key");
    assert!(matches!(error, Error::Rejected { .. }), "{error}");
    let Evidence::NpmSignature { mut key, .. } = make(&key, None, None) else { unreachable!() };
    key.key = SigningKey::new().spki();
    let mut named = make(&SigningKey::new(), None, None);
    if let Evidence::NpmSignature { key: slot, .. } = &mut named {
        *slot = key;
    }
    assert!(matches!(check(&named), Err(Error::UnknownKey { .. })), "a key under another's name");
}

#[test]
fn minisign() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("tool.zip");
    crate::fs::write_atomic(&path, BYTES).expect("write");
    let (one, other) = (Minisigner::new(1), Minisigner::new(2));
    let digests = [Integrity::sha256_of(BYTES)];
    let subject =
        Subject { file: "tool.zip", digests: &digests, content: Some(Content::File(&path)) };
    let check = |key: &Minisigner, signature: String| {
        let evidence = Evidence::Minisign { key: key.public(), signature };
        verify(&evidence, &subject, &Trust::public())
    };
    let found = check(&one, one.sign(BYTES)).expect("sound");
    assert_eq!((found.kind, found.signer.as_str()), (Proof::Minisign, "minisign:0101010101010101"));
    assert!(matches!(check(&one, other.sign(BYTES)), Err(Error::OtherSigner { .. })));
    assert!(matches!(check(&one, Minisigner::new(1).sign(BYTES)), Err(Error::Rejected { .. })));
    assert!(matches!(check(&one, one.sign(b"other")), Err(Error::Rejected { .. })));
    assert!(matches!(check(&one, "nonsense".to_owned()), Err(Error::Malformed { .. })));
    let away = Subject { content: None, ..subject };
    let evidence = Evidence::Minisign { key: one.public(), signature: one.sign(BYTES) };
    assert!(matches!(verify(&evidence, &away, &Trust::public()), Err(Error::NeedsContent)));
}

#[test]
fn cosign_with_a_key_and_with_an_identity() {
    let bench = Bench::new();
    let key = SigningKey::new();
    let by_key = |signature: String| Evidence::CosignKey { key: key.pem(), signature };
    let signer = bench.verify(&by_key(key.sign(BYTES))).expect("sound");
    assert_eq!(signer, format!("cosign-key:{}", key.id()));
    assert!(bench.verify(&by_key(SigningKey::new().sign(BYTES))).is_err());
    assert!(bench.verify(&by_key(key.sign(b"other"))).is_err());

    let bundle = bench.authority.sign_bytes(&release("v1"), BYTES);
    let by = |identity: &str, issuer: &str| Evidence::Cosign {
        identity: identity.to_owned(),
        issuer: issuer.to_owned(),
        bundle: bundle.clone(),
    };
    let (identity, issuer) = (release("v1").san, "https://issuer.example");
    assert_eq!(bench.verify(&by(&identity, issuer)).expect("sound"), bench.marked());
    let without = identity.split('@').next().expect("before");
    assert_eq!(bench.verify(&by(without, issuer)).expect("sound"), bench.marked());
    for (identity, issuer) in
        [(without, "https://other.example"), ("https://forge.example/o", issuer)]
    {
        let error = bench.verify(&by(identity, issuer)).expect_err("who");
        assert!(matches!(error, Error::OtherSigner { .. }), "{error}");
    }
    let other = Bench { digests: vec![Integrity::sha256_of(b"other")], ..bench };
    let error = other.verify(&by(&identity, issuer)).expect_err("file");
    assert!(error.is_refusal(), "{error}");
}

#[test]
fn a_root_that_is_none() {
    for json in ["", "{}", "[]", r#"{"mediaType": "x"}"#] {
        let error = Trust::custom(json.to_owned()).expect_err(json);
        assert!(matches!(error, Error::TrustRoot { .. }), "{error}");
    }
}

#[test]
fn a_checksum_file_is_signed() {
    let bench = Bench::new();
    let hex = bench.digests[0].hex();
    let list = |text: &str, file: &str, by: Evidence| Evidence::Listed {
        list: "sums.txt".to_owned(),
        text: text.to_owned(),
        file: file.to_owned(),
        sums: Sums { algorithm: Algorithm::Sha256, read: Read::Lines },
        by: Box::new(by),
    };
    let key = SigningKey::new();
    let signed =
        |text: &str| Evidence::CosignKey { key: key.pem(), signature: key.sign(text.as_bytes()) };
    let text = format!("{}  other.zip\n{hex}  tool.zip\n", "ab".repeat(32));
    let sound = list(&text, "tool.zip", signed(&text));
    let subject = Subject { file: "v1/tool.zip", digests: &bench.digests, content: None };
    let found = verify(&sound, &subject, &bench.trust).expect("sound");
    assert_eq!(found.list.as_deref(), Some("sums.txt"));
    assert_eq!((found.kind, found.signer), (Proof::Cosign, format!("cosign-key:{}", key.id())));
    // Minisign signs bytes, and those of the list are here.
    let signer = Minisigner::new(3);
    let signature = signer.sign(text.as_bytes());
    let by = Evidence::Minisign { key: signer.public(), signature };
    assert!(bench.verify(&list(&text, "tool.zip", by)).is_ok());

    let changed = text.replace("ab", "cd");
    for (evidence, file) in [
        (list(&changed, "tool.zip", signed(&text)), "v1/tool.zip"),
        (list(&text, "other.zip", signed(&text)), "v1/other.zip"),
        (list(&text, "tool.zip", signed(&text)), "v1/other.zip"),
        (list(&text, "ool.zip", signed(&text)), "v1/tool.zip"),
        (list(&text, "tool.zip", sound.clone()), "v1/tool.zip"),
        (list(&text, "tool.zip", github(bench.attest(&release("v1")))), "v1/tool.zip"),
    ] {
        let error = bench.verify_as(&evidence, file).expect_err("refused");
        assert!(error.is_refusal(), "{error}");
    }
    let long = Bench { digests: vec![sha512(BYTES)], ..bench };
    assert!(matches!(long.verify(&sound), Err(Error::NeedsContent)));
}

#[test]
fn a_statement_among_the_files_of_a_release() {
    let bench = Bench::new();
    let slsa = |who: &Identity| Evidence::Slsa {
        repository: "o/R".to_owned(),
        reference: Some("refs/tags/v1".to_owned()),
        bundle: bench.attest(who),
    };
    assert_eq!(bench.verify(&slsa(&release("v1"))).expect("sound"), bench.marked());
    let mut shared = release("v1");
    shared.san = "https://forge.example/b/s/.github/workflows/g.yml@refs/tags/v9".to_owned();
    let signer = bench.verify(&slsa(&shared)).expect("sound");
    assert!(signer.contains("/g.yml for o/r (https://issuer.example)"), "{signer}");
    let error = bench.verify(&slsa(&release("v2"))).expect_err("another tag");
    assert!(matches!(error, Error::OtherReference { .. }), "{error}");
    let unsaid = Identity { reference: None, ..release("v1") };
    let error = bench.verify(&slsa(&unsaid)).expect_err("no tag");
    assert!(matches!(error, Error::OtherReference { .. }), "{error}");
    let stranger = Identity::workflow("x/r", "release.yml", "refs/tags/v1");
    let error = bench.verify(&slsa(&stranger)).expect_err("another repository");
    assert!(matches!(error, Error::OtherSigner { .. }), "{error}");
}
