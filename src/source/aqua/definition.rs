//! One package of the registry: what holds for a tag and for a platform.
//!
//! Owns the rules by which `version_overrides` and `overrides` change a definition: the first that
//! matches counts; its fields replace, only a platform's `replacements` add. Refuses a constraint
//! that is not understood, since the next override would be taken instead. Reference: the Aqua
//! registry's configuration. Invariant: what comes out has no overrides left in it.

use super::constraint;
use super::yaml::{Flaw, Node, Value};
use crate::base::{Arch, Libc, Os, Platform};

/// A platform in the registry's words (Go's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Runtime {
    /// `linux`, `darwin`, `windows`.
    pub(super) os: &'static str,
    /// `amd64`, `arm64`.
    pub(super) arch: &'static str,
    /// `glibc`, `musl`; nothing but Linux has one.
    pub(super) libc: Option<&'static str>,
}

impl Runtime {
    /// The words for a platform.
    pub(super) fn of(platform: Platform) -> Self {
        Self {
            os: match platform.os() {
                Os::Linux => "linux",
                Os::Darwin => "darwin",
                Os::Windows => "windows",
            },
            arch: match platform.arch() {
                Arch::X86_64 => "amd64",
                Arch::Aarch64 => "arm64",
            },
            libc: platform.libc().map(|libc| match libc {
                Libc::Glibc => "glibc",
                Libc::Musl => "musl",
            }),
        }
    }

    /// Whether a list of environments has it.
    pub(super) fn is_in(&self, envs: &[Node]) -> Result<bool, Flaw> {
        let both = format!("{}/{}", self.os, self.arch);
        for env in envs {
            let env = env.text("envs")?;
            if env == "all" || env == self.os || env == self.arch || env == both {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Fields that a version's override replaces.
const BY_VERSION: [&str; 29] = [
    "repo_owner",
    "repo_name",
    "asset",
    "crate",
    "path",
    "format",
    "files",
    "url",
    "replacements",
    "overrides",
    "format_overrides",
    "supported_envs",
    "version_filter",
    "version_prefix",
    "version_source",
    "rosetta2",
    "windows_arm_emulation",
    "complete_windows_ext",
    "windows_ext",
    "checksum",
    "cosign",
    "slsa_provenance",
    "minisign",
    "github_artifact_attestations",
    "error_message",
    "no_asset",
    "append_ext",
    "build",
    "vars",
];

/// Fields that a platform's override replaces.
const BY_PLATFORM: [&str; 15] = [
    "asset",
    "crate",
    "url",
    "path",
    "format",
    "files",
    "complete_windows_ext",
    "windows_ext",
    "checksum",
    "cosign",
    "slsa_provenance",
    "minisign",
    "github_artifact_attestations",
    "append_ext",
    "vars",
];

/// A package's definition, or what is left of it for a tag or platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Definition(Node);

/// Finds a package's definition in a file of the registry.
pub(super) fn find(document: &Node, package: &str) -> Result<Option<Definition>, Flaw> {
    let Some(packages) = document.get("packages") else {
        return Err(Flaw::new(document.line, "it has no `packages`"));
    };
    for node in packages.list("packages")? {
        node.map("packages")?;
        let definition = Definition(node.clone());
        if definition.name()? == package || definition.aliases()?.contains(&package) {
            return Ok(Some(definition));
        }
    }
    Ok(None)
}

impl Definition {
    /// The definition that a node is.
    pub(super) fn of(node: &Node) -> Self {
        Self(node.clone())
    }

    /// Whether any version of it may be published as a file.
    pub(super) fn has_files(&self) -> Result<bool, Flaw> {
        let is_file = |node: &Node| {
            let kind = node.text_at("type")?;
            Ok::<_, Flaw>(!matches!(kind, Some("cargo" | "go_install" | "go_build" | "go")))
        };
        let mut found = is_file(&self.0)?;
        for node in self.overrides()? {
            found |= node.get("type").is_some() && is_file(node)?;
        }
        Ok(found)
    }

    /// Every prefix that tags of it have.
    pub(super) fn prefixes(&self) -> Result<Vec<&str>, Flaw> {
        let mut out = vec![self.text("version_prefix")?.unwrap_or_default()];
        for node in self.overrides()? {
            let prefix = node.text_at("version_prefix")?;
            out.extend(prefix.filter(|prefix| !out.contains(prefix)));
        }
        Ok(out)
    }

    /// The field of a key, when it says something.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        let found = self.0.get(key)?;
        // An empty text says nothing, as an absent one.
        (found.value != Value::Text(String::new())).then_some(found)
    }

    /// The text of a key.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Flaw> {
        self.get(key).map(|node| node.text(key)).transpose()
    }

    /// The flag of a key.
    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Flaw> {
        self.get(key).map(|node| node.flag(key)).transpose()
    }

    /// Where it begins.
    pub(super) fn line(&self) -> usize {
        self.0.line
    }

    /// The package's name.
    pub(super) fn name(&self) -> Result<String, Flaw> {
        if let Some(name) = self.text("name")? {
            return Ok(name.to_owned());
        }
        Ok(match (self.text("repo_owner")?, self.text("repo_name")?) {
            (Some(owner), Some(name)) => format!("{owner}/{name}"),
            _ => self.text("path")?.unwrap_or_default().to_owned(),
        })
    }

    /// Names that it had before.
    pub(super) fn aliases(&self) -> Result<Vec<&str>, Flaw> {
        let mut out = Vec::new();
        for alias in self.0.list_at("aliases")? {
            out.extend(alias.text_at("name")?);
        }
        Ok(out)
    }

    fn overrides(&self) -> Result<&[Node], Flaw> {
        self.0.list_at("version_overrides")
    }

    /// A constraint or filter of this definition or of one of its overrides, about a tag.
    fn holds(node: &Node, key: &str, tag: &str, semver: &str) -> Result<bool, Flaw> {
        let Some(found) = node.get(key) else { return Ok(false) };
        let subject = constraint::Subject { version: tag, semver };
        constraint::holds(found.text(key)?, subject)
            .map_err(|why| Flaw::new(found.line, format!("`{key}`: {why}")))
    }

    /// A tag without the prefix of this definition or of an override; `None` when it lacks it.
    fn semver<'t>(&self, node: &Node, tag: &'t str) -> Result<Option<&'t str>, Flaw> {
        let prefix = match node.get("version_prefix") {
            Some(own) => own.text("version_prefix")?,
            None => self.text("version_prefix")?.unwrap_or_default(),
        };
        Ok(tag.strip_prefix(prefix))
    }

    /// What holds for a tag.
    pub(super) fn at(&self, tag: &str) -> Result<Self, Flaw> {
        if self.get("version_constraint").is_none() {
            return Ok(self.clone());
        }
        for (at, node) in [&self.0].into_iter().chain(self.overrides()?).enumerate() {
            let Some(semver) = self.semver(node, tag)? else { continue };
            if Self::holds(node, "version_constraint", tag, semver)? {
                return if at == 0 { Ok(self.clone()) } else { self.over(node, &BY_VERSION) };
            }
        }
        Ok(self.clone())
    }

    /// The version in a tag, if the tag is one of this package that has a file: its prefix is
    /// dropped, and the filters let it through.
    pub(super) fn version_in<'t>(&self, tag: &'t str) -> Result<Option<&'t str>, Flaw> {
        let has_constraint = self.get("version_constraint").is_some();
        for node in [&self.0].into_iter().chain(self.overrides()?) {
            let Some(semver) = self.semver(node, tag)? else { continue };
            let filter = if node.get("version_filter").is_some() { node } else { &self.0 };
            if filter.get("version_filter").is_some()
                && !Self::holds(filter, "version_filter", tag, tag)?
            {
                continue;
            }
            let matches = !has_constraint || Self::holds(node, "version_constraint", tag, semver)?;
            if !matches {
                continue;
            }
            let mut has_file = true;
            for of in [&self.0, node] {
                if let Some(flag) = of.flag_at("no_asset")? {
                    has_file = !flag;
                }
                if let Some(message) = of.text_at("error_message")? {
                    has_file = message.is_empty();
                }
            }
            return Ok(has_file.then_some(semver));
        }
        Ok(None)
    }

    /// What holds on a platform. Only for what [`Self::at`] gave.
    pub(super) fn on(&self, runtime: Runtime) -> Result<Self, Flaw> {
        let mut found = self.clone();
        for one in self.0.list_at("format_overrides")? {
            if one.text_at("goos")? == Some(runtime.os) {
                if let Some(format) = one.get("format") {
                    found.set("format", format.clone());
                }
                break;
            }
        }
        for one in self.0.list_at("overrides")? {
            if !matches(one, runtime)? {
                continue;
            }
            let replacements = found.get("replacements").cloned();
            found = found.over(one, &BY_PLATFORM)?;
            if let Some(more) = one.get("replacements") {
                let mut all = match &replacements {
                    Some(node) => node.map("replacements")?.to_vec(),
                    None => Vec::new(),
                };
                for (key, value) in more.map("replacements")? {
                    all.retain(|(known, _)| known != key);
                    all.push((key.clone(), value.clone()));
                }
                found.set("replacements", Node { line: more.line, value: Value::Map(all) });
            }
            break;
        }
        Ok(found)
    }

    /// With the fields of an override.
    fn over(&self, node: &Node, keys: &[&str]) -> Result<Self, Flaw> {
        let mut found = self.clone();
        if let Some(kind) = node.get("type") {
            let gone: &[&str] = match kind.text("type")? {
                "github_release" => &["url", "path", "crate"],
                "github_content" => &["url", "asset", "crate"],
                "github_archive" => &["url", "path", "asset", "crate", "format"],
                "http" => &["path", "asset"],
                _ => &["url", "asset", "format", "rosetta2", "windows_arm_emulation"],
            };
            if let Value::Map(map) = &mut found.0.value {
                map.retain(|(key, _)| !gone.contains(&key.as_str()));
            }
            found.set("type", kind.clone());
        }
        for key in keys {
            // An empty text replaces nothing, except where emptiness says something.
            let says = |value: &Value| {
                *value != Value::Text(String::new())
                    || matches!(*key, "version_prefix" | "version_filter" | "error_message")
            };
            if let Some(field) = node.get(key).filter(|field| says(&field.value)) {
                found.set(key, field.clone());
            }
        }
        Ok(found)
    }

    fn set(&mut self, key: &str, node: Node) {
        if let Value::Map(map) = &mut self.0.value {
            match map.iter_mut().find(|(known, _)| known == key) {
                Some((_, place)) => *place = node,
                None => map.push((key.to_owned(), node)),
            }
        }
    }
}

/// Whether a platform's override is for a platform.
fn matches(node: &Node, runtime: Runtime) -> Result<bool, Flaw> {
    let is = |key: &str, own: &str| {
        Ok::<_, Flaw>(node.text_at(key)?.is_none_or(|wanted| wanted.is_empty() || wanted == own))
    };
    if !is("goos", runtime.os)? || !is("goarch", runtime.arch)? {
        return Ok(false);
    }
    if let Some(envs) = node.get("envs")
        && !runtime.is_in(envs.list("envs")?)?
    {
        return Ok(false);
    }
    for variant in node.list_at("variants")? {
        // A key that is not known describes a machine that is not known.
        if variant.text_at("key")? != Some("libc") {
            return Ok(false);
        }
        let wanted = match variant.text_at("value")? {
            Some("gnu") => Some("glibc"),
            other => other,
        };
        if wanted != runtime.libc {
            return Ok(false);
        }
    }
    Ok(true)
}
