//! How a signature of cosign that a definition names is verified: by whom, and from which files.
//!
//! Pure. Refuses options that are not known, and patterns that may stand for several names.
//! Invariant: a way that is given compares identity and issuer, or a key.

use super::evidence::Cosign;
use super::render::SideFile;

/// Options of cosign that are compared, or change nothing of what is verified here.
const KNOWN: [&str; 10] = [
    "certificate-identity",
    "certificate-identity-regexp",
    "certificate-oidc-issuer",
    "certificate-oidc-issuer-regexp",
    "key",
    "signature",
    "certificate",
    "bundle",
    "new-bundle-format",
    "insecure-ignore-tlog",
];

/// How a signature of cosign is verified.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// By whom a certificate names.
    Identity { who: Who, bundle: SideFile },
    /// The same, with what the log says left out.
    Apart { who: Who, signature: SideFile, certificate: SideFile },
    /// By a key.
    Key { key: SideFile, signature: SideFile },
}

/// Whom a certificate must name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Who {
    /// Its subject.
    pub(super) identity: String,
    /// Who vouched for it.
    pub(super) issuer: String,
}

/// How a signature is verified; why not otherwise.
pub(super) fn way(one: &Cosign) -> std::result::Result<Way, String> {
    if let Some((name, _)) = one.options.iter().find(|(name, _)| !KNOWN.contains(&name.as_str())) {
        return Err(format!("the option `--{name}` is not known"));
    }
    let option = |wanted: &str| {
        one.options.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
    };
    let file = |own: &Option<SideFile>, name: &str| match (own, option(name)) {
        (Some(own), _) => Ok(Some(own.clone())),
        (None, Some(text)) if text.contains("://") => Ok(Some(SideFile::Url(text.to_owned()))),
        (None, Some(text)) => Err(format!("`--{name} {text}` is no address")),
        (None, None) => Ok(None),
    };
    let bundle = file(&one.bundle, "bundle")?;
    if let Some(key) = file(&one.key, "key")? {
        // A bundle holds the signature.
        let signature = match bundle {
            None => file(&one.signature, "signature")?,
            some => some,
        };
        let signature = signature.ok_or("it names a key and no signature")?;
        return Ok(Way::Key { key, signature });
    }
    let named = |name: &str| match (option(name), option(&format!("{name}-regexp"))) {
        (Some(exact), _) => Ok(exact.to_owned()),
        (None, Some(pattern)) => {
            literal(pattern).ok_or_else(|| format!("`--{name}-regexp {pattern}` is not one name"))
        }
        (None, None) => Err(format!("it has no `--{name}`")),
    };
    let who = || {
        let (identity, issuer) = ("certificate-identity", "certificate-oidc-issuer");
        Ok::<_, String>(Who { identity: named(identity)?, issuer: named(issuer)? })
    };
    if let Some(bundle) = bundle {
        return Ok(Way::Identity { who: who()?, bundle });
    }
    let (certificate, signature) =
        (file(&one.certificate, "certificate")?, file(&one.signature, "signature")?);
    match (certificate, signature) {
        (Some(certificate), Some(signature)) => {
            Ok(Way::Apart { who: who()?, signature, certificate })
        }
        _ => Err("it has neither a bundle nor signature and certificate".to_owned()),
    }
}

/// The one text that a pattern stands for, without the reference where any will do; `None` when it
/// may be several.
fn literal(pattern: &str) -> Option<String> {
    let text = pattern.strip_prefix('^')?;
    let text = match text.strip_suffix('$') {
        Some(text) => text.strip_suffix("@.*").or(text.strip_suffix("@.+")).unwrap_or(text),
        None => text.strip_suffix("@.*").or(text.strip_suffix("@.+"))?,
    };
    let (mut out, mut letters) = (String::new(), text.chars());
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.push(letters.next().filter(|c| c.is_ascii_punctuation())?),
            '[' | ']' | '(' | ')' | '{' | '}' | '*' | '+' | '?' | '|' | '^' | '$' => return None,
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::super::evidence::Signed;
    use super::*;

    #[test]
    fn patterns_that_are_one_name() {
        for (pattern, want) in [
            (
                r"^https://f\.invalid/o/r/x.yml@refs/tags/v1\.0$",
                Some("https://f.invalid/o/r/x.yml@refs/tags/v1.0"),
            ),
            (r"^https://f\.invalid/x\.yml@.*$", Some("https://f.invalid/x.yml")),
            ("^https://f.invalid/x.yml@.+", Some("https://f.invalid/x.yml")),
            ("https://f.invalid/x.yml$", None),
            ("^https://f.invalid/x.yml", None),
            ("^https://f.invalid/.*$", None),
            ("^https://f.invalid/(a|b)$", None),
            (r"^https://f.invalid/\d$", None),
            (r"^https://f.invalid/x@refs/tags/.+$", None),
        ] {
            assert_eq!(literal(pattern).as_deref(), want, "{pattern}");
        }
    }

    #[test]
    fn ways() {
        let url = |text: &str| SideFile::Url(format!("http://f.invalid/{text}"));
        let of = |options: &[(&str, &str)]| {
            let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Cosign {
                of: Signed::Artifact,
                signature: None,
                key: None,
                certificate: None,
                bundle: None,
                options,
            }
        };
        let who = [("certificate-identity", "i"), ("certificate-oidc-issuer-regexp", "^o$")];
        let bundled = Cosign { bundle: Some(url("b")), ..of(&who) };
        let named = || Who { identity: "i".to_owned(), issuer: "o".to_owned() };
        assert_eq!(way(&bundled), Ok(Way::Identity { who: named(), bundle: url("b") }));
        let (signature, certificate) = (url("s"), url("c"));
        let (s, c) = (Some(signature.clone()), Some(certificate.clone()));
        let apart = Cosign { signature: s, certificate: c, ..of(&who) };
        assert_eq!(way(&apart), Ok(Way::Apart { who: named(), signature, certificate }));
        let keyed = of(&[("key", "http://f.invalid/k"), ("signature", "http://f.invalid/s")]);
        assert_eq!(way(&keyed), Ok(Way::Key { key: url("k"), signature: url("s") }));
        for (one, why) in [
            (of(&who), "neither a bundle nor"),
            (of(&[("key", "cosign.pub")]), "no address"),
            (of(&[("key", "http://f.invalid/k")]), "no signature"),
            (Cosign { bundle: Some(url("b")), ..of(&who[..1]) }, "no `--certificate-oidc-issuer`"),
            (of(&[("certificate-github-workflow-ref", "r")]), "is not known"),
        ] {
            let said = way(&one).expect_err(why);
            assert!(said.contains(why), "{said}");
        }
    }
}
