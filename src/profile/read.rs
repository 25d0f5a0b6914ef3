//! One profile file's text → [`Layer`].
//!
//! Owns the grammar of the top tables; `read_dep`, `read_service`, `read_source` and `read_cache` own theirs. Refuses every
//! key it does not know. Invariant: nothing of another file is needed to read one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use toml_edit::Document;

use super::error::{Error, Result};
use super::flaw::Flaw;
use super::layer::{Entries, Entry, Layer};
use super::model::Port;
use super::node::Node;
use super::spot::{Source, Spanned, Spot};
use super::template::Template;
use super::{read_cache, read_confine, read_dep, read_logs, read_run, read_service, read_source};
use crate::base::suggest::nearest;
use crate::base::vars::exported;
use crate::base::{CommandName, DepName, EnvName, Platform, RelPath};

const KEYS: &[&str] = &[
    "extends",
    "platforms",
    "data",
    "dep",
    "port",
    "env",
    "file",
    "service",
    "source",
    "policy",
    "cache",
    "command",
    "sandbox",
    "logs",
    "run",
];

/// Parses a file, keeping places.
pub(super) fn parse(source: &Arc<Source>) -> Result<Document<&str>> {
    Document::parse(source.text.as_str()).map_err(|e| {
        let at = e.span().unwrap_or(source.text.len()..source.text.len());
        // The parser's reason can span lines; ours is one.
        let why = e.message().lines().collect::<Vec<_>>().join(", ");
        Error::at(&Spot::new(source, at), Flaw::Syntax(why), "here")
    })
}

/// Reads a file.
pub(super) fn layer(source: &Arc<Source>) -> Result<Layer> {
    let document = parse(source)?;
    let root = Node::root(source, document.as_table());
    let mut fields = root.fields("a table", KEYS)?;
    let mut layer = Layer::default();
    if let Some(node) = fields.take("extends") {
        let name = EnvName::new(node.text("the name of a profile")?)
            .map_err(|e| node.bad(e, None, "not a profile's name"))?;
        layer.extends = Some(Spanned { value: name, spot: node.spot().clone() });
    }
    layer.platforms = fields.take("platforms").map(|n| platforms(&n)).transpose()?;
    layer.data = fields.take("data").map(|n| data(&n)).transpose()?;
    if let Some(node) = fields.take("dep") {
        layer.deps = entries(&node, |k| DepName::new(k), read_dep::requirement)?;
    }
    if let Some(node) = fields.take("port") {
        // Ports are named as deps are.
        let name = |k: &str| DepName::new(k).map(String::from).map_err(|e| e.why);
        layer.ports = entries(&node, name, port)?;
    }
    if let Some(node) = fields.take("env") {
        layer.env = variables(&node)?;
    }
    if let Some(node) = fields.take("file") {
        layer.files =
            entries(&node, |k| RelPath::new(k), |n| rel_path(n, "a path in the project"))?;
    }
    if let Some(node) = fields.take("service") {
        layer.services =
            entries(&node, |k| crate::base::ServiceName::new(k), |n| read_service::service(n))?;
    }
    if let Some(node) = fields.take("source") {
        layer.sources = read_source::sources(&node)?;
    }
    if let Some(node) = fields.take("policy") {
        let value = super::read_policy::policy(&node)?;
        layer.policy = Some(Spanned { value, spot: node.key_spot().clone() });
    }
    if let Some(node) = fields.take("cache") {
        layer.cache = read_cache::caches(&node)?;
    }
    if let Some(node) = fields.take("command") {
        layer.prefer = prefer(&node)?;
    }
    layer.sandbox = fields.take("sandbox").map(|n| read_confine::level(&n)).transpose()?;
    if let Some(node) = fields.take("run") {
        layer.run = read_run::run(&node)?;
    }
    if let Some(node) = fields.take("logs") {
        layer.logs = read_logs::logs(&node)?;
    }
    Ok(layer)
}

/// A table of names that the user chooses; `false` takes an inherited one away.
fn entries<'a, K: Ord, T, E: ToString>(
    node: &Node<'a>,
    name: impl Fn(&str) -> Result<K, E>,
    value: impl Fn(&Node<'a>) -> Result<T>,
) -> Result<Entries<K, T>> {
    let mut out = BTreeMap::new();
    for (key, node) in node.entries("a table")? {
        let name = name(key).map_err(|e| node.bad_key(e))?;
        out.insert(name, entry(&node, &value)?);
    }
    Ok(out)
}

/// A value, or `false`.
pub(super) fn entry<'a, T>(
    node: &Node<'a>,
    value: impl Fn(&Node<'a>) -> Result<T>,
) -> Result<Entry<T>> {
    Ok(Entry {
        path: node.path().to_owned(),
        key: node.key_spot().clone(),
        value: if node.as_boolean() == Some(false) { None } else { Some(value(node)?) },
        spot: node.spot().clone(),
    })
}

/// An array of platforms.
pub(super) fn platforms(node: &Node<'_>) -> Result<BTreeSet<Platform>> {
    let mut out = BTreeSet::new();
    for element in node.elements("an array of platforms")? {
        let text = element.text("a platform such as \"x86_64-linux\"")?;
        let platform = text.parse().map_err(|_| {
            element.unknown_word("platform", text, Platform::ALL.map(Platform::name))
        })?;
        if !out.insert(platform) {
            return Err(element.bad("it is listed twice", None, "listed before"));
        }
    }
    if out.is_empty() {
        let hint = "leave it out for the usual ones".to_owned();
        return Err(node.bad("it is empty", Some(hint), "name at least one platform"));
    }
    Ok(out)
}

fn data(node: &Node<'_>) -> Result<PathBuf> {
    let text = node.text("a directory")?;
    let path = Path::new(text);
    let plain = path.components().all(|c| matches!(c, Component::Normal(_) | Component::RootDir));
    if text.contains('$') {
        return Err(node.bad("it holds no `${…}`", None, "must be a plain path"));
    }
    if !plain || path.file_name().is_none() {
        let hint = "write a directory of its own, e.g. \".data\"".to_owned();
        return Err(node.bad(
            "services would write outside it",
            Some(hint),
            "not a directory of its own",
        ));
    }
    Ok(path.to_owned())
}

fn port(node: &Node<'_>) -> Result<Port> {
    const EXPECTED: &str = "a number from 1 to 65535 or \"auto\"";
    if let Some(number) = node.as_integer() {
        return match u16::try_from(number) {
            Ok(number) if number > 0 => Ok(Port::Fixed(number)),
            _ => Err(node.bad("a port is a number from 1 to 65535", None, "out of range")),
        };
    }
    match node.as_text() {
        Some("auto") => Ok(Port::Auto),
        Some(text) if text.parse::<u16>().is_ok() => {
            Err(node.wrong_type(EXPECTED, Some(format!("write it without quotes: {text}"))))
        }
        Some(text) => {
            let hint = nearest(text, ["auto"]).map(|near| format!("did you mean \"{near}\"?"));
            let why = format!("`{text}` is neither a number nor \"auto\"");
            Err(node.bad(why, hint, "not a port"))
        }
        None => Err(node.wrong_type(EXPECTED, None)),
    }
}

/// `[env]`: variables of the environment or of a service.
pub(super) fn variables(node: &Node<'_>) -> Result<Entries<String, Template>> {
    entries(node, variable_name, variable)
}

/// A name that every shell accepts, and that is not one of ours.
pub(super) fn variable_name(name: &str) -> Result<String, String> {
    let mut bytes = name.bytes();
    let good = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !good {
        return Err(
            "a variable's name is letters, digits and `_`, not starting with a digit".into()
        );
    }
    if [exported::ENV_NAME, exported::ENV_DIGEST, exported::ENV_GENERATION].contains(&name) {
        return Err(format!("`{name}` is set by the environment itself"));
    }
    Ok(name.to_owned())
}

fn variable(node: &Node<'_>) -> Result<Template> {
    const EXPECTED: &str = "a string or a whole number";
    if let Some(number) = node.as_integer() {
        return number.to_string().parse().map_err(|e| node.bad(e, None, "not a value"));
    }
    if node.as_boolean() == Some(true) {
        // `false` takes a variable away, so a bare `true` would not be its opposite.
        let hint = "write \"true\" in quotes for the text; a bare `false` takes an inherited \
                    variable away";
        return Err(node.wrong_type(EXPECTED, Some(hint.to_owned())));
    }
    Ok(node.template(EXPECTED)?.value)
}

/// A path that stays inside the project or tree.
pub(super) fn rel_path(node: &Node<'_>, expected: &'static str) -> Result<RelPath> {
    RelPath::new(node.text(expected)?).map_err(|e| node.bad(e, None, "leaves its tree"))
}

fn prefer(node: &Node<'_>) -> Result<BTreeMap<CommandName, Spanned<DepName>>> {
    let mut out = BTreeMap::new();
    for (key, node) in node.entries("a table")? {
        let command = CommandName::new(key).map_err(|e| node.bad_key(e))?;
        let dep = DepName::new(node.text("the name of a dep")?)
            .map_err(|e| node.bad(e, None, "not a dep's name"))?;
        out.insert(command, Spanned { value: dep, spot: node.spot().clone() });
    }
    Ok(out)
}
