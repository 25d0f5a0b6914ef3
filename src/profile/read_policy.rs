//! The `[policy]` table.
//!
//! Refuses words that no lock has. Invariant: what is read can be checked against any lock.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Result;
use super::node::{Node, unknown_name};
use super::policy::{PolicyLayer, SourcePattern, Whom, age};
use super::read::rel_path;
use super::read_dep::proofs;
use crate::base::{DepName, SourceKind};

const KEYS: &[&str] = &["minimum-age", "allow-young", "sources", "require", "trusted-root"];

pub(super) fn policy(node: &Node<'_>) -> Result<PolicyLayer> {
    let mut fields = node.fields("a table", KEYS)?;
    let mut layer = PolicyLayer::default();
    if let Some(node) = fields.take("minimum-age") {
        let text = node.text("an age such as \"3d\"")?;
        layer.minimum_age = Some(age(text).map_err(|why| node.bad(why, None, "not an age"))?);
    }
    if let Some(node) = fields.take("allow-young") {
        let mut out = BTreeSet::new();
        for element in node.elements("an array of deps")? {
            let name = DepName::new(element.text("the name of a dep")?)
                .map_err(|e| element.bad(e, None, "not a dep's name"))?;
            out.insert(name);
        }
        layer.allow_young = Some(out);
    }
    if let Some(node) = fields.take("sources") {
        let elements = node.elements("an array such as [\"pypi\", \"npm:@scope/*\"]")?;
        layer.sources = Some(elements.iter().map(pattern).collect::<Result<_>>()?);
    }
    if let Some(node) = fields.take("require") {
        let mut out = BTreeMap::new();
        for (key, node) in node.entries("a table from source to proofs")? {
            let whom = match (key, key.parse::<SourceKind>()) {
                ("*", _) => Whom::All,
                (_, Ok(kind)) => Whom::Source(kind),
                (_, Err(_)) => {
                    let known = SourceKind::ALL.map(SourceKind::name);
                    return Err(unknown_name(node.key_spot(), "source", key, known));
                }
            };
            out.insert(whom, proofs(&node)?);
        }
        layer.require = Some(out);
    }
    if let Some(node) = fields.take("trusted-root") {
        layer.trusted_root = Some(rel_path(&node, "the path of a trust root in the project")?);
    }
    Ok(layer)
}

fn pattern(node: &Node<'_>) -> Result<SourcePattern> {
    let text = node.text("a source such as \"pypi\" or \"npm:@scope/*\"")?;
    let (word, package) = match text.split_once(':') {
        Some((word, package)) => (word, Some(package)),
        None => (text, None),
    };
    let kind = word
        .parse()
        .map_err(|_| node.unknown_word("source", word, SourceKind::ALL.map(SourceKind::name)))?;
    if package.is_some_and(str::is_empty) {
        return Err(node.bad("it names no package", None, "nothing after `:`"));
    }
    Ok(SourcePattern { kind, package: package.map(str::to_owned) })
}
