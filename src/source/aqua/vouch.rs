//! The signatures that a definition names, fetched and made evidence.
//!
//! Owns what of the registry's words can be verified. What cannot (a signature over the checksum
//! file, one that is only in a log, an option of cosign that is not known) is warned of and left
//! out, never taken for verified. Invariant: keys and identities are those of the definition whose
//! hash is in the lock.

use super::evidence::{self, Cosign, Signed};
use super::render::{Outcome, Place, Render, SideFile};
use super::{Aqua, Found, definition};
use crate::base::Algorithm;
use crate::provenance::Evidence;
use crate::source::{Asked, Location, Query, Result};

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
enum Way {
    /// By whom a certificate names.
    Identity { identity: String, issuer: String, bundle: SideFile },
    /// By a key.
    Key { key: SideFile, signature: SideFile },
}

impl Aqua {
    /// Everything that vouches for a file.
    pub(super) async fn vouched(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        let Asked { query, version, platform, .. } = *asked;
        let found = self.registry.find(query).await?;
        let versions = self.versions_of(query, &found).await?;
        let Some(tagged) = versions.get(version) else {
            return Err(query.version_gone(version));
        };
        let tag = tagged.tag.as_str();
        let Outcome::File(file) = self.outcome(query, &found, tag, platform)? else {
            return Ok(Vec::new());
        };
        let refused = |flaw| self.refused(query, &found, flaw);
        let at = found.definition.at(tag).map_err(refused)?;
        let on = at.on(definition::Runtime::of(platform)).map_err(refused)?;
        let named = match evidence::of(&Render::new(&on, tag, platform), &on, &file) {
            Ok(named) => named,
            Err(flaw) => {
                self.left_out(query, "signatures", &flaw.why);
                return Ok(Vec::new());
            }
        };
        let mut out = Vec::new();
        for one in &named.minisign {
            if !self.is_of_artifact(query, "a signature of minisign", one.of) {
                continue;
            }
            let signature = self.side(query, &found, tag, &one.signature).await?;
            if let Some((_, body)) = self.there(query, &one.signature, signature) {
                let signature = String::from_utf8_lossy(&body).into_owned();
                out.push(Evidence::Minisign { key: one.public_key.clone(), signature });
            }
        }
        for one in &named.cosign {
            if self.is_of_artifact(query, "a signature of cosign", one.of) {
                out.extend(self.cosign(query, &found, tag, one).await?);
            }
        }
        for of in &named.attestations {
            if !self.is_of_artifact(query, "attestations", *of) {
                continue;
            }
            let repo = match &file.place {
                Place::Release { repo } | Place::Content { repo, .. } | Place::Archive { repo } => {
                    repo.clone()
                }
                Place::Url(_) => {
                    let text = |key| on.text(key).map_err(refused);
                    match (text("repo_owner")?, text("repo_name")?) {
                        (Some(owner), Some(name)) => format!("{owner}/{name}"),
                        _ => continue,
                    }
                }
            };
            if let Some(digest) = asked.digest(Algorithm::Sha256) {
                let repo = self.parsed(query, &found, &repo)?;
                out.extend(self.forge.attestations(query, repo, digest).await?);
            }
        }
        Ok(out)
    }

    async fn cosign(
        &self,
        query: &Query<'_>,
        found: &Found,
        tag: &str,
        one: &Cosign,
    ) -> Result<Option<Evidence>> {
        let left_out = |why: &str| {
            self.left_out(query, "a signature of cosign", why);
            Ok(None)
        };
        let text = |body: Vec<u8>| String::from_utf8_lossy(&body).into_owned();
        match way(one) {
            Err(why) => left_out(&why),
            Ok(Way::Identity { identity, issuer, bundle: at }) => {
                let bundle = self.side(query, found, tag, &at).await?;
                let Some((_, body)) = self.there(query, &at, bundle) else { return Ok(None) };
                match serde_json::from_slice::<serde_json::Value>(&body) {
                    Ok(bundle) if bundle.get("verificationMaterial").is_some() => {
                        Ok(Some(Evidence::Cosign { identity, issuer, bundle }))
                    }
                    _ => left_out("its bundle is none of Sigstore's format"),
                }
            }
            Ok(Way::Key { key: key_at, signature: at }) => {
                let key = self.side(query, found, tag, &key_at).await?;
                let Some((_, key)) = self.there(query, &key_at, key) else { return Ok(None) };
                let signature = self.side(query, found, tag, &at).await?;
                let Some((_, body)) = self.there(query, &at, signature) else { return Ok(None) };
                let signature = text(body);
                if signature.trim_start().starts_with('{')
                    && !signature.contains("\"verificationMaterial\"")
                {
                    return left_out("its bundle is none of Sigstore's format");
                }
                Ok(Some(Evidence::CosignKey { key: text(key), signature }))
            }
        }
    }

    /// A file that goes with the artifact; `None` when it is not there.
    async fn side(
        &self,
        query: &Query<'_>,
        found: &Found,
        tag: &str,
        file: &SideFile,
    ) -> Result<Option<(Location, Vec<u8>)>> {
        match file {
            SideFile::Release { repo, asset } => {
                let repo = self.parsed(query, found, repo)?;
                let release = self.release(query, found, repo, tag).await?;
                match release.as_ref().and_then(|release| release.asset(asset)) {
                    Some(asset) => self.forge.bytes(query, asset).await,
                    None => Ok(None),
                }
            }
            SideFile::Url(url) => {
                let at = self.direct(query, found, url)?;
                Ok(self.access.get(query, &at, at.accept).await?.map(|body| (at, body)))
            }
        }
    }

    fn there<T>(&self, query: &Query<'_>, file: &SideFile, found: Option<T>) -> Option<T> {
        if found.is_none() {
            let name = match file {
                SideFile::Release { asset, .. } => asset.as_str(),
                SideFile::Url(url) => url.split(['?', '#']).next().unwrap_or(url),
            };
            self.left_out(query, &format!("`{name}`"), "it is not there");
        }
        found
    }

    fn is_of_artifact(&self, query: &Query<'_>, what: &str, of: Signed) -> bool {
        if of == Signed::ChecksumFile {
            self.left_out(query, what, "it is over the checksum file");
        }
        of == Signed::Artifact
    }

    fn left_out(&self, query: &Query<'_>, what: &str, why: &str) {
        let (dep, from) = (query.dep, &query.requirement.from);
        self.access.warn_once(&format!(
            "the registry names {what} for `{dep}` ({from}) that cannot be verified: {why}"
        ));
    }
}

/// How a signature is verified; why not otherwise.
fn way(one: &Cosign) -> std::result::Result<Way, String> {
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
    let Some(bundle) = bundle else {
        return Err("it has no bundle, and the log is not asked for its time".to_owned());
    };
    let named = |name: &str| match (option(name), option(&format!("{name}-regexp"))) {
        (Some(exact), _) => Ok(exact.to_owned()),
        (None, Some(pattern)) => {
            literal(pattern).ok_or_else(|| format!("`--{name}-regexp {pattern}` is not one name"))
        }
        (None, None) => Err(format!("it has no `--{name}`")),
    };
    let (identity, issuer) = (named("certificate-identity")?, named("certificate-oidc-issuer")?);
    Ok(Way::Identity { identity, issuer, bundle })
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
        let (identity, issuer) = ("i".to_owned(), "o".to_owned());
        assert_eq!(way(&bundled), Ok(Way::Identity { identity, issuer, bundle: url("b") }));
        let keyed = of(&[("key", "http://f.invalid/k"), ("signature", "http://f.invalid/s")]);
        assert_eq!(way(&keyed), Ok(Way::Key { key: url("k"), signature: url("s") }));
        for (one, why) in [
            (of(&who), "no bundle"),
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
