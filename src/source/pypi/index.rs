//! One project's page of a simple index, in either of its two forms.
//!
//! Invariant: every URL is absolute and http(s); every hash is SHA-256 or SHA-512.

use ::url::Url;

use super::{html, json};
use crate::base::{Algorithm, Integrity};

/// What an index says of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    /// Its files, as listed.
    pub(super) files: Vec<File>,
    /// Its versions, where the index lists them (PEP 700).
    pub(super) versions: Vec<String>,
    /// Its name as the index says it, where it does (PEP 691).
    pub(super) name: Option<String>,
}

/// One file of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct File {
    /// Its name.
    pub(super) name: String,
    /// Where it lies.
    pub(super) url: Url,
    /// Its hash.
    pub(super) integrity: Option<Integrity>,
    /// Bytes.
    pub(super) size: Option<u64>,
    /// Withdrawn (PEP 592).
    pub(super) yanked: bool,
    /// Where its provenance object lies (PEP 740).
    pub(super) provenance: Option<Url>,
    /// When it was uploaded (PEP 700).
    pub(super) uploaded: Option<jiff::Timestamp>,
}

impl Index {
    /// Reads a page. The form is told by its first character, since mirrors that serve static
    /// files send wrong content types.
    pub(super) fn parse(body: &[u8], at: &Url) -> Result<Self, String> {
        let first = body.iter().copied().find(|b| !b.is_ascii_whitespace());
        match first {
            Some(b'{') => json::parse(body, at),
            Some(b'<') => html::parse(&String::from_utf8_lossy(body), at),
            // A byte-order mark may precede either.
            Some(0xEF) if body.starts_with(&[0xEF, 0xBB, 0xBF]) => Self::parse(&body[3..], at),
            Some(_) => Err("it is neither JSON nor HTML".to_owned()),
            None => Err("it is empty".to_owned()),
        }
    }
}

/// A link of an index, resolved against the address of the page.
pub(super) fn resolve(page: &Url, link: &str) -> Result<Url, String> {
    let url = page.join(link).map_err(|e| format!("the link `{}`: {e}", shorten(link)))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        other => Err(format!("a link has the scheme `{other}`")),
    }
}

/// The best accepted hash among named ones; a malformed one is an error, an unknown name is not.
pub(super) fn integrity<'a>(
    named: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<Option<Integrity>, String> {
    let mut best: Option<Integrity> = None;
    for (name, hex) in named {
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => continue,
        };
        let hash = Integrity::from_hex(algorithm, hex)
            .ok_or_else(|| format!("`{}` is not a {name} hash", shorten(hex)))?;
        // SHA-256 is what the index's other users compare, so it is the one that is right.
        if best.is_none() || algorithm == Algorithm::Sha256 {
            best = Some(hash);
        }
    }
    Ok(best)
}

fn shorten(text: &str) -> String {
    text.chars().take(80).collect()
}
