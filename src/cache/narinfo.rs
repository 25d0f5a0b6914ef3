//! `.narinfo`: what a binary cache says of one object.
//!
//! Owns the text form. Refuses documents that say a thing twice, names or hashes that are none, a
//! file outside the cache, and sizes and counts that no object has; unknown keys are passed over,
//! as Nix does. Invariant: what parses, written and parsed again, is the same. Reference: the Nix
//! manual, "Binary cache", and `NarInfo` of its sources.

use std::collections::BTreeSet;
use std::fmt;

use data_encoding::{BASE64, HEXLOWER};

use super::compression::Compression;
use super::signing::Signature;
use crate::base::{Algorithm, Integrity, ObjectName, RelPath, TreeHash, nix32};

/// The directory in every path. It is part of the formats, not a place on this host.
pub const STORE_DIR: &str = "/nix/store";
/// Largest document.
pub(super) const MAX_BYTES: usize = 1 << 20;
/// Most references and signatures.
const MAX_LINES: usize = 16_384;
/// Largest archive, in bytes: far beyond any object, and far from overflowing a sum.
const MAX_SIZE: u64 = 1 << 44;

/// What a cache says of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NarInfo {
    /// The object.
    pub object: ObjectName,
    /// Its archive, relative to the cache.
    pub url: RelPath,
    /// How the archive is packed.
    pub compression: Compression,
    /// SHA-256 of the packed archive.
    pub file_hash: Option<Integrity>,
    /// Bytes of the packed archive.
    pub file_size: Option<u64>,
    /// SHA-256 of the archive: the object's tree hash.
    pub tree: TreeHash,
    /// Bytes of the archive.
    pub nar_size: u64,
    /// The objects it refers to.
    pub references: BTreeSet<ObjectName>,
    /// What built it; of no meaning to us, and kept.
    pub deriver: Option<String>,
    /// Signatures, as written.
    pub signatures: Vec<Signature>,
    /// Its content address: `fixed:r:sha256:…` where the name follows from the tree.
    pub content_address: Option<String>,
}

/// Why a text is no narinfo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Larger than any.
    #[error("it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    /// Not text.
    #[error("it is not UTF-8")]
    NotText,
    /// A line without a colon.
    #[error("line {0} is not `Key: value`")]
    Line(usize),
    /// A key that stands there twice.
    #[error("it says `{0}` twice")]
    Twice(&'static str),
    /// A key that is not there.
    #[error("it does not say `{0}`")]
    Missing(&'static str),
    /// A value that cannot be.
    #[error("its `{key}` cannot be `{value}`")]
    Value {
        /// The key.
        key: &'static str,
        /// What stands there, shortened.
        value: String,
    },
}

const KEYS: [&str; 11] = [
    "StorePath",
    "URL",
    "Compression",
    "FileHash",
    "FileSize",
    "NarHash",
    "NarSize",
    "References",
    "Deriver",
    "Sig",
    "CA",
];

impl NarInfo {
    /// Its content address, when the name follows from tree and references.
    pub fn own_content_address(
        object: &ObjectName,
        tree: &TreeHash,
        references: &BTreeSet<ObjectName>,
    ) -> Option<String> {
        let named = ObjectName::for_tree(tree, references, object.name()).ok()?;
        (named == *object).then(|| format!("fixed:r:sha256:{}", tree.nix32()))
    }

    /// Whether the object's name follows from its tree and references.
    pub fn is_content_addressed(&self) -> bool {
        Self::own_content_address(&self.object, &self.tree, &self.references).is_some()
    }

    /// What signatures are made of.
    pub fn fingerprint(&self) -> String {
        let references: Vec<String> =
            self.references.iter().map(|r| format!("{STORE_DIR}/{r}")).collect();
        let (object, tree) = (&self.object, self.tree.nix32());
        format!("1;{STORE_DIR}/{object};sha256:{tree};{};{}", self.nar_size, references.join(","))
    }

    /// Reads the text form.
    pub fn parse(bytes: &[u8]) -> Result<Self, Invalid> {
        if bytes.len() > MAX_BYTES {
            return Err(Invalid::TooLarge);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Invalid::NotText)?;
        let mut found: [Option<&str>; KEYS.len()] = [None; KEYS.len()];
        let mut signatures = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() {
                continue;
            }
            let (key, value) = line.split_once(':').ok_or(Invalid::Line(number + 1))?;
            let value = value.trim();
            let Some(at) = KEYS.iter().position(|known| *known == key) else { continue };
            if key == "Sig" {
                if signatures.len() >= MAX_LINES {
                    return Err(Invalid::TooLarge);
                }
                signatures.push(value.parse().map_err(|_| bad("Sig", value))?);
            } else if found[at].replace(value).is_some() {
                return Err(Invalid::Twice(KEYS[at]));
            }
        }
        let get = |key: &'static str| {
            KEYS.iter().position(|known| *known == key).and_then(|at| found[at])
        };
        let need = |key| get(key).ok_or(Invalid::Missing(key));
        let path = need("StorePath")?;
        let object = path.strip_prefix(STORE_DIR).and_then(|rest| rest.strip_prefix('/'));
        let url = need("URL")?;
        let hash = need("NarHash")?;
        let compression = match get("Compression") {
            // What Nix took a document for in which it is not said.
            None => Compression::Bzip2,
            Some(word) => word.parse().map_err(|_| bad("Compression", word))?,
        };
        Ok(Self {
            object: object.and_then(|n| n.parse().ok()).ok_or_else(|| bad("StorePath", path))?,
            url: relative(url).ok_or_else(|| bad("URL", url))?,
            compression,
            file_hash: match get("FileHash") {
                None => None,
                Some(text) => Some(
                    sha256(text)
                        .and_then(|b| Integrity::new(Algorithm::Sha256, &b))
                        .ok_or_else(|| bad("FileHash", text))?,
                ),
            },
            file_size: get("FileSize").map(|text| size("FileSize", text)).transpose()?,
            tree: sha256(hash).map(TreeHash::new).ok_or_else(|| bad("NarHash", hash))?,
            nar_size: size("NarSize", need("NarSize")?)?,
            references: references(get("References").unwrap_or_default())?,
            deriver: get("Deriver").filter(|d| !d.is_empty()).map(str::to_owned),
            signatures,
            content_address: get("CA").filter(|ca| !ca.is_empty()).map(str::to_owned),
        })
    }
}

impl fmt::Display for NarInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "StorePath: {STORE_DIR}/{}", self.object)?;
        writeln!(f, "URL: {}", self.url)?;
        writeln!(f, "Compression: {}", self.compression)?;
        if let Some(hash) = &self.file_hash {
            writeln!(f, "FileHash: sha256:{}", nix32_of(hash))?;
        }
        if let Some(size) = self.file_size {
            writeln!(f, "FileSize: {size}")?;
        }
        writeln!(f, "NarHash: sha256:{}", self.tree.nix32())?;
        writeln!(f, "NarSize: {}", self.nar_size)?;
        let names: Vec<String> = self.references.iter().map(ToString::to_string).collect();
        writeln!(f, "References: {}", names.join(" "))?;
        if let Some(deriver) = &self.deriver {
            writeln!(f, "Deriver: {deriver}")?;
        }
        for signature in &self.signatures {
            writeln!(f, "Sig: {signature}")?;
        }
        if let Some(address) = &self.content_address {
            writeln!(f, "CA: {address}")?;
        }
        Ok(())
    }
}

/// Nix's base-32 of a SHA-256.
pub(super) fn nix32_of(hash: &Integrity) -> String {
    let bytes = HEXLOWER.decode(hash.hex().as_bytes()).unwrap_or_default();
    nix32::encode(&bytes)
}

fn bad(key: &'static str, value: &str) -> Invalid {
    let value = value.chars().take(80).flat_map(char::escape_debug).collect();
    Invalid::Value { key, value }
}

/// The ways in which Nix writes a SHA-256.
fn sha256(text: &str) -> Option<[u8; 32]> {
    if let Some(value) = text.strip_prefix("sha256-") {
        return BASE64.decode(value.as_bytes()).ok()?.try_into().ok();
    }
    let value = text.strip_prefix("sha256:")?;
    match value.len() {
        52 => nix32::decode(value),
        64 => HEXLOWER.decode(value.as_bytes()).ok()?.try_into().ok(),
        _ => BASE64.decode(value.as_bytes()).ok()?.try_into().ok(),
    }
}

fn size(key: &'static str, text: &str) -> Result<u64, Invalid> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let value = text.parse().ok().filter(|n| digits && *n <= MAX_SIZE);
    value.ok_or_else(|| bad(key, text))
}

/// A file of the cache itself: no scheme, no way out.
fn relative(text: &str) -> Option<RelPath> {
    let plain = |b: u8| b.is_ascii_graphic() && !b":?#%\\".contains(&b);
    let path = RelPath::new(text).ok()?;
    text.bytes().all(plain).then_some(path)
}

fn references(text: &str) -> Result<BTreeSet<ObjectName>, Invalid> {
    let mut out = BTreeSet::new();
    for word in text.split_ascii_whitespace() {
        let name: ObjectName = word.parse().map_err(|_| bad("References", word))?;
        if out.len() >= MAX_LINES || !out.insert(name) {
            return Err(bad("References", word));
        }
    }
    Ok(out)
}

#[cfg(test)]
#[path = "narinfo_tests.rs"]
mod tests;
