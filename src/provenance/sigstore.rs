//! Sigstore bundles: certificate, signed time, log entry and signature, by `sigstore-verify`.
//!
//! Owns which root and which of its checks apply. Invariant: a bundle passes only when a
//! certificate that a trusted authority issued for code signing was valid at a signed time, and
//! its key signed this artifact.

use serde_json::{Value, json};
use sigstore_trust_root::{
    SIGSTORE_GITHUB_TRUSTED_ROOT, SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot,
};
use sigstore_verify::crypto::CertificateInfo;
use sigstore_verify::types::{ArtifactDigest, Bundle, DerPublicKey, HashAlgorithm};
use sigstore_verify::{Policy, PublicKeyVerificationPolicy, VerificationPolicy, Verifier};

use super::statement::Statement;
use super::{Error, Result, Subject, Trust, crypto};
use crate::base::{Algorithm, Integrity};

/// What bundles are verified against.
pub(super) struct Roots {
    main: Root,
    /// Attestations of private repositories are signed by the forge's own instance, which has no
    /// public log; `None` when the project brought its own root.
    forge: Option<Root>,
}

struct Root {
    verifier: Verifier,
    has_logs: bool,
    has_certificate_logs: bool,
}

impl std::fmt::Debug for Roots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roots").field("is_custom", &self.forge.is_none()).finish()
    }
}

impl Roots {
    /// The project's root, else the public ones.
    pub(super) fn of(custom: Option<&str>) -> Result<Self> {
        crypto::install();
        match custom {
            Some(json) => Ok(Self { main: Root::of(json)?, forge: None }),
            None => Ok(Self {
                main: Root::of(SIGSTORE_PRODUCTION_TRUSTED_ROOT)?,
                forge: Some(Root::of(SIGSTORE_GITHUB_TRUSTED_ROOT)?),
            }),
        }
    }

    fn for_bundle(&self, bundle: &Bundle) -> &Root {
        match &self.forge {
            Some(forge) if bundle.verification_material.tlog_entries.is_empty() => forge,
            _ => &self.main,
        }
    }
}

impl Root {
    fn of(json: &str) -> Result<Self> {
        let bad = |why: String| Error::TrustRoot { why };
        let root = TrustedRoot::from_json(json).map_err(|e| bad(e.to_string()))?;
        if root.certificate_authorities.is_empty() {
            return Err(bad("it has no certificate authority".to_owned()));
        }
        Ok(Self {
            has_logs: !root.tlogs.is_empty(),
            has_certificate_logs: !root.ctlogs.is_empty(),
            verifier: Verifier::new(&root).map_err(|e| bad(e.to_string()))?,
        })
    }

    fn policy(&self) -> VerificationPolicy {
        // Who signed is compared by whoever asked; here it only has to be true.
        let mut policy = VerificationPolicy::any_identity();
        if !self.has_logs {
            policy = policy.skip_tlog_unsafe();
        }
        if !self.has_certificate_logs {
            policy = policy.skip_sct();
        }
        policy
    }
}

/// A verified bundle: its certificate, and what the statement calls the artifact.
pub(super) struct Sound {
    pub(super) certificate: CertificateInfo,
    pub(super) name: Option<String>,
}

/// Verifies a bundle that was signed with a certificate.
pub(super) fn by_certificate(
    bundle: &Value,
    subject: &Subject<'_>,
    trust: &Trust,
) -> Result<Sound> {
    let (parsed, digest, name) = read(bundle, subject)?;
    let root = trust.roots()?.for_bundle(&parsed);
    let found = verify(root, digest, &parsed, &root.policy())?;
    match found.certificate() {
        Some(certificate) if found.certificate_verified() => {
            Ok(Sound { certificate: certificate.clone(), name })
        }
        _ => Err(Error::Rejected { why: "its certificate was not verified".to_owned() }),
    }
}

/// Verifies a bundle that was signed with a key.
pub(super) fn by_key(
    bundle: &Value,
    key: DerPublicKey,
    subject: &Subject<'_>,
    trust: &Trust,
) -> Result<()> {
    let (parsed, digest, _) = read(bundle, subject)?;
    let root = &trust.roots()?.main;
    let mut policy = PublicKeyVerificationPolicy::new(key);
    if !root.has_logs {
        policy = policy.skip_tlog_unsafe();
    }
    verify(root, digest, &parsed, &policy).map(drop)
}

fn read(bundle: &Value, subject: &Subject<'_>) -> Result<(Bundle, ArtifactDigest, Option<String>)> {
    let (hash, name) = match Statement::of(bundle)? {
        Some(statement) => {
            let (hash, name) = statement.about(subject.digests)?;
            (hash, Some(name.to_owned()))
        }
        // A signature over the artifact itself is logged by its SHA-256.
        None => {
            let is_sha256 = |hash: &&Integrity| hash.algorithm() == Algorithm::Sha256;
            (subject.digests.iter().find(is_sha256).ok_or(Error::NeedsContent)?.clone(), None)
        }
    };
    let parsed = Bundle::from_json(&bundle.to_string()).map_err(Error::malformed)?;
    let algorithm = match hash.algorithm() {
        Algorithm::Sha256 => HashAlgorithm::Sha2256,
        Algorithm::Sha512 => HashAlgorithm::Sha2512,
    };
    let digest =
        ArtifactDigest::new(algorithm, hash.as_bytes().to_vec()).map_err(Error::malformed)?;
    Ok((parsed, digest, name))
}

fn verify(
    root: &Root,
    digest: ArtifactDigest,
    bundle: &Bundle,
    policy: &dyn Policy,
) -> Result<sigstore_verify::VerificationResult> {
    use sigstore_verify::Error as Fault;
    root.verifier.verify(digest.clone(), bundle, policy).map_err(|error| match error {
        Fault::ArtifactMismatch(_) => Error::OtherFile {
            expected: super::keys::hex(digest.as_bytes()),
            found: vec!["a signature over other bytes".to_owned()],
        },
        Fault::InvalidBundle(_) | Fault::Bundle(_) | Fault::Types(_) => Error::malformed(error),
        other => Error::Rejected { why: other.to_string() },
    })
}

/// A PEP 740 attestation object as a bundle (PEP 740, "Attestation objects": the certificate and
/// log entries are those of Sigstore's protobuf JSON, statement and signature are the envelope's).
pub(super) fn of_attestation(attestation: &Value) -> Result<Value> {
    let version = attestation.get("version").and_then(Value::as_u64);
    if version != Some(1) {
        return Err(Error::malformed("it is no attestation object of version 1"));
    }
    let at = |pointer: &str| {
        let missing = || Error::malformed(format!("it has no `{}`", &pointer[1..]));
        attestation.pointer(pointer).cloned().ok_or_else(missing)
    };
    Ok(json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": {"rawBytes": at("/verification_material/certificate")?},
            "tlogEntries": at("/verification_material/transparency_entries")?,
        },
        "dsseEnvelope": {
            "payload": at("/envelope/statement")?,
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [{"sig": at("/envelope/signature")?}],
        },
    }))
}
