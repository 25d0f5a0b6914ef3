//! Keys and signatures, in Nix's form: `NAME:BASE64`, ed25519.
//!
//! Owns making, reading and writing keys, and signing. A secret key is the 64 bytes of seed and
//! public key, a public key the 32 bytes. Refuses key names that would not survive a line of text,
//! and a secret whose halves do not belong together. Invariant: a secret is printed only by
//! [`SecretKey::expose`].

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};

/// A text that is no key or no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not {0} (`NAME:BASE64`)")]
pub struct InvalidKey(pub &'static str);

/// What signs.
pub struct SecretKey {
    name: String,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

/// What verifies.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    name: String,
    bytes: [u8; 32],
}

/// A signature and the name of the key that made it.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    bytes: [u8; 64],
}

impl SecretKey {
    /// A new key.
    pub fn generate(name: &str) -> Result<Self, InvalidKey> {
        check_name(name, "a key's name")?;
        let mut seed = [0; 32];
        SystemRandom::new()
            .fill(&mut seed)
            .map_err(|_| InvalidKey("possible without the system's random numbers"))?;
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .map_err(|_| InvalidKey("a key that can be used"))?;
        Ok(Self { name: name.to_owned(), seed, pair })
    }

    /// What verifies its signatures.
    pub fn public(&self) -> PublicKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        PublicKey { name: self.name.clone(), bytes }
    }

    /// Signs a fingerprint.
    pub fn sign(&self, fingerprint: &str) -> Signature {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(fingerprint.as_bytes()).as_ref());
        Signature { name: self.name.clone(), bytes }
    }

    /// Its text, for the file that keeps it.
    pub fn expose(&self) -> String {
        let bytes = [self.seed, self.public().bytes].concat();
        format!("{}:{}", self.name, BASE64.encode(&bytes))
    }
}

impl FromStr for SecretKey {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let what = "a secret key";
        let (name, bytes) = split::<64>(text, what)?;
        let (seed, public) = bytes.split_at(32);
        let pair =
            Ed25519KeyPair::from_seed_and_public_key(seed, public).map_err(|_| InvalidKey(what))?;
        let mut own = [0; 32];
        own.copy_from_slice(seed);
        Ok(Self { name, seed: own, pair })
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:***", self.name)
    }
}

impl PublicKey {
    /// The key's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn verifies(&self, fingerprint: &str, signature: &Signature) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
        key.verify(fingerprint.as_bytes(), &signature.bytes).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (name, bytes) = split::<32>(text, "a public key")?;
        Ok(Self { name, bytes })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, BASE64.encode(&self.bytes))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Signature {
    /// The name of the key that made it.
    pub fn key_name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Signature {
    type Err = InvalidKey;
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let (name, bytes) = split::<64>(text, "a signature")?;
        Ok(Self { name, bytes })
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, BASE64.encode(&self.bytes))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Keys that are trusted, by name.
#[derive(Clone, Debug, Default)]
pub struct Keyring(BTreeMap<String, PublicKey>);

impl Keyring {
    /// Of these keys.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self(keys.into_iter().map(|key| (key.name.clone(), key)).collect())
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The name of the first known key that made one of these signatures.
    pub fn signer<'a>(&self, fingerprint: &str, signatures: &'a [Signature]) -> Option<&'a str> {
        let good =
            |s: &&Signature| self.0.get(&s.name).is_some_and(|key| key.verifies(fingerprint, s));
        signatures.iter().find(good).map(|s| s.name.as_str())
    }

    /// The names of known keys whose signature is there and false.
    pub fn forged<'a>(&self, fingerprint: &str, signatures: &'a [Signature]) -> Vec<&'a str> {
        let false_one =
            |s: &&Signature| self.0.get(&s.name).is_some_and(|key| !key.verifies(fingerprint, s));
        signatures.iter().filter(false_one).map(|s| s.name.as_str()).collect()
    }
}

fn split<const N: usize>(text: &str, what: &'static str) -> Result<(String, [u8; N]), InvalidKey> {
    let (name, value) = text.trim().split_once(':').ok_or(InvalidKey(what))?;
    check_name(name, what)?;
    let bytes = BASE64.decode(value.as_bytes()).map_err(|_| InvalidKey(what))?;
    Ok((name.to_owned(), bytes.try_into().map_err(|_| InvalidKey(what))?))
}

fn check_name(name: &str, what: &'static str) -> Result<(), InvalidKey> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-_.+@=/".contains(&b);
    let fits = !name.is_empty() && name.len() <= 200 && name.bytes().all(good);
    fits.then_some(()).ok_or(InvalidKey(what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_text_and_verify() {
        let secret = SecretKey::generate("cache.example-1").expect("key");
        let again: SecretKey = secret.expose().parse().expect("secret");
        let public: PublicKey = secret.public().to_string().parse().expect("public");
        assert_eq!(public, again.public());
        let signature = again.sign("1;x").to_string().parse::<Signature>().expect("signature");
        let keys = Keyring::new([public]);
        let signatures = [signature];
        assert_eq!(keys.signer("1;x", &signatures), Some("cache.example-1"));
        assert_eq!(keys.signer("1;y", &signatures), None);
        assert_eq!(keys.forged("1;y", &signatures), ["cache.example-1"]);
        assert!(!format!("{again:?}").contains(&secret.expose()[16..]));
    }

    #[test]
    fn another_key_of_the_same_name_proves_nothing() {
        let (mine, other) = (SecretKey::generate("k").expect("key"), SecretKey::generate("k"));
        let keys = Keyring::new([other.expect("key").public()]);
        assert_eq!(keys.signer("1;x", &[mine.sign("1;x")]), None);
    }

    /// RFC 8032, 7.1, test 1, in the form of `nix key`.
    #[test]
    fn agrees_with_the_standard() {
        let hex = |text: &str| data_encoding::HEXLOWER.decode(text.as_bytes()).expect("hex");
        let seed = hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let public = hex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let text = format!("k:{}", BASE64.encode(&[seed, public].concat()));
        let signature = text.parse::<SecretKey>().expect("key").sign("");
        let want = "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155\
                    5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
        assert_eq!(signature.bytes.to_vec(), hex(want));
    }

    #[test]
    fn refused() {
        for text in ["", "k", "k:", ":AAAA", "k:AAAA", "a b:AAAA", "k:%"] {
            assert!(text.parse::<SecretKey>().is_err(), "{text}");
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
            assert!(text.parse::<Signature>().is_err(), "{text}");
        }
        let halves = format!("k:{}", BASE64.encode(&[7; 64]));
        assert!(halves.parse::<SecretKey>().is_err(), "halves that do not belong together");
        assert!(SecretKey::generate("a:b").is_err());
    }
}
