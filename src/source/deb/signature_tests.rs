//! Signatures that count, and those that do not.

use pgp::composed::{KeyType, SecretKeyParamsBuilder, SignedSecretKey, SubkeyParamsBuilder};
use pgp::packet::{KeyFlags, SignatureConfig, Subpacket, SubpacketData};
use pgp::ser::Serialize as _;
use pgp::types::{Duration, Password, SignedUser};

use super::*;

const NOW: u64 = 1_700_000_000;
const TEXT: &str = "Suite: stable\n- dashed\nSHA256:\n 00 1 x\n";

fn key(sign: bool, subkey: bool) -> SignedSecretKey {
    let at = Timestamp::from_secs(1_600_000_000);
    let mut params = SecretKeyParamsBuilder::default();
    params
        .key_type(KeyType::Ed25519Legacy)
        .can_certify(true)
        .can_sign(sign)
        .created_at(at)
        .primary_user_id("Archive <archive@mirror.invalid>".to_owned());
    if subkey {
        let mut sub = SubkeyParamsBuilder::default();
        sub.key_type(KeyType::Ed25519Legacy).can_sign(true).created_at(at);
        params.subkeys(vec![sub.build().expect("subkey")]);
    }
    params.build().expect("params").generate(rand::thread_rng()).expect("key")
}

fn ring(key: &SignedSecretKey) -> Keyring {
    let mut ring = Keyring::default();
    ring.add(&key.to_public_key().to_bytes().expect("bytes"));
    assert!(!ring.is_empty());
    ring
}

fn config(
    key: &impl pgp::types::SigningKey,
    hash: HashAlgorithm,
    typ: SignatureType,
    at: u64,
) -> SignatureConfig {
    let mut config = SignatureConfig::v4(typ, key.algorithm(), hash);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(Timestamp::from_secs(at as u32)))
            .expect("time"),
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint())).expect("issuer"),
    ];
    config
}

fn message(key: &impl pgp::types::SigningKey, hash: HashAlgorithm, at: u64) -> String {
    let config = config(key, hash, SignatureType::Text, at);
    let message = CleartextSignedMessage::new(TEXT, config, key, &Password::empty());
    message.expect("signed").to_armored_string(Default::default()).expect("armored")
}

#[test]
fn only_what_is_signed_comes_out() {
    let key = key(true, false);
    let good = message(&key.primary_key, HashAlgorithm::Sha256, NOW);
    assert_eq!(ring(&key).open(&good, NOW).expect("good").trim_end(), TEXT.trim_end());
    let around = format!("Suite: evil\n{good}\nSHA256:\n evil\n");
    if let Ok(text) = ring(&key).open(&around, NOW) {
        assert!(!text.contains("evil"), "{text}");
    }
    let changed = good.replace("Suite: stable", "Suite: stolen");
    let why = ring(&key).open(&changed, NOW).expect_err("changed");
    assert!(why.contains("does not fit"), "{why}");
    for bad in ["", "Suite: stable\n", "-----BEGIN PGP SIGNED MESSAGE-----\n\nx\n"] {
        ring(&key).open(bad, NOW).expect_err(bad);
    }
}

#[test]
fn armored_and_several_keys() {
    let (one, two) = (key(true, false), key(true, false));
    let armored = |key: &SignedSecretKey| {
        key.to_public_key().to_armored_string(Default::default()).expect("armored")
    };
    let mut ring = Keyring::default();
    ring.add(format!("{}\n{}", armored(&one), armored(&two)).as_bytes());
    for key in [&one, &two] {
        ring.open(&message(&key.primary_key, HashAlgorithm::Sha512, NOW), NOW).expect("good");
    }
    ring.only(&[format!("{:X}", one.primary_key.fingerprint())]);
    let why = ring.open(&message(&two.primary_key, HashAlgorithm::Sha512, NOW), NOW);
    let why = why.expect_err("not this one");
    assert!(why.contains(&two.primary_key.fingerprint().to_string()), "{why}");
    assert!(why.contains("none of the 1 trusted"), "{why}");
}

#[test]
fn subkeys_sign_with_their_consent() {
    let key = key(false, true);
    let sub = &key.secret_subkeys[0].key;
    ring(&key).open(&message(sub, HashAlgorithm::Sha256, NOW), NOW).expect("good");
    let why = ring(&key).open(&message(&key.primary_key, HashAlgorithm::Sha256, NOW), NOW);
    assert!(why.expect_err("certifies only").contains("may not sign"));

    let mut claimed = key.to_public_key();
    let whole = claimed.clone();
    for signature in &mut claimed.public_subkeys[0].signatures {
        // Without its own signature it is only claimed.
        let config = signature.config().expect("config").clone();
        let mut bare = SignatureConfig::v4(config.typ, config.pub_alg, config.hash_alg);
        bare.hashed_subpackets = config
            .hashed_subpackets
            .iter()
            .filter(|p| !matches!(p.data, SubpacketData::EmbeddedSignature(_)))
            .cloned()
            .collect();
        *signature = bare
            .sign_subkey_binding(
                &key.primary_key,
                &whole.primary_key,
                &Password::empty(),
                &whole.public_subkeys[0].key,
            )
            .expect("bound");
    }
    let mut ring = Keyring::default();
    ring.add(&claimed.to_bytes().expect("bytes"));
    let why = ring.open(&message(sub, HashAlgorithm::Sha256, NOW), NOW).expect_err("claimed");
    assert!(why.contains("may not sign"), "{why}");
}

#[test]
fn times() {
    let key = key(true, false);
    let early = message(&key.primary_key, HashAlgorithm::Sha256, NOW + 3 * SLACK);
    let why = ring(&key).open(&early, NOW).expect_err("future");
    assert!(why.contains("from the future"), "{why}");

    // A key that lived for a day.
    let mut short = key.to_public_key();
    let mut own =
        config(&key.primary_key, HashAlgorithm::Sha256, SignatureType::CertPositive, 1_600_000_001);
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    flags.set_sign(true);
    own.hashed_subpackets.push(
        Subpacket::regular(SubpacketData::KeyExpirationTime(Duration::from_secs(86400)))
            .expect("expiry"),
    );
    own.hashed_subpackets.push(Subpacket::regular(SubpacketData::KeyFlags(flags)).expect("flags"));
    let user = short.details.users[0].id.clone();
    let own = own
        .sign_certification(
            &key.primary_key,
            &short.primary_key,
            &Password::empty(),
            Tag::UserId,
            &user,
        )
        .expect("certified");
    short.details.users = vec![SignedUser::new(user, vec![own])];
    let mut ring = Keyring::default();
    ring.add(&short.to_bytes().expect("bytes"));
    let then = 1_600_000_100;
    let text = message(&key.primary_key, HashAlgorithm::Sha256, then);
    ring.open(&text, then).expect("while it lived");
    let why = ring.open(&text, NOW).expect_err("expired");
    assert!(why.contains("has expired"), "{why}");
}

#[test]
fn revoked_keys_sign_nothing() {
    let key = key(true, false);
    let mut public = key.to_public_key();
    let revocation =
        config(&key.primary_key, HashAlgorithm::Sha256, SignatureType::KeyRevocation, NOW)
            .sign_key(&key.primary_key, &Password::empty(), &public.primary_key)
            .expect("revoked");
    public.details.revocation_signatures.push(revocation);
    let mut ring = Keyring::default();
    ring.add(&public.to_bytes().expect("bytes"));
    let text = message(&key.primary_key, HashAlgorithm::Sha256, NOW);
    let why = ring.open(&text, NOW).expect_err("revoked");
    assert!(why.contains("revoked"), "{why}");
}

#[test]
fn detached() {
    let key = key(true, false);
    let signed = DetachedSignature::sign_binary_data(
        rand::thread_rng(),
        &key.primary_key,
        &Password::empty(),
        HashAlgorithm::Sha256,
        TEXT.as_bytes(),
    )
    .expect("signed");
    let now = u64::from(Timestamp::now().as_secs());
    let armored = signed.to_armored_bytes(Default::default()).expect("armored");
    let binary = signed.to_bytes().expect("bytes");
    for signature in [&armored, &binary] {
        ring(&key).check(TEXT.as_bytes(), signature, now).expect("good");
        ring(&key).check(b"other", signature, now).expect_err("changed");
        ring(&self::key(true, false)).check(TEXT.as_bytes(), signature, now).expect_err("other");
    }
    ring(&key).check(TEXT.as_bytes(), b"", now).expect_err("no signature");
}
