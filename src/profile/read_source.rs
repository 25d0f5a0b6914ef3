//! `[source.*]` tables.
//!
//! Refuses credentials (profiles are kept in git) and keys that the source would ignore. Invariant:
//! a `deb` that is overridden says which suite, and no place is named twice.

use std::collections::BTreeMap;

use super::error::{Error, Result};
use super::flaw::Flaw;
use super::model::SourceOverride;
use super::node::{self, Node};
use super::read::rel_path;
use super::spot::Spanned;
use crate::base::SourceKind;

pub(super) fn sources(node: &Node<'_>) -> Result<BTreeMap<SourceKind, Spanned<SourceOverride>>> {
    let mut out = BTreeMap::new();
    for (key, node) in node.entries("a table")? {
        let kind: SourceKind = key.parse().map_err(|_| {
            let known = SourceKind::ALL.map(SourceKind::name);
            node::unknown_name(node.key_spot(), "source", key, known)
        })?;
        out.insert(kind, source(&node, kind)?);
    }
    Ok(out)
}

fn source(node: &Node<'_>, kind: SourceKind) -> Result<Spanned<SourceOverride>> {
    let is_deb = kind == SourceKind::Deb;
    let keys: &[&str] =
        if is_deb { &["url", "suite", "components", "signed-by"] } else { &["url"] };
    let mut fields = node.fields("a table with `url`", keys)?;
    let Some(at) = fields.take("url") else {
        return Err(node.missing("url", "write url = \"http://mirror.example/\""));
    };
    let mut urls = urls(&at)?.into_iter();
    let url = urls.next();
    let mut value = SourceOverride { url, mirrors: urls.collect(), ..SourceOverride::default() };
    if is_deb {
        let Some(suite) = fields.take("suite") else {
            return Err(node.missing("suite", "write suite = \"stable\", or what it is called"));
        };
        value.suite = Some(word(&suite)?);
        match fields.take("components") {
            None => value.components.push("main".to_owned()),
            Some(list) => {
                for one in list.elements("an array of components such as [\"main\"]")? {
                    value.components.push(word(&one)?);
                }
            }
        }
        value.signed_by = fields
            .take("signed-by")
            .map(|n| rel_path(&n, "the path of a file with keys in the project"))
            .transpose()?;
    }
    Ok(Spanned { value, spot: at.spot().clone() })
}

/// One URL, or several in an array.
fn urls(node: &Node<'_>) -> Result<Vec<String>> {
    if node.as_text().is_some() {
        return Ok(vec![url(node)?]);
    }
    let elements = node.elements("a URL, or an array of URLs, the best first")?;
    if elements.is_empty() {
        return Err(node.bad("there is no URL in it", None, "an empty array"));
    }
    let mut out: Vec<String> = Vec::new();
    for element in elements {
        let one = url(&element)?;
        if out.iter().any(|other| other.trim_end_matches('/') == one.trim_end_matches('/')) {
            return Err(element.bad("it is named twice", None, "the same place again"));
        }
        out.push(one);
    }
    Ok(out)
}

fn url(node: &Node<'_>) -> Result<String> {
    let text = node.text("a URL")?;
    let parsed = url::Url::parse(text).map_err(|e| node.bad(e, None, "not a URL"))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(node.bad("a source is asked over http or https", None, "another scheme"));
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let flaw = Flaw::BadValue {
            key: node.path().to_owned(),
            why: "it holds credentials, and profiles are kept in git".to_owned(),
            hint: Some("put them into the ecosystem's own configuration".to_owned()),
        };
        return Err(Error::at(&node.spot().masked(), flaw, "credentials"));
    }
    Ok(text.to_owned())
}

/// A part of a path below a repository.
fn word(node: &Node<'_>) -> Result<String> {
    let text = node.text("a word such as \"stable\"")?;
    let good = |part: &str| {
        !part.is_empty()
            && part != ".."
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.+~".contains(&b))
    };
    if text.split('/').all(good) {
        return Ok(text.to_owned());
    }
    Err(node.bad("it is no name of a repository's part", None, "not such a name"))
}
