//! npm's layered configuration: variables, then the project's, the user's and the global `.npmrc`.
//!
//! References: npm's "config" and "npmrc" pages. Invariant: a credential is found only by the host,
//! port and path that it was written for.

use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use url::Url;

use super::super::{Environ, Error, Origin, Setting, find_on_path};
use super::ini::{self, Dialect};
use super::{Machine, basic, read};
use crate::base::Secret;

struct Layer {
    /// How a key's origin is written.
    origin: Box<dyn Fn(&str) -> Origin>,
    entries: Vec<ini::Entry>,
}

/// npm's configuration, the layer that wins first.
pub(super) struct Config {
    layers: Vec<Layer>,
}

impl Config {
    pub(super) fn load(machine: &Machine<'_>) -> Result<Self, Error> {
        let environ = machine.environ;
        let mut config = Self { layers: vec![variables(environ)] };
        config.file(environ, &machine.project.join(".npmrc"))?;
        let user = match config.value("userconfig") {
            Some(path) => Some(PathBuf::from(path.value)),
            None => environ.home().map(|home| home.join(".npmrc")),
        };
        if let Some(user) = user {
            config.file(environ, &user)?;
        }
        let global = match (config.value("globalconfig"), config.value("prefix")) {
            (Some(path), _) => Some(PathBuf::from(path.value)),
            (None, Some(prefix)) => Some(Path::new(&prefix.value).join("etc/npmrc")),
            (None, None) => beside_node(environ),
        };
        if let Some(global) = global {
            config.file(environ, &global)?;
        }
        Ok(config)
    }

    fn file(&mut self, environ: &Environ, path: &Path) -> Result<(), Error> {
        let Some(text) = read(path)? else { return Ok(()) };
        let mut entries = ini::parse(&text, Dialect::Npm);
        for entry in &mut entries {
            entry.key = expanded(&entry.key, environ);
            entry.value = expanded(&entry.value, environ);
        }
        let path = path.to_owned();
        self.layers.push(Layer { origin: Box::new(move |_| Origin::File(path.clone())), entries });
        Ok(())
    }

    pub(super) fn value(&self, key: &str) -> Option<Setting<String>> {
        self.layers.iter().find_map(|layer| {
            let value = ini::value(&layer.entries, "", key)?.to_owned();
            Some(Setting { value, origin: (layer.origin)(key) })
        })
    }

    /// A credential; one with a variable that is not set is none.
    fn credential(&self, key: &str) -> Option<String> {
        self.value(key).map(|s| s.value).filter(|value| !value.contains("${"))
    }

    /// Credentials for the base or a path above it, the nearest first.
    pub(super) fn authorization(&self, base: &Url) -> Option<Secret> {
        places(base).into_iter().find_map(|place| {
            let of = |key: &str| self.credential(&format!("{place}:{key}"));
            if let Some(token) = of("_authToken") {
                return Some(Secret::new(format!("Bearer {token}")));
            }
            if let Some(encoded) = of("_auth") {
                return Some(Secret::new(format!("Basic {encoded}")));
            }
            let (user, password) = of("username").zip(of("_password"))?;
            let password = BASE64.decode(password.as_bytes()).ok()?;
            Some(basic(&user, &String::from_utf8_lossy(&password)))
        })
    }

    /// The certificate of whoever asks, for the base or a path above it: `certfile` and `keyfile`,
    /// else `cert` and `key` (PEM with `\n` between its lines), which npm shows to any registry that
    /// is its own.
    pub(super) fn identity(&self, environ: &Environ, base: &Url) -> Result<Option<Secret>, Error> {
        for place in places(base) {
            let of = |key: &str| self.value(&format!("{place}:{key}"));
            if let Some((certificate, key)) = of("certfile").zip(of("keyfile")) {
                let path = |Setting { value, origin }: Setting<String>| Setting {
                    value: PathBuf::from(value),
                    origin,
                };
                return super::identity(environ, path(certificate), Some(path(key))).map(Some);
            }
        }
        let lines = |text: String| text.replace("\\n", "\n");
        let both = self.credential("cert").zip(self.credential("key"));
        let is_own = || {
            let registries = self.value("registry").into_iter().chain(self.scoped());
            let urls = registries.filter_map(|one| Url::parse(one.value.trim()).ok());
            urls.into_iter().any(|url| url.origin() == base.origin())
        };
        Ok(both.filter(|_| is_own()).map(|(certificate, key)| {
            Secret::new(format!("{}\n{}\n", lines(certificate), lines(key)))
        }))
    }

    /// The registries of scopes.
    fn scoped(&self) -> impl Iterator<Item = Setting<String>> + '_ {
        let entries = self.layers.iter().flat_map(|layer| &layer.entries);
        let keys = entries.filter(|entry| {
            entry.section.is_empty()
                && entry.key.starts_with('@')
                && entry.key.ends_with(":registry")
        });
        keys.filter_map(|entry| self.value(&entry.key))
    }
}

/// The names that a base and the paths above it have in keys, the nearest first.
fn places(base: &Url) -> Vec<String> {
    let authority = &base[url::Position::BeforeHost..url::Position::AfterPort];
    let mut path = base.path().trim_end_matches('/');
    let mut out = Vec::new();
    loop {
        // Both spellings are in use, with and without the slash at the end.
        out.extend([format!("//{authority}{path}/"), format!("//{authority}{path}")]);
        match path.rfind('/') {
            Some(at) => path = &path[..at],
            None => return out,
        }
    }
}

/// `npm_config_*`, in any case; `_` is `-` except at the beginning and in scoped keys.
fn variables(environ: &Environ) -> Layer {
    const PREFIX: &str = "npm_config_";
    let mut entries = Vec::new();
    let mut names = Vec::new();
    for (name, value) in environ.all() {
        let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else { continue };
        let Some((prefix, rest)) = name.split_at_checked(PREFIX.len()) else { continue };
        if !prefix.eq_ignore_ascii_case(PREFIX) || value.is_empty() {
            continue;
        }
        let key = match rest.starts_with(['/', '@']) {
            true => rest.to_owned(),
            false => {
                let lower = rest.to_lowercase();
                let body = lower.trim_start_matches('_');
                format!("{}{}", &lower[..lower.len() - body.len()], body.replace('_', "-"))
            }
        };
        names.push((key.clone(), name.to_owned()));
        entries.push(ini::Entry { section: String::new(), key, value: value.to_owned() });
    }
    let origin = move |key: &str| {
        let name = names.iter().rev().find(|(k, _)| k == key).map(|(_, name)| name.clone());
        Origin::Variable(name.unwrap_or_else(|| format!("{PREFIX}{key}")))
    };
    Layer { origin: Box::new(origin), entries }
}

/// `etc/npmrc` under the prefix that npm takes from where node lies.
fn beside_node(environ: &Environ) -> Option<PathBuf> {
    let node = crate::fs::canonicalize(&find_on_path(environ, "node")?).ok()?;
    Some(node.parent()?.parent()?.join("etc/npmrc"))
}

/// `${NAME}` by its value, as it is when there is none; `${NAME?}` by nothing then.
fn expanded(text: &str, environ: &Environ) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(len) = rest[start..].find('}') else { break };
        let whole = &rest[start..=start + len];
        let name = &whole[2..len];
        out.push_str(&rest[..start]);
        match environ.get(name.trim_end_matches('?')) {
            Some(value) => out.push_str(value),
            None if name.ends_with('?') => {}
            None => out.push_str(whole),
        }
        rest = &rest[start + len + 1..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn expansion() {
        let environ = Environ::from_vars([("A", "1"), ("B", "${A}")]);
        for (text, want) in [
            ("x${A}y${A}", "x1y1"),
            ("${B}", "${A}"),
            ("${C}", "${C}"),
            ("a${C?}b", "ab"),
            ("${A?}", "1"),
            ("${A", "${A"),
            ("$A", "$A"),
        ] {
            assert_eq!(expanded(text, &environ), want, "{text}");
        }
    }

    proptest! {
        #[test]
        fn without_variables_nothing_changes(text in "[a-z${}é]*") {
            prop_assert_eq!(expanded(&text, &Environ::default()), text);
        }
    }
}
