//! Signatures and statements that a definition says are published, as plain data.
//!
//! Owns their names, addresses and identities, rendered for one tag and platform. Verifies nothing
//! and fetches nothing. Refuses no section that it knows half of: what is missing is `None`, and
//! whoever verifies decides. Invariant: every template was rendered completely.

use super::render::{File, Render, SideFile};
use super::template::{self, Words};
use super::yaml::{Flaw, Node};

/// What vouches for a file, or for the checksum file that lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AquaEvidence {
    /// Signatures of cosign.
    pub(super) cosign: Vec<Cosign>,
    /// Signatures of minisign.
    pub(super) minisign: Vec<Minisign>,
    /// Statements of how the artifact was built.
    pub(super) slsa: Vec<Slsa>,
    /// What has attestations that the forge keeps, found by its hash.
    pub(super) attestations: Vec<Signed>,
}

/// What is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Signed {
    /// The artifact.
    Artifact,
    /// The checksum file.
    ChecksumFile,
}

/// `cosign verify-blob`
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cosign {
    /// What is signed.
    pub(super) of: Signed,
    /// The signature.
    pub(super) signature: Option<SideFile>,
    /// The public key.
    pub(super) key: Option<SideFile>,
    /// The certificate.
    pub(super) certificate: Option<SideFile>,
    /// Signature, certificate and log entry in one.
    pub(super) bundle: Option<SideFile>,
    /// Options by name without dashes, such as `certificate-identity`, `certificate-oidc-issuer`,
    /// `key`, `signature`; `true` for those without a value.
    pub(super) options: Vec<(String, String)>,
}

/// A signature of minisign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Minisign {
    /// What is signed.
    pub(super) of: Signed,
    /// The signature.
    pub(super) signature: SideFile,
    /// The public key in base64.
    pub(super) public_key: String,
}

/// A file of provenance statements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slsa {
    /// Where it is.
    pub(super) file: SideFile,
    /// `OWNER/NAME` that the artifact is built from.
    pub(super) repository: String,
    /// The tag that it is built at; any when `None`.
    pub(super) tag: Option<String>,
}

/// Reads every section. `file` is what the same `render` gave.
pub(super) fn of(
    render: &Render<'_>,
    sections: &super::definition::Definition,
    file: &File,
) -> Result<AquaEvidence, Flaw> {
    let mut out = AquaEvidence::default();
    let words = render.side_words(None, &file.place, &file.asset)?;
    let artifact = (Signed::Artifact, &words);
    let key = |key| sections.get(key).filter(|node| is_enabled(node));
    if let Some(node) = key("cosign") {
        out.cosign.push(cosign(render, node, artifact)?);
    }
    if let Some(node) = key("minisign") {
        out.minisign.push(minisign(render, node, artifact)?);
    }
    if let Some(node) = key("slsa_provenance") {
        out.slsa.push(slsa(render, node, sections, &words)?);
    }
    if key("github_artifact_attestations").is_some() {
        out.attestations.push(Signed::Artifact);
    }
    let Some(checksum) = key("checksum") else { return Ok(out) };
    // Templates in it are about the checksum file.
    let mut words = words;
    if let Some(SideFile::Release { asset, .. }) = file.checksum.as_ref().map(|c| &c.at) {
        words.insert("Asset".to_owned(), asset.clone());
    }
    let list = (Signed::ChecksumFile, &words);
    let key = |key| checksum.get(key).filter(|node| is_enabled(node));
    if let Some(node) = key("cosign") {
        out.cosign.push(cosign(render, node, list)?);
    }
    if let Some(node) = key("minisign") {
        out.minisign.push(minisign(render, node, list)?);
    }
    if key("github_artifact_attestations").is_some() {
        out.attestations.push(Signed::ChecksumFile);
    }
    Ok(out)
}

fn is_enabled(node: &Node) -> bool {
    node.flag_at("enabled") != Ok(Some(false))
}

fn rendered(node: &Node, words: &Words) -> Result<String, Flaw> {
    template::render(node.text("it")?, words).map_err(|why| Flaw::new(node.line, why))
}

fn cosign(render: &Render<'_>, node: &Node, (of, words): (Signed, &Words)) -> Result<Cosign, Flaw> {
    let side = |key| node.get(key).map(|node| render.side_file(node, words)).transpose();
    let mut options: Vec<(String, String)> = Vec::new();
    for one in node.list_at("opts")? {
        let text = rendered(one, words)?;
        match text.strip_prefix("--") {
            Some(option) => match option.split_once('=') {
                Some((name, value)) => options.push((name.to_owned(), value.to_owned())),
                None => options.push((option.to_owned(), "true".to_owned())),
            },
            None => match options.last_mut() {
                Some((_, value)) if value == "true" => *value = text,
                _ => return Err(Flaw::new(one.line, format!("`{text}` belongs to no option"))),
            },
        }
    }
    Ok(Cosign {
        of,
        signature: side("signature")?,
        key: side("key")?,
        certificate: side("certificate")?,
        bundle: side("bundle")?,
        options,
    })
}

fn slsa(
    render: &Render<'_>,
    node: &Node,
    sections: &super::definition::Definition,
    words: &Words,
) -> Result<Slsa, Flaw> {
    let file = render.side_file(node, words)?;
    let text = |key| node.get(key).map(|node| rendered(node, words)).transpose();
    let repository = match text("source_uri")? {
        Some(uri) => {
            let bare = uri.split_once("://").map_or(uri.as_str(), |(_, rest)| rest);
            let path = bare.split_once('/').map_or("", |(_, path)| path);
            path.trim_end_matches('/').trim_end_matches(".git").to_owned()
        }
        None => match (sections.text("repo_owner")?, sections.text("repo_name")?) {
            (Some(owner), Some(name)) => format!("{owner}/{name}"),
            _ => String::new(),
        },
    };
    if !repository.contains('/') {
        return Err(Flaw::new(node.line, "it names no repository as the source"));
    }
    let tag = match text("source_tag")? {
        Some(tag) if tag == "-" => None,
        Some(tag) if !tag.is_empty() => Some(tag),
        _ => words.get("Version").cloned(),
    };
    Ok(Slsa { file, repository, tag })
}

fn minisign(
    render: &Render<'_>,
    node: &Node,
    (of, words): (Signed, &Words),
) -> Result<Minisign, Flaw> {
    let Some(key) = node.get("public_key") else {
        return Err(Flaw::new(node.line, "it has no `public_key`"));
    };
    let (signature, public_key) = (render.side_file(node, words)?, rendered(key, words)?);
    Ok(Minisign { of, signature, public_key })
}
