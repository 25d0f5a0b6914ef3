//! `aqua.yaml`, and the checksums beside it.
//!
//! Reads packages (`owner/repo@version`); registries and policies are aqua's own. The checksums
//! name files, not platforms, and are kept by file name.

use std::collections::BTreeMap;

use saphyr::{LoadableYamlNode as _, Yaml};
use serde::Deserialize;

use super::draft::{Draft, Expected, Item, hash, of_backend, plain_version, short_name};

/// Digests by package, tag and file name.
pub(super) type Checksums = BTreeMap<(String, String, String), String>;

/// Reads `aqua.yaml`; `checksums` is what [`checksums`] read beside it.
pub(super) fn read(text: &str, checksums: &Checksums) -> Result<Vec<Item>, String> {
    let documents = Yaml::load_from_str(text).map_err(|e| e.to_string())?;
    let mut out = Vec::new();
    for document in &documents {
        let packages = document.as_mapping_get("packages").and_then(Yaml::as_sequence);
        for package in packages.into_iter().flatten() {
            let text = |key: &str| package.as_mapping_get(key).and_then(Yaml::as_str);
            if let Some(file) = text("import") {
                let why = "it is another file; import that one as well".to_owned();
                out.push(Item::new(format!("import {file}"), Err(why)));
                continue;
            }
            let whole = text("name").unwrap_or_default();
            let (name, version) = whole.rsplit_once('@').unwrap_or((whole, ""));
            let version = if version.is_empty() { text("version").unwrap_or("") } else { version };
            let outcome = draft(name, version, checksums);
            out.push(Item::new(format!("{name} {version}").trim_end(), outcome));
        }
    }
    Ok(out)
}

fn draft(name: &str, version: &str, checksums: &Checksums) -> Result<Draft, String> {
    if name.is_empty() {
        return Err("it has no `name`".to_owned());
    }
    let mut draft = Draft::of(short_name(name), of_backend("aqua", name)?, version)?;
    for ((package, tag, file), digest) in checksums.iter().filter(|((p, ..), _)| p == name) {
        match hash(digest) {
            Ok(integrity) => draft.expected.push(Expected {
                platform: None,
                file: Some(file.clone()),
                version: plain_version(tag).map(str::to_owned),
                integrity,
            }),
            Err(why) => draft.notes.push(format!("{package}/{file}: {why}")),
        }
    }
    Ok(draft)
}

/// Reads `aqua-checksums.json`.
pub(super) fn checksums(text: &str) -> Result<Checksums, String> {
    #[derive(Deserialize)]
    struct File {
        #[serde(default)]
        checksums: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        id: String,
        checksum: String,
        algorithm: String,
    }
    let file: File = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let mut out = Checksums::new();
    for Entry { id, checksum, algorithm } in file.checksums {
        // `KIND/HOST/OWNER/REPO/VERSION/FILE`
        let parts: Vec<&str> = id.split('/').collect();
        if let [_, _, owner, repo, tag @ .., file] = parts.as_slice() {
            let key = (format!("{owner}/{repo}"), tag.join("/"), (*file).to_owned());
            out.insert(key, format!("{algorithm}:{checksum}"));
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn packages_and_checksums() {
        let sums = format!(
            r#"{{"checksums":[{{"id":"github_release/host.invalid/acme/tool/v1.0.0/tool_linux.zip","checksum":"{}","algorithm":"sha256"}}]}}"#,
            "B".repeat(64)
        );
        let sums = checksums(&sums).expect("checksums");
        assert_eq!(sums.len(), 1);
        let text = "registries:\n  - type: standard\npackages:\n  - name: acme/tool@v1.0.0\n  \
                    - name: acme/other\n    version: v2.0.0\n  - import: more.yaml\n";
        let items = read(text, &sums).expect("items");
        let said: Vec<_> = items.iter().map(|i| i.said.as_str()).collect();
        assert_eq!(said, ["acme/tool v1.0.0", "acme/other v2.0.0", "import more.yaml"]);
        // It maps exactly when this program knows such a source.
        assert_eq!(items[0].outcome.is_ok(), of_backend("aqua", "acme/tool").is_ok());
        if let Ok(draft) = &items[0].outcome {
            assert_eq!(draft.expected.len(), 1);
        }
        assert!(read("packages: [", &sums).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}", lines in proptest::collection::vec("[ -:a-z@/]{0,14}", 0..5)) {
            let _ = read(&text, &Checksums::new());
            let _ = read(&lines.join("\n"), &Checksums::new());
            let _ = checksums(&text);
        }
    }
}
