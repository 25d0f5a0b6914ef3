//! DotSlash files: a first line that starts the program, then JSON with comments.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::artifacts::{self, Listed};
use super::draft::{Item, platform};
use super::jsonc;

/// How every file begins.
pub(super) const START: &str = "#!/usr/bin/env dotslash";

#[derive(Deserialize)]
struct File {
    name: String,
    platforms: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
struct Entry {
    hash: String,
    digest: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    providers: Vec<Provider>,
}

#[derive(Deserialize)]
struct Provider {
    #[serde(default)]
    url: Option<String>,
}

/// Reads one.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    let body =
        text.strip_prefix(START).ok_or_else(|| format!("it does not begin with `{START}`"))?;
    let file: File = jsonc::parse(body)?;
    let mut items = Vec::new();
    let mut files = BTreeMap::new();
    for (key, entry) in file.platforms {
        let (os, arch) = key.split_once('-').unwrap_or((&key, ""));
        let url = entry.providers.into_iter().find_map(|p| p.url);
        match (platform(os, arch, false), url) {
            (Some(at), Some(url)) => {
                let digest = Some(format!("{}:{}", entry.hash, entry.digest));
                files.insert(at, Listed { url, digest, path: entry.path });
            }
            (at, _) => {
                let why = match at {
                    None => "this program has no such platform",
                    Some(_) => "no provider of it has an address",
                };
                items.push(Item::new(format!("{} ({key})", file.name), Err(why.to_owned())));
            }
        }
    }
    let name = file.name.strip_suffix(".exe").unwrap_or(&file.name);
    items.splice(0..0, artifacts::items(name, None, files));
    Ok(items)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Platform;
    use proptest::prelude::*;

    #[test]
    fn a_file() {
        let digest = "c".repeat(64);
        let text = format!(
            "{START}\n// made by hand\n{{\"name\": \"tool\", \"platforms\": {{\n\
             \"linux-x86_64\": {{\"size\": 3, \"hash\": \"sha256\", \"digest\": \"{digest}\", \"format\": \"tar.gz\", \"path\": \"bin/tool\", \"providers\": [{{\"type\": \"x\"}}, {{\"url\": \"http://mirror.invalid/v1.2.3/tool-linux-x86_64.tar.gz\"}}]}},\n\
             \"macos-aarch64\": {{\"size\": 3, \"hash\": \"sha256\", \"digest\": \"{digest}\", \"format\": \"tar.gz\", \"path\": \"bin/tool\", \"providers\": [{{\"url\": \"http://mirror.invalid/v1.2.3/tool-macos-aarch64.tar.gz\"}}]}},\n\
             \"linux-riscv\": {{\"size\": 3, \"hash\": \"sha256\", \"digest\": \"{digest}\", \"providers\": []}},\n}}}}"
        );
        let items = read(&text).expect("items");
        let draft = items[0].outcome.as_ref().expect("mapped");
        assert_eq!(draft.version.as_str(), "=1.2.3");
        assert_eq!(draft.bin.as_deref(), Some("bin/tool"));
        assert_eq!(draft.words[&"darwin"], "macos");
        assert_eq!(draft.expected[0].platform, Some(Platform::Aarch64Darwin));
        assert_eq!(draft.expected[0].integrity.hex(), digest);
        assert_eq!(items[1].said, "tool (linux-riscv)");
        assert!(read("{}").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = read(&text);
            let _ = read(&format!("{START}\n{text}"));
        }
    }
}
