//! Evidence that real publishers made, verified against the trust roots in the program.
//!
//! It comes with the source of the crate `sigstore-verify`, which the registry of crates served to
//! build this; nothing of it is ours.

use std::path::PathBuf;
use std::process::Command;

use infra::base::{Algorithm, Integrity};
use infra::provenance::{Error, Evidence, Subject, Trust, verify};
use serde_json::{Value, json};

/// The test data of the crate, as cargo unpacked it.
fn vectors() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo metadata");
    let found: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let mut packages = found["packages"].as_array().expect("packages").iter();
    let package = packages.find(|p| p["name"] == "sigstore-verify").expect("the crate");
    let manifest = PathBuf::from(package["manifest_path"].as_str().expect("path"));
    manifest.parent().expect("directory").join("test_data")
}

fn bundle(name: &str) -> Value {
    let text = std::fs::read_to_string(vectors().join(name)).expect("a bundle");
    serde_json::from_str(&text).expect("JSON")
}

fn check(evidence: &Evidence, file: &str, digest: &Integrity) -> Result<String, Error> {
    let kept = Evidence::from_bytes(&evidence.to_bytes()).expect("kept");
    let digests = [digest.clone()];
    let subject = Subject { file, digests: &digests, content: None };
    verify(&kept, &subject, &Trust::public()).map(|verified| verified.signer)
}

fn hash(algorithm: Algorithm, hex: &str) -> Integrity {
    Integrity::from_hex(algorithm, hex).expect("hash")
}

fn wrong(algorithm: Algorithm) -> Integrity {
    hash(algorithm, &"ab".repeat(algorithm.digest_len()))
}

#[test]
fn provenance_of_an_npm_package() {
    const SHA512: &str = "46d4e2f74c4877316640000a6fdf8a8b59f1e0847667973e9859f774dd31b8f1e0937813\
                          b777fb66a2ac67d50540fe34640966eee9fc2ccca387082b4c85cd3c";
    let evidence = |version: &str| Evidence::NpmProvenance {
        name: "sigstore".to_owned(),
        version: version.to_owned(),
        bundle: bundle("bundles/sigstore.js@2.0.0-provenance.sigstore.json"),
    };
    let file = "sigstore/-/sigstore-2.0.0.tgz";
    let right = hash(Algorithm::Sha512, SHA512);
    let signer = check(&evidence("2.0.0"), file, &right).expect("it holds");
    assert!(signer.contains("/sigstore/sigstore-js/.github/workflows/release.yml ("), "{signer}");
    let error = check(&evidence("2.0.0"), file, &wrong(Algorithm::Sha512)).expect_err("bytes");
    assert!(matches!(error, Error::OtherFile { .. }), "{error}");
    let error = check(&evidence("2.0.1"), file, &right).expect_err("version");
    assert!(matches!(error, Error::OtherPackage { .. }), "{error}");
    let mut changed = bundle("bundles/sigstore.js@2.0.0-provenance.sigstore.json");
    changed["dsseEnvelope"]["signatures"][0]["sig"] = json!("MEUCIQDx");
    let evidence = Evidence::NpmProvenance {
        name: "sigstore".to_owned(),
        version: "2.0.0".to_owned(),
        bundle: changed,
    };
    assert!(check(&evidence, file, &right).expect_err("signature").is_refusal());
}

#[test]
fn an_attestation_of_an_index() {
    // A publisher's attestation as a bundle; an index would serve its parts (PEP 740).
    let bundle = bundle("bundles/conda-attestation.sigstore.json");
    let attestation = json!({
        "version": 1,
        "verification_material": {
            "certificate": bundle["verificationMaterial"]["certificate"]["rawBytes"],
            "transparency_entries": bundle["verificationMaterial"]["tlogEntries"],
        },
        "envelope": {
            "statement": bundle["dsseEnvelope"]["payload"],
            "signature": bundle["dsseEnvelope"]["signatures"][0]["sig"],
        },
    });
    let evidence = Evidence::PypiAttestation { publisher: json!({"kind": "Other"}), attestation };
    let file = "signed-package-2.1.0-hb0f4dca_0.conda";
    let bytes = std::fs::read(vectors().join("bundles").join(file)).expect("the package");
    let right = Integrity::sha256_of(&bytes);
    let signer = check(&evidence, file, &right).expect("it holds");
    assert!(signer.contains("/.github/workflows/"), "{signer}");
    let error = check(&evidence, file, &wrong(Algorithm::Sha256)).expect_err("bytes");
    assert!(matches!(error, Error::OtherFile { .. }), "{error}");
    let error = check(&evidence, "other.conda", &right).expect_err("name");
    assert!(matches!(error, Error::OtherFile { .. }), "{error}");
}

#[test]
fn a_signature_by_an_identity() {
    let bytes = std::fs::read(vectors().join("bundles/cosign-v3-blob.txt")).expect("file");
    let right = Integrity::sha256_of(&bytes);
    let evidence = |identity: &str, issuer: &str| Evidence::Cosign {
        identity: identity.to_owned(),
        issuer: issuer.to_owned(),
        bundle: bundle("bundles/cosign-v3-blob.sigstore.json"),
    };
    let error = check(&evidence("nobody", "none"), "x.txt", &right).expect_err("somebody else");
    let Error::OtherSigner { found, .. } = error else { panic!("{error}") };
    let (identity, issuer) = found.trim_end_matches(')').split_once(" (").expect("both");
    check(&evidence(identity, issuer), "x.txt", &right).expect("it holds");
    let error = check(&evidence(identity, issuer), "x.txt", &wrong(Algorithm::Sha256));
    assert!(error.expect_err("bytes").is_refusal());
}

#[test]
fn a_forges_own_instance() {
    // Signed without a public log, by the forge itself: sound, and no build of any repository.
    const SHA256: &str = "76f1fe8593bf227cca2c089e3c16dc95014a8d3e89c5dd220530469ca043c428";
    let evidence = Evidence::GithubAttestation {
        repository: "some/other".to_owned(),
        bundle: bundle("bundles/github-private-attestation.sigstore.json"),
    };
    let file = "v0.1.9/communique-aarch64-apple-darwin.tar.gz";
    let error = check(&evidence, file, &hash(Algorithm::Sha256, SHA256)).expect_err("whose");
    assert!(matches!(error, Error::OtherSigner { .. }), "its signatures hold: {error}");
    let error = check(&evidence, file, &wrong(Algorithm::Sha256)).expect_err("bytes");
    assert!(matches!(error, Error::OtherFile { .. }), "{error}");
}

#[test]
fn a_signature_by_a_key() {
    let read = |name: &str| std::fs::read_to_string(vectors().join(name)).expect("file");
    let evidence = Evidence::CosignKey {
        key: read("managed-key/key.pub"),
        signature: read("managed-key/bundle.sigstore.json"),
    };
    let right = Integrity::sha256_of(read("managed-key/artifact.txt").as_bytes());
    let signer = check(&evidence, "artifact.txt", &right).expect("it holds");
    assert!(signer.starts_with("cosign-key:SHA256:"), "{signer}");
    assert!(check(&evidence, "artifact.txt", &wrong(Algorithm::Sha256)).is_err());
}
