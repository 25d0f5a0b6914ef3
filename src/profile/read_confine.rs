//! `sandbox`, `limits`, `user`, `group`, `umask` and `nice` of a service, and the profile's `sandbox`.
//!
//! Owns their grammar and how a child's words override a parent's: key by key, each as a whole.

use super::check::given;
use super::confine::{Allow, Confine, Level, Limits};
use super::error::Result;
use super::layer::{Entry, over};
use super::node::{Fields, Node};
use super::read::entry;
use super::spot::Spanned;
use super::template::Template;

/// What one file says of a service's confinement.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfineLayer {
    sandbox: Option<Entry<SandboxLayer>>,
    limits: Option<Entry<Limits>>,
    user: Option<Entry<String>>,
    group: Option<Entry<String>>,
    umask: Option<Entry<u32>>,
    nice: Option<Entry<i32>>,
}

/// `sandbox`, with the places of its templates.
#[derive(Clone, Debug, Default)]
struct SandboxLayer {
    level: Option<Level>,
    /// `read`, `write`, `exec`, `connect`, `bind`.
    allow: [Vec<Spanned<Template>>; 5],
}

const LISTS: [&str; 5] = ["read", "write", "exec", "connect", "bind"];

impl ConfineLayer {
    /// Takes its keys of a service's table.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self> {
        let text = |n: &Node<'_>| name(n);
        Ok(Self {
            sandbox: fields.take("sandbox").map(|n| entry(&n, sandbox)).transpose()?,
            limits: fields.take("limits").map(|n| entry(&n, limits)).transpose()?,
            user: fields.take("user").map(|n| entry(&n, text)).transpose()?,
            group: fields.take("user-group").map(|n| entry(&n, text)).transpose()?,
            umask: fields.take("umask").map(|n| entry(&n, umask)).transpose()?,
            nice: fields.take("nice").map(|n| entry(&n, nice)).transpose()?,
        })
    }

    pub(super) fn overridden_by(&mut self, child: Self) -> Result<()> {
        // Destructured, so that a new key cannot be forgotten here.
        let Self { sandbox, limits, user, group, umask, nice } = child;
        over(&mut self.sandbox, sandbox)?;
        over(&mut self.limits, limits)?;
        over(&mut self.user, user)?;
        over(&mut self.group, group)?;
        over(&mut self.umask, umask)?;
        over(&mut self.nice, nice)
    }

    /// Every template, with its place.
    pub(super) fn templates(&self) -> impl Iterator<Item = &Spanned<Template>> {
        given(&self.sandbox).into_iter().flat_map(|s| s.allow.iter().flatten())
    }

    /// The model; `level` is the profile's own word.
    pub(super) fn model(&self, level: Option<Level>) -> Confine {
        let sandbox = given(&self.sandbox).cloned().unwrap_or_default();
        let plain = |list: Vec<Spanned<Template>>| list.into_iter().map(|t| t.value).collect();
        let [read, write, exec, connect, bind] = sandbox.allow.map(plain);
        Confine {
            level: sandbox.level.or(level),
            allow: Allow { read, write, exec, connect, bind },
            limits: given(&self.limits).copied().unwrap_or_default(),
            user: given(&self.user).cloned(),
            group: given(&self.group).cloned(),
            umask: given(&self.umask).copied(),
            nice: given(&self.nice).copied(),
        }
    }
}

/// `"exec"`, `"strict"` or `"off"`.
pub(super) fn level(node: &Node<'_>) -> Result<Level> {
    let text = node.text("\"exec\", \"strict\" or \"off\"")?;
    match Level::ALL.into_iter().find(|l| l.as_str() == text) {
        Some(level) => Ok(level),
        None => Err(node.unknown_word("sandbox level", text, Level::ALL.map(Level::as_str))),
    }
}

fn sandbox(node: &Node<'_>) -> Result<SandboxLayer> {
    if node.as_text().is_some() {
        return Ok(SandboxLayer { level: Some(level(node)?), ..SandboxLayer::default() });
    }
    let mut fields = node.fields(
        "\"exec\", \"strict\", \"off\" or a table with `level` and `allow`",
        &["level", "allow"],
    )?;
    let mut out = SandboxLayer::default();
    if let Some(n) = fields.take("level") {
        out.level = Some(level(&n)?);
    }
    if let Some(n) = fields.take("allow") {
        let mut lists = n.fields("a table of what is allowed", &LISTS)?;
        for (key, list) in LISTS.into_iter().zip(&mut out.allow) {
            let Some(n) = lists.take(key) else { continue };
            let is_port = matches!(key, "connect" | "bind");
            let item = |n: Node<'_>| if is_port { port(&n) } else { n.template("a path") };
            *list = n.elements("an array")?.into_iter().map(item).collect::<Result<_>>()?;
        }
    }
    Ok(out)
}

fn port(node: &Node<'_>) -> Result<Spanned<Template>> {
    const EXPECTED: &str = "a port: a number or \"${port.NAME}\"";
    let Some(number) = node.as_integer() else { return node.template(EXPECTED) };
    if u16::try_from(number).is_ok_and(|n| n > 0) {
        let value = number.to_string().parse().map_err(|e| node.bad(e, None, "not a port"))?;
        return Ok(Spanned { value, spot: node.spot().clone() });
    }
    Err(node.bad("a port is a number from 1 to 65535", None, "out of range"))
}

fn name(node: &Node<'_>) -> Result<String> {
    const EXPECTED: &str = "a name or a number";
    if let Some(number) = node.as_integer().filter(|n| u32::try_from(*n).is_ok()) {
        return Ok(number.to_string());
    }
    match node.text(EXPECTED)? {
        "" => Err(node.bad("it is empty", None, "nobody's name")),
        text => Ok(text.to_owned()),
    }
}

fn umask(node: &Node<'_>) -> Result<u32> {
    let number = node.as_integer().and_then(|n| u32::try_from(n).ok());
    match number.filter(|n| *n <= 0o777) {
        Some(number) => Ok(number),
        None => {
            let hint = Some("write it in octal, without quotes: 0o027".to_owned());
            Err(node.bad("it is not a mask of permissions", hint, "not 0o000 to 0o777"))
        }
    }
}

fn nice(node: &Node<'_>) -> Result<i32> {
    let number = node.as_integer().and_then(|n| i32::try_from(n).ok());
    match number.filter(|n| (-20..=19).contains(n)) {
        Some(number) => Ok(number),
        None => Err(node.bad("it is a number from -20 to 19", None, "out of range")),
    }
}

fn limits(node: &Node<'_>) -> Result<Limits> {
    let keys = &[
        "nofile",
        "nproc",
        "address-space",
        "core",
        "cpu-seconds",
        "file-size",
        "memory",
        "cpus",
        "pids",
    ];
    let mut fields = node.fields("a table of limits", keys)?;
    let mut take = |key: &str, read: fn(&Node<'_>) -> Result<u64>| {
        fields.take(key).map(|n| read(&n)).transpose()
    };
    Ok(Limits {
        nofile: take("nofile", count)?,
        nproc: take("nproc", count)?,
        address_space: take("address-space", bytes)?,
        core: take("core", bytes)?,
        cpu_seconds: take("cpu-seconds", count)?,
        file_size: take("file-size", bytes)?,
        memory: take("memory", bytes)?,
        milli_cpus: take("cpus", milli)?,
        pids: take("pids", count)?,
    })
}

fn count(node: &Node<'_>) -> Result<u64> {
    match node.as_integer().and_then(|n| u64::try_from(n).ok()) {
        Some(number) => Ok(number),
        None => Err(node.wrong_type("a whole number, not negative", None)),
    }
}

/// A number of bytes, or a text such as `"512M"`: K, M and G are powers of 1024.
fn bytes(node: &Node<'_>) -> Result<u64> {
    const EXPECTED: &str = "a number of bytes or a size such as \"512M\"";
    if node.as_integer().is_some() {
        return count(node);
    }
    let text = node.text(EXPECTED)?;
    let (digits, factor) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if text.ends_with('K') => (digits, 1 << 10),
        Some(digits) if text.ends_with('M') => (digits, 1 << 20),
        Some(digits) => (digits, 1u64 << 30),
        None => (text, 1),
    };
    match digits.parse::<u64>().ok().and_then(|n| n.checked_mul(factor)) {
        Some(bytes) => Ok(bytes),
        None => {
            let hint = Some("write a whole number and K, M or G: \"512M\"".to_owned());
            Err(node.bad("it is no size", hint, "not a size"))
        }
    }
}

/// `cpus`: a whole number, or a text such as `"1.5"`.
fn milli(node: &Node<'_>) -> Result<u64> {
    let whole = node.as_integer().and_then(|n| u64::try_from(n).ok());
    let found = match (whole, node.as_text()) {
        (Some(whole), _) => whole.checked_mul(1000),
        (None, Some(text)) => {
            let number = text.parse::<f64>().ok().filter(|n| (0.001..=1e6).contains(n));
            number.map(|n| (n * 1000.0).round() as u64)
        }
        (None, None) => None,
    };
    match found.filter(|n| *n > 0) {
        Some(found) => Ok(found),
        None => {
            let hint = Some("write 2, or \"1.5\" in quotes".to_owned());
            Err(node.bad("it is no number of processors", hint, "not a number above 0"))
        }
    }
}
