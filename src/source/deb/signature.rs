//! Who signed a repository's index.
//!
//! Owns the policy; the cryptography and packets are rPGP's. A signature counts when it was made
//! with SHA-256 or better, by a key that may sign, that neither it nor its primary key has revoked,
//! and that had not expired. Refuses to name anyone else a signer. Invariant: only text that a
//! counting signature covers is ever handed on.
//!
//! Reference: RFC 9580, sections 5.2 and 7; gpgv(1), whose answers apt relies on.

use std::io::Cursor;

use pgp::composed::{
    CleartextSignedMessage, Deserializable as _, DetachedSignature, SignedPublicKey,
    SignedPublicSubKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{Signature, SignatureType};
use pgp::types::{KeyDetails, Tag, Timestamp, VerifyingKey};

const ARMOR: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// How far a signer's clock may be ahead of ours, in seconds.
const SLACK: u64 = 24 * 3600;

/// Keys that may sign.
#[derive(Default)]
pub(super) struct Keyring {
    keys: Vec<SignedPublicKey>,
}

impl Keyring {
    /// Adds the keys of a file, armored (any number of blocks) or binary. Keys of kinds that are
    /// not known are passed over.
    pub(super) fn add(&mut self, bytes: &[u8]) {
        match std::str::from_utf8(bytes) {
            Ok(text) if text.contains(ARMOR) => {
                for (at, _) in text.match_indices(ARMOR) {
                    if let Ok((keys, _)) = SignedPublicKey::from_armor_many(&text.as_bytes()[at..])
                    {
                        self.keys.extend(keys.flatten());
                    }
                }
            }
            _ => {
                if let Ok(keys) = SignedPublicKey::from_bytes_many(Cursor::new(bytes)) {
                    self.keys.extend(keys.flatten());
                }
            }
        }
    }

    /// Keeps only keys with these fingerprints, of a primary key or of one of its subkeys.
    pub(super) fn only(&mut self, fingerprints: &[String]) {
        let wanted = |key: &dyn KeyDetails| {
            let own = format!("{:X}", key.fingerprint());
            fingerprints.iter().any(|text| text.len() >= 16 && own.ends_with(text.as_str()))
        };
        self.keys.retain(|key| {
            wanted(&key.primary_key) || key.public_subkeys.iter().any(|sub| wanted(&sub.key))
        });
    }

    /// Whether there is no key at all.
    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The text of an `InRelease`, as far as it is signed.
    pub(super) fn open(&self, message: &str, now: u64) -> Result<String, String> {
        let (message, _) = CleartextSignedMessage::from_string(message)
            .map_err(|_| "it is no message with a clear signature".to_owned())?;
        let text = message.signed_text();
        self.any(message.signatures(), text.as_bytes(), now)?;
        Ok(text.replace("\r\n", "\n"))
    }

    /// Checks a `Release` against its `Release.gpg`.
    pub(super) fn check(&self, text: &[u8], signature: &[u8], now: u64) -> Result<(), String> {
        let all: Vec<Signature> = if signature.starts_with(b"-----BEGIN") {
            DetachedSignature::from_armor_many(signature)
                .map(|(all, _)| all.flatten().map(|one| one.signature).collect())
                .unwrap_or_default()
        } else {
            DetachedSignature::from_bytes_many(Cursor::new(signature))
                .map(|all| all.flatten().map(|one| one.signature).collect())
                .unwrap_or_default()
        };
        self.any(&all, text, now)
    }

    /// Whether one of the signatures counts; else why none does.
    fn any(&self, signatures: &[Signature], text: &[u8], now: u64) -> Result<(), String> {
        let mut why = None;
        let mut signers = Vec::new();
        for signature in signatures {
            signers.extend(signature.issuer_fingerprint().into_iter().map(ToString::to_string));
            if signers.is_empty() {
                signers.extend(signature.issuer_key_id().into_iter().map(ToString::to_string));
            }
            for key in &self.keys {
                match made_by(key, signature, text, now) {
                    Some(Ok(())) => return Ok(()),
                    Some(Err(reason)) => why = Some(reason),
                    None => {}
                }
            }
        }
        Err(why.unwrap_or_else(|| match signers.as_slice() {
            [] => "it is not signed".to_owned(),
            signers => format!(
                "it is signed by {}, which is none of the {} trusted keys",
                signers.join(" and "),
                self.keys.len()
            ),
        }))
    }
}

/// Whether a key made a signature that counts; `None` when another one did.
fn made_by(
    key: &SignedPublicKey,
    signature: &Signature,
    text: &[u8],
    now: u64,
) -> Option<Result<(), String>> {
    let primary = &key.primary_key;
    if is_issuer(signature, primary) {
        let checked = signed(signature, primary, text, now)
            .and_then(|()| usable(key, now))
            .and_then(|flags| may_sign(flags, &primary.fingerprint().to_string()));
        return Some(checked);
    }
    let sub = key.public_subkeys.iter().find(|sub| is_issuer(signature, &sub.key))?;
    let checked = signed(signature, &sub.key, text, now)
        .and_then(|()| usable(key, now))
        .and_then(|_| usable_subkey(key, sub, now));
    Some(checked)
}

/// The issuer is a claim that only chooses the key: the signature itself decides.
fn is_issuer(signature: &Signature, key: &impl KeyDetails) -> bool {
    let fingerprints = signature.issuer_fingerprint();
    if fingerprints.is_empty() {
        return signature.issuer_key_id().contains(&&key.legacy_key_id());
    }
    fingerprints.contains(&&key.fingerprint())
}

fn signed(
    signature: &Signature,
    key: &impl VerifyingKey,
    text: &[u8],
    now: u64,
) -> Result<(), String> {
    let name = key.fingerprint();
    if !matches!(signature.typ(), Some(SignatureType::Text | SignatureType::Binary)) {
        return Err(format!("the signature by {name} is not over a text"));
    }
    if !is_strong(signature) {
        return Err(format!("the signature by {name} uses a hash that protects nothing any more"));
    }
    signature
        .verify(key, text)
        .map_err(|_| format!("the signature by {name} does not fit its bytes"))?;
    let Some(created) = signature.created().map(seconds) else {
        return Err(format!("the signature by {name} has no time"));
    };
    let lifetime = signature.signature_expiration_time().map_or(0, |d| u64::from(d.as_secs()));
    if created > now + SLACK {
        return Err(format!("the signature by {name} is from the future; is the clock right?"));
    }
    if lifetime > 0 && created + lifetime < now {
        return Err(format!("the signature by {name} has expired"));
    }
    Ok(())
}

fn is_strong(signature: &Signature) -> bool {
    matches!(
        signature.hash_alg(),
        Some(
            HashAlgorithm::Sha256
                | HashAlgorithm::Sha384
                | HashAlgorithm::Sha512
                | HashAlgorithm::Sha3_256
                | HashAlgorithm::Sha3_512
        )
    )
}

/// What a key's newest valid signature on itself says: whether it may sign.
fn usable(key: &SignedPublicKey, now: u64) -> Result<Flags, String> {
    let primary = &key.primary_key;
    let name = primary.fingerprint();
    if key.details.revocation_signatures.iter().any(|s| s.verify_key(primary).is_ok()) {
        return Err(format!("the key {name} is revoked"));
    }
    let direct = key.details.direct_signatures.iter().filter(|s| s.verify_key(primary).is_ok());
    let users = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|s| {
            s.is_certification() && s.verify_certification(primary, Tag::UserId, &user.id).is_ok()
        })
    });
    let newest = direct.chain(users).max_by_key(|s| s.created().map(seconds));
    let Some(newest) = newest else {
        return Err(format!("the key {name} is not bound to itself"));
    };
    check_life(primary, newest, &name.to_string(), now)?;
    let flags = newest.key_flags();
    // Keys from before there were flags may do everything.
    let none = !flags.sign() && !flags.certify() && !flags.encrypt_comms();
    Ok(Flags { sign: flags.sign() || none })
}

struct Flags {
    sign: bool,
}

fn may_sign(flags: Flags, name: &str) -> Result<(), String> {
    if flags.sign { Ok(()) } else { Err(format!("the key {name} may not sign")) }
}

fn usable_subkey(key: &SignedPublicKey, sub: &SignedPublicSubKey, now: u64) -> Result<(), String> {
    let primary = &key.primary_key;
    let name = sub.key.fingerprint();
    let valid =
        || sub.signatures.iter().filter(|s| s.verify_subkey_binding(primary, &sub.key).is_ok());
    if valid().any(|s| s.typ() == Some(SignatureType::SubkeyRevocation)) {
        return Err(format!("the key {name} is revoked"));
    }
    let binding = valid()
        .filter(|s| s.typ() == Some(SignatureType::SubkeyBinding))
        .max_by_key(|s| s.created().map(seconds));
    let Some(binding) = binding else {
        return Err(format!("the key {name} is not bound to its primary key"));
    };
    // Its own consent, without which anyone's signing key could be claimed.
    let consents = binding
        .embedded_signature()
        .is_some_and(|back| back.verify_primary_key_binding(&sub.key, primary).is_ok());
    if !binding.key_flags().sign() || !consents {
        return Err(format!("the key {name} may not sign"));
    }
    check_life(&sub.key, binding, &name.to_string(), now)
}

fn check_life(key: &impl KeyDetails, own: &Signature, name: &str, now: u64) -> Result<(), String> {
    let lifetime = own.key_expiration_time().map_or(0, |d| u64::from(d.as_secs()));
    if lifetime > 0 && seconds(key.created_at()) + lifetime < now {
        return Err(format!("the key {name} has expired"));
    }
    Ok(())
}

fn seconds(time: Timestamp) -> u64 {
    u64::from(time.as_secs())
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
