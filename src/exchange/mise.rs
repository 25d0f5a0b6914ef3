//! `mise.toml` and `mise.lock`.
//!
//! `[tools]` names a tool by backend (`npm:x`) or by a short name of mise's registry; the lock adds
//! an address and a checksum for each platform, from which a `url:` dep is made. Settings, tasks
//! and variables are not deps and are left alone.

use std::collections::BTreeMap;

use toml_edit::{DocumentMut, Item as Toml, TableLike};

use super::artifacts::{self, Listed};
use super::draft::{Draft, Item, of_backend, of_short, platform, short_name};

/// `mise.toml`
pub(super) fn config(text: &str) -> Result<Vec<Item>, String> {
    let document = parse(text)?;
    let Some(tools) = document.get("tools").and_then(Toml::as_table_like) else {
        return Ok(Vec::new());
    };
    let mut out = Vec::new();
    for (name, item) in tools.iter() {
        let versions: Vec<String> = match item.as_array() {
            Some(array) => array.iter().map(|v| version_of(v.as_str(), None)).collect(),
            None => vec![version_of(item.as_str(), item.as_table_like())],
        };
        for (n, version) in versions.iter().enumerate() {
            let outcome = match n {
                0 => tool(name, version),
                _ => Err("a dep has one version; the first one listed was taken".to_owned()),
            };
            out.push(Item::new(format!("{name} {version}"), outcome));
        }
    }
    Ok(out)
}

fn version_of(text: Option<&str>, table: Option<&dyn TableLike>) -> String {
    let inner = table.and_then(|t| t.get("version")).and_then(Toml::as_str);
    text.or(inner).unwrap_or("latest").to_owned()
}

/// A tool that is named by backend or by short name.
pub(super) fn tool(name: &str, version: &str) -> Result<Draft, String> {
    let (from, local) = match name.split_once(':') {
        Some(("core", short)) => (of_short(short, "mise's own tools")?, short),
        Some((backend, package)) => {
            let package = package.split('[').next().unwrap_or(package);
            (of_backend(backend, package)?, short_name(package))
        }
        None => (of_short(name, "mise's registry")?, name),
    };
    Draft::of(local, from, version)
}

/// `mise.lock`
pub(super) fn lock(text: &str) -> Result<Vec<Item>, String> {
    let document = parse(text)?;
    let Some(tools) = document.get("tools").and_then(Toml::as_table_like) else {
        return Ok(Vec::new());
    };
    let mut out = Vec::new();
    for (name, item) in tools.iter() {
        // Older versions wrote a table, later ones an array of them.
        let tables: Vec<&dyn TableLike> = match (item.as_array_of_tables(), item.as_table_like()) {
            (Some(array), _) => array.iter().map(|t| t as &dyn TableLike).collect(),
            (None, Some(table)) => vec![table],
            _ => Vec::new(),
        };
        for (n, table) in tables.into_iter().enumerate() {
            let text = |key: &str| table.get(key).and_then(Toml::as_str);
            let version = text("version").unwrap_or("latest");
            if n > 0 {
                let why = "a dep has one version; the first one listed was taken".to_owned();
                out.push(Item::new(format!("{name} {version}"), Err(why)));
                continue;
            }
            let (files, strange) = platforms(table);
            for key in strange {
                let why = "this program has no such platform".to_owned();
                out.push(Item::new(format!("{name} {version} ({key})"), Err(why)));
            }
            if files.is_empty() {
                let outcome = tool(text("backend").unwrap_or(name), version);
                out.push(Item::new(format!("{name} {version}"), outcome));
            } else {
                let local = short_name(name.rsplit(':').next().unwrap_or(name));
                out.extend(artifacts::items(local, Some(version), files));
            }
        }
    }
    Ok(out)
}

/// Files by platform, and the platforms that are none of ours.
fn platforms(table: &dyn TableLike) -> (BTreeMap<crate::base::Platform, Listed>, Vec<String>) {
    let nested = table.get("platforms").and_then(Toml::as_table_like);
    let quoted = table.iter().filter_map(|(k, v)| Some((k.strip_prefix("platforms.")?, v)));
    let all = nested.into_iter().flat_map(|t| t.iter()).chain(quoted);
    let (mut files, mut strange) = (BTreeMap::new(), Vec::new());
    for (key, item) in all {
        let Some(row) = item.as_table_like() else { continue };
        let text = |key: &str| row.get(key).and_then(Toml::as_str).map(str::to_owned);
        let Some(url) = text("url") else { continue };
        let mut words = key.split('-');
        let (os, arch) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let rest: Vec<&str> = words.collect();
        match platform(os, arch, rest.contains(&"musl")) {
            Some(at) if rest.iter().all(|w| *w == "musl") => {
                files.insert(at, Listed { url, digest: text("checksum"), path: None });
            }
            _ => strange.push(key.to_owned()),
        }
    }
    (files, strange)
}

fn parse(text: &str) -> Result<DocumentMut, String> {
    text.parse()
        .map_err(|e: toml_edit::TomlError| e.message().lines().collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tools() {
        let text = "[env]\nA = \"1\"\n[tools]\nuv = \"0.4\"\n\"npm:@biomejs/biome\" = { version = \"2.0.0\" }\n\
                    emacs = \"latest\"\n\"pipx:black\" = [\"24.1.0\", \"23.1.0\"]\n";
        let shown: Vec<_> = config(text)
            .expect("items")
            .into_iter()
            .map(|i| match i.outcome {
                Ok(d) => format!("{}={} {}", d.name, d.from, d.version),
                Err(why) => format!("{}: {}", i.said, why.split(';').next().unwrap_or_default()),
            })
            .collect();
        assert_eq!(
            shown,
            [
                "uv=pypi:uv ~0.4",
                "biome=npm:@biomejs/biome =2.0.0",
                "emacs latest: `emacs` is a name of mise's registry",
                "black=pypi:black =24.1.0",
                "pipx:black 23.1.0: a dep has one version",
            ]
        );
    }

    #[test]
    fn locked() {
        let digest = "a".repeat(64);
        let text = format!(
            "[[tools.rg]]\nversion = \"14.1.1\"\nbackend = \"aqua:x/rg\"\n\
             \"platforms.linux-x64\" = {{ checksum = \"sha256:{digest}\", url = \"http://mirror.invalid/14.1.1/rg-linux-amd64.tar.gz\" }}\n\
             [tools.rg.platforms.macos-arm64]\nchecksum = \"blake3:00\"\nurl = \"http://mirror.invalid/14.1.1/rg-macos-arm64.tar.gz\"\n\
             [tools.rg.platforms.freebsd-x64]\nurl = \"http://mirror.invalid/x\"\n\
             [[tools.black]]\nversion = \"24.1.0\"\nbackend = \"pipx:black\"\n"
        );
        let items = lock(&text).expect("items");
        let rg = items.iter().find(|i| i.said == "rg 14.1.1").expect("rg");
        let draft = rg.outcome.as_ref().expect("mapped");
        assert_eq!(
            draft.from.to_string(),
            "url:http://mirror.invalid/${version}/rg-${os}-${arch}.tar.gz"
        );
        assert_eq!(draft.expected.len(), 1);
        assert!(draft.notes[0].contains("blake3"), "{:?}", draft.notes);
        assert!(items.iter().any(|i| i.said == "rg 14.1.1 (freebsd-x64)" && i.outcome.is_err()));
        assert!(items.iter().any(|i| i.said == "black 24.1.0" && i.outcome.is_ok()));
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}", name in "[a-z:@/\\[]{0,12}", v in "\\PC{0,6}") {
            let _ = config(&text);
            let _ = lock(&text);
            let _ = tool(&name, &v);
        }
    }
}
