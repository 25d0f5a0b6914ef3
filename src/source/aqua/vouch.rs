//! The signatures that a definition names, fetched and made evidence.
//!
//! Owns what of the registry's words can be verified: what signs the artifact, and what signs the
//! checksum file that lists it. What cannot (an option of cosign that is not known, a file that is
//! not there) is warned of and left out, never taken for verified. Invariant: keys and identities
//! are those of the definition whose hash is in the lock.

use super::evidence::{self, Cosign, Signed, Slsa};
use super::render::{File, Outcome, Place, Render, SideFile};
use super::signatures::{Way, Who, way};
use super::{Aqua, Found, definition};
use crate::base::{Algorithm, Integrity};
use crate::provenance::log::Certificate;
use crate::provenance::{self, Evidence};
use crate::source::{Asked, Location, Query, Result, signed};

/// What is signed.
struct Thing {
    /// Its SHA-256, where it is known.
    sha256: Option<Integrity>,
    /// Name and text of the checksum file, unless it is the artifact.
    list: Option<(String, String)>,
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
        for of in [Signed::Artifact, Signed::ChecksumFile] {
            let minisign: Vec<_> = named.minisign.iter().filter(|one| one.of == of).collect();
            let cosign: Vec<_> = named.cosign.iter().filter(|one| one.of == of).collect();
            let is_attested = named.attestations.contains(&of);
            if minisign.is_empty() && cosign.is_empty() && !is_attested {
                continue;
            }
            let thing = match of {
                Signed::Artifact => {
                    Thing { sha256: asked.digest(Algorithm::Sha256).cloned(), list: None }
                }
                Signed::ChecksumFile => match self.list(query, &found, tag, &file).await? {
                    Some(thing) => thing,
                    None => continue,
                },
            };
            let mut vouching = Vec::new();
            for one in minisign {
                let signature = self.side(query, &found, tag, &one.signature).await?;
                if let Some((_, body)) = self.there(query, &one.signature, signature) {
                    let signature = text(body);
                    vouching.push(Evidence::Minisign { key: one.public_key.clone(), signature });
                }
            }
            for one in cosign {
                vouching.extend(self.cosign(asked, &found, tag, one, &thing).await?);
            }
            let repo = repo_of(&on, &file).map_err(refused)?;
            if let (true, Some(repo), Some(digest)) = (is_attested, repo, &thing.sha256) {
                let repo = self.parsed(query, &found, &repo)?;
                vouching.extend(self.forge.attestations(query, repo, digest).await?);
            }
            out.extend(vouching.into_iter().map(|by| wrapped(by, &thing, &file)));
        }
        for one in &named.slsa {
            out.extend(self.slsa(asked, &found, tag, one).await?);
        }
        Ok(out)
    }

    /// The checksum file that lists an artifact.
    async fn list(
        &self,
        query: &Query<'_>,
        found: &Found,
        tag: &str,
        file: &File,
    ) -> Result<Option<Thing>> {
        const WHAT: &str = "a signature over the checksum file";
        let Some(checksum) = &file.checksum else {
            self.left_out(query, WHAT, "its hashes count for nothing");
            return Ok(None);
        };
        let body = self.side(query, found, tag, &checksum.at).await?;
        let Some((_, body)) = self.there(query, &checksum.at, body) else { return Ok(None) };
        let sha256 = Some(Integrity::sha256_of(&body));
        let Ok(text) = String::from_utf8(body) else {
            self.left_out(query, WHAT, "it is no text");
            return Ok(None);
        };
        Ok(Some(Thing { sha256, list: Some((name_of(&checksum.at).to_owned(), text)) }))
    }

    async fn cosign(
        &self,
        asked: &Asked<'_>,
        found: &Found,
        tag: &str,
        one: &Cosign,
        thing: &Thing,
    ) -> Result<Option<Evidence>> {
        let query = asked.query;
        let left_out = |why: &str| {
            self.left_out(query, "a signature of cosign", why);
            Ok(None)
        };
        match way(one) {
            Err(why) => left_out(&why),
            Ok(Way::Identity { who: Who { identity, issuer }, bundle: at }) => {
                let bundle = self.side(query, found, tag, &at).await?;
                let Some((_, body)) = self.there(query, &at, bundle) else { return Ok(None) };
                match serde_json::from_slice::<serde_json::Value>(&body) {
                    Ok(bundle) if bundle.get("verificationMaterial").is_some() => {
                        Ok(Some(Evidence::Cosign { identity, issuer, bundle }))
                    }
                    _ => left_out("its bundle is none of Sigstore's format"),
                }
            }
            Ok(Way::Apart { who: Who { identity, issuer }, signature: at, certificate: of }) => {
                let signature = self.side(query, found, tag, &at).await?;
                let Some((_, signature)) = self.there(query, &at, signature) else {
                    return Ok(None);
                };
                let certificate = self.side(query, found, tag, &of).await?;
                let Some((_, certificate)) = self.there(query, &of, certificate) else {
                    return Ok(None);
                };
                let Some(certificate) = Certificate::read(&text(certificate)) else {
                    return left_out("its certificate is none");
                };
                let Some(sha256) = &thing.sha256 else { return Ok(None) };
                match self.logs.entry(&self.access, asked, sha256, &certificate).await? {
                    Some(entry) => {
                        let bundle = certificate.signed(&text(signature), sha256, entry);
                        Ok(Some(Evidence::Cosign { identity, issuer, bundle }))
                    }
                    None => left_out("no log knows of it"),
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

    /// Statements of how an artifact was built.
    async fn slsa(
        &self,
        asked: &Asked<'_>,
        found: &Found,
        tag: &str,
        one: &Slsa,
    ) -> Result<Vec<Evidence>> {
        let query = asked.query;
        let body = self.side(query, found, tag, &one.file).await?;
        let Some((at, body)) = self.there(query, &one.file, body) else { return Ok(Vec::new()) };
        let lines = provenance::slsa(&body, asked.digests);
        let mut out = Vec::new();
        for line in lines.map_err(|e| signed::refused(query, &at, e))? {
            let bundle = match line {
                provenance::Slsa::Bundle(bundle) => bundle,
                provenance::Slsa::Envelope { envelope, certificate } => {
                    let Some(sha256) = asked.digest(Algorithm::Sha256) else { continue };
                    let entry = self.logs.entry(&self.access, asked, sha256, &certificate).await?;
                    match entry {
                        Some(entry) => certificate.stated(&envelope, entry),
                        None => {
                            self.left_out(query, "provenance", "no log knows of it");
                            continue;
                        }
                    }
                }
                provenance::Slsa::Bare => {
                    self.left_out(query, "provenance", "it has no certificate");
                    continue;
                }
            };
            let repository = one.repository.clone();
            let reference = one.tag.as_ref().map(|tag| format!("refs/tags/{tag}"));
            out.push(Evidence::Slsa { repository, reference, bundle });
        }
        Ok(out)
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
            self.left_out(query, &format!("`{}`", name_of(file)), "it is not there");
        }
        found
    }

    fn left_out(&self, query: &Query<'_>, what: &str, why: &str) {
        let (dep, from) = (query.dep, &query.requirement.from);
        self.access.warn_once(&format!(
            "the registry names {what} for `{dep}` ({from}) that cannot be verified: {why}"
        ));
    }
}

fn text(body: Vec<u8>) -> String {
    String::from_utf8_lossy(&body).into_owned()
}

/// A side file's name, or its address.
fn name_of(file: &SideFile) -> &str {
    match file {
        SideFile::Release { asset, .. } => asset,
        SideFile::Url(url) => url.split(['?', '#']).next().unwrap_or(url),
    }
}

/// The repository whose forge is asked for attestations.
fn repo_of(
    on: &definition::Definition,
    file: &File,
) -> std::result::Result<Option<String>, super::Flaw> {
    Ok(match &file.place {
        Place::Release { repo } | Place::Content { repo, .. } | Place::Archive { repo } => {
            Some(repo.clone())
        }
        Place::Url(_) => match (on.text("repo_owner")?, on.text("repo_name")?) {
            (Some(owner), Some(name)) => Some(format!("{owner}/{name}")),
            _ => None,
        },
    })
}

/// Evidence about the artifact, of evidence about what was signed.
fn wrapped(by: Evidence, thing: &Thing, file: &File) -> Evidence {
    let (Some((list, text)), Some(checksum)) = (&thing.list, &file.checksum) else { return by };
    Evidence::Listed {
        list: list.clone(),
        text: text.clone(),
        file: file.asset.clone(),
        sums: checksum.sums.clone(),
        by: Box::new(by),
    }
}
