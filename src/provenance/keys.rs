//! Signatures by keys that are named beforehand: minisign, cosign with a key, an npm registry's.
//!
//! Invariant: the key that verified is the one that the signer's name says.

use std::io::{self, Read as _};
use std::path::Path;

use data_encoding::BASE64;
use minisign_verify::{PublicKey, Signature};
use sigstore_verify::crypto::{VerificationKey, sha256};
use sigstore_verify::types::{DerPublicKey, SignatureBytes};

use super::evidence::NpmSigningKey;
use super::{Content, Error, Result, Subject, crypto};
use crate::base::{Algorithm, Integrity};
use crate::fs::{self, Context as _};

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

/// A legacy signature is over the whole file, which then has to be in memory.
const LEGACY_LIMIT: u64 = 512 << 20;

/// Verifies a minisign signature over the artifact's bytes; gives the signer.
pub(super) fn minisign(key: &str, signature: &str, subject: &Subject<'_>) -> Result<String> {
    let public = minisign_key(key)?;
    let signed = Signature::decode(signature).map_err(Error::malformed)?;
    let bytes = BASE64.decode(key.trim().as_bytes()).map_err(Error::malformed)?;
    // Shown as minisign does: eight bytes, last first.
    let id: Vec<u8> = bytes.iter().skip(2).take(8).rev().copied().collect();
    let signer = format!("minisign:{}", data_encoding::HEXUPPER.encode(&id));
    let shown = Path::new(subject.file);
    let (path, mut file): (&Path, Box<dyn io::Read + '_>) =
        match subject.content.ok_or(Error::NeedsContent)? {
            Content::File(path) => (path, Box::new(fs::open_nofollow(path)?)),
            Content::Bytes(bytes) => (shown, Box::new(bytes)),
        };
    let refused = |e: minisign_verify::Error| match e {
        minisign_verify::Error::UnexpectedKeyId => {
            let found = "another minisign key".to_owned();
            Error::OtherSigner { expected: signer.clone(), found }
        }
        other => Error::Rejected { why: other.to_string() },
    };
    match public.verify_stream(&signed) {
        Ok(mut verifier) => {
            let mut buffer = vec![0; 256 * 1024];
            loop {
                match file.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(n) => verifier.update(&buffer[..n]),
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(e) => return Err(e).context("read", path).map_err(Error::File),
                }
            }
            verifier.finalize().map_err(refused)?;
        }
        Err(minisign_verify::Error::UnsupportedLegacyMode) => {
            let mut all = Vec::new();
            file.take(LEGACY_LIMIT + 1).read_to_end(&mut all).context("read", path)?;
            if all.len() as u64 > LEGACY_LIMIT {
                let why = "it is a legacy signature over a file too large for it".to_owned();
                return Err(Error::Rejected { why });
            }
            public.verify(&all, &signed, true).map_err(refused)?;
        }
        Err(other) => return Err(refused(other)),
    }
    Ok(signer)
}

fn minisign_key(key: &str) -> Result<PublicKey> {
    PublicKey::from_base64(key.trim()).map_err(Error::malformed)
}

/// Verifies a cosign signature over the artifact's SHA-256 by a key; gives the signer.
pub(super) fn cosign(pem: &str, signature: &str, subject: &Subject<'_>) -> Result<String> {
    crypto::install();
    let key = pem_key(pem)?;
    let is_sha256 = |hash: &&Integrity| hash.algorithm() == Algorithm::Sha256;
    let digest = subject.digests.iter().find(is_sha256).ok_or(Error::NeedsContent)?;
    let verifier = VerificationKey::from_spki(&key).map_err(Error::malformed)?;
    let signed: String = signature.split_ascii_whitespace().collect();
    let signed = SignatureBytes::from_base64(&signed).map_err(Error::malformed)?;
    verifier
        .verify_prehashed(digest.as_bytes(), &signed)
        .map_err(|e| Error::Rejected { why: e.to_string() })?;
    Ok(key_signer(&key))
}

/// A public key in PEM.
pub(super) fn pem_key(pem: &str) -> Result<DerPublicKey> {
    DerPublicKey::from_pem(pem).map_err(Error::malformed)
}

/// `cosign-key:SHA256:…`
pub(super) fn key_signer(key: &DerPublicKey) -> String {
    format!("cosign-key:SHA256:{}", BASE64.encode(sha256(key.as_bytes()).as_bytes()))
}

/// A signature of an npm registry, with what it is over.
pub(super) struct Signed<'a> {
    pub(super) name: &'a str,
    pub(super) version: &'a str,
    pub(super) integrity: &'a str,
    pub(super) signature: &'a str,
    pub(super) key: &'a NpmSigningKey,
    pub(super) published: Option<&'a str>,
}

/// Verifies a registry's signature over name, version and hash; gives the signer.
pub(super) fn npm(signed: &Signed<'_>, subject: &Subject<'_>) -> Result<String> {
    crypto::install();
    let Signed { name, version, integrity, signature, key, published } = *signed;
    let keyid = key.keyid.clone();
    if key.key.is_empty() {
        return Err(Error::UnknownKey { keyid });
    }
    let bytes = BASE64.decode(key.key.as_bytes()).map_err(Error::malformed)?;
    // The lock keeps the key's name, so the name must be that of this key.
    let named = format!("SHA256:{}", BASE64.encode(sha256(&bytes).as_bytes()));
    if named.trim_end_matches('=') != keyid.trim_end_matches('=') {
        return Err(Error::UnknownKey { keyid });
    }
    if let Some(expires) = &key.expires {
        let time = |text: &str| text.parse::<jiff::Timestamp>().map_err(Error::malformed);
        // Without a date of publication nothing says that the key was still good.
        let in_time = match published {
            Some(published) => time(published)? <= time(expires)?,
            None => false,
        };
        if !in_time {
            return Err(Error::ExpiredKey { keyid, expired: expires.clone() });
        }
    }
    let hashes: Vec<Integrity> = integrity
        .split_ascii_whitespace()
        .filter_map(|one| one.split('?').next()?.parse().ok())
        .collect();
    if !subject.digests.iter().any(|digest| hashes.contains(digest)) {
        let expected = subject.digests.iter().map(ToString::to_string).collect::<Vec<_>>();
        let found = vec![integrity.to_owned()];
        return Err(Error::OtherFile { expected: expected.join(" or "), found });
    }
    check_package(subject.file, name)?;
    let key = VerificationKey::from_spki(&DerPublicKey::new(bytes)).map_err(Error::malformed)?;
    let signature = SignatureBytes::from_base64(signature).map_err(Error::malformed)?;
    key.verify(format!("{name}@{version}:{integrity}"), &signature)
        .map_err(|e| Error::Rejected { why: e.to_string() })?;
    Ok(format!("npm-key:{keyid}"))
}

/// A locked file of npm is `PACKAGE/-/FILE`.
pub(super) fn check_package(file: &str, name: &str) -> Result<()> {
    match file.split_once("/-/") {
        Some((package, _)) if package == name => Ok(()),
        _ => Err(Error::OtherPackage { expected: file.to_owned(), found: vec![name.to_owned()] }),
    }
}
