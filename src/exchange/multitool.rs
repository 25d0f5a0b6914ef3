//! `multitool.lock.json`: binaries by operating system and processor, with SHA-256.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::artifacts::{self, Listed};
use super::draft::{Item, platform};

#[derive(Deserialize)]
struct Tool {
    binaries: Vec<Binary>,
}

#[derive(Deserialize)]
struct Binary {
    kind: String,
    url: String,
    #[serde(default)]
    sha256: Option<String>,
    os: String,
    cpu: String,
    #[serde(default)]
    file: Option<String>,
}

/// Reads it.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    let all: BTreeMap<String, Value> = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    for (name, value) in all.into_iter().filter(|(name, _)| !name.starts_with('$')) {
        let tool: Tool = serde_json::from_value(value).map_err(|e| format!("`{name}`: {e}"))?;
        let mut files = BTreeMap::new();
        let mut left = Vec::new();
        for Binary { kind, url, sha256, os, cpu, file } in tool.binaries {
            let said = format!("{name} ({os} {cpu})");
            match platform(&os, &cpu, false) {
                Some(at) if kind != "pkg" => {
                    files.insert(at, Listed { url, digest: sha256, path: file });
                }
                Some(_) => {
                    left.push(Item::new(said, Err("macOS packages are not read".to_owned())))
                }
                None => {
                    left.push(Item::new(said, Err("this program has no such platform".to_owned())));
                }
            }
        }
        out.extend(artifacts::items(&name, None, files));
        out.extend(left);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tools() {
        let digest = "d".repeat(64);
        let text = format!(
            r#"{{"$schema":"x","tool":{{"binaries":[
            {{"kind":"file","url":"http://mirror.invalid/1.0.1/tool-linux-amd64","sha256":"{digest}","os":"linux","cpu":"x86_64"}},
            {{"kind":"file","url":"http://mirror.invalid/1.0.1/tool-darwin-arm64","sha256":"{digest}","os":"macos","cpu":"arm64"}},
            {{"kind":"pkg","url":"http://mirror.invalid/1.0.1/tool.pkg","sha256":"{digest}","os":"macos","cpu":"x86_64"}}]}}}}"#
        );
        let items = read(&text).expect("items");
        let draft = items[0].outcome.as_ref().expect("mapped");
        assert_eq!(
            draft.from.to_string(),
            "url:http://mirror.invalid/${version}/tool-${os}-${arch}"
        );
        assert_eq!((draft.version.as_str(), draft.expected.len()), ("=1.0.1", 2));
        assert_eq!(items[1].said, "tool (macos x86_64)");
        assert!(read(r#"{"tool":1}"#).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = read(&text);
        }
    }
}
