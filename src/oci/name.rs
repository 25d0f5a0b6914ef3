//! Names of repositories, tags and digests. Pure.
//!
//! Reference: OCI distribution-spec 1.1, "Pulling manifests"; OCI image-spec 1.1, "Digests".

use crate::base::{Algorithm, Integrity};

/// Whether a text names a repository (without a registry's host).
pub fn is_repository(name: &str) -> bool {
    name.len() <= 255 && name.split('/').all(is_component)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let mut rest = text.as_bytes();
    loop {
        let words = rest.iter().take_while(|b| word(**b)).count();
        if words == 0 {
            return false;
        }
        rest = &rest[words..];
        let between = rest.iter().take_while(|b| !word(**b)).count();
        match &rest[..between] {
            [] => return true,
            b"." | b"_" | b"__" => {}
            dashes if dashes.iter().all(|b| *b == b'-') => {}
            _ => return false,
        }
        rest = &rest[between..];
    }
}

/// Whether a text is a tag.
pub fn is_tag(text: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

/// `sha256:HEX`, as the specification writes a hash.
pub fn digest(integrity: &Integrity) -> String {
    format!("{}:{}", integrity.algorithm().name(), integrity.hex())
}

/// Reads a digest; `None` for algorithms that are not strong enough or not known.
pub fn parse_digest(text: &str) -> Option<Integrity> {
    let (algorithm, hex) = text.split_once(':')?;
    let algorithm = [Algorithm::Sha256, Algorithm::Sha512]
        .into_iter()
        .find(|known| known.name() == algorithm)?;
    // Lower case is part of the grammar, so that a blob has one name.
    let lower = hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    lower.then(|| Integrity::from_hex(algorithm, hex)).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repositories_and_tags() {
        for good in ["alpine", "library/alpine", "a.b/c_d/e__f/g--h", "0/1"] {
            assert!(is_repository(good), "{good}");
        }
        for bad in ["", "/a", "a/", "A", "a..b", "a___b", "-a", "a-", "a:1", "a@b", "host:5000/a"] {
            assert!(!is_repository(bad), "{bad}");
        }
        for (tag, good) in [
            ("latest", true),
            ("3.19", true),
            ("_x", true),
            (".x", false),
            ("-x", false),
            ("", false),
        ] {
            assert_eq!(is_tag(tag), good, "{tag}");
        }
        assert!(!is_tag(&"x".repeat(129)));
    }

    proptest! {
        #[test]
        fn digests_survive(bytes in any::<[u8; 8]>()) {
            let integrity = Integrity::sha256_of(&bytes);
            prop_assert_eq!(parse_digest(&digest(&integrity)), Some(integrity.clone()));
            prop_assert_eq!(parse_digest(&digest(&integrity).to_uppercase()), None);
        }

        #[test]
        fn any_text_is_read(text in "\\PC{0,90}") {
            let _ = (parse_digest(&text), is_tag(&text), is_repository(&text));
        }
    }
}
