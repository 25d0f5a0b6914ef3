//! `dep.json`: a manifest of binaries with the release they come from and patterns of their files.

use serde::Deserialize;
use serde_json::Value;

use super::draft::{Draft, Item, of_backend, of_short};

#[derive(Deserialize)]
struct Entry {
    name: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    repo: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    package: Option<String>,
    #[serde(default)]
    assets: Vec<Value>,
}

/// Reads it: a list of entries, or an object that holds one.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    let json: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let list = match &json {
        Value::Array(list) => Some(list),
        Value::Object(object) => object.values().find_map(Value::as_array),
        _ => None,
    };
    let list = list.ok_or("it holds no list of entries")?;
    let mut out = Vec::new();
    for value in list {
        match Entry::deserialize(value) {
            Ok(entry) => {
                let said = format!("{} {} ({})", entry.name, entry.version, entry.source);
                out.push(Item::new(said, draft(&entry)));
            }
            Err(e) => {
                out.push(Item::new(value.to_string(), Err(format!("it cannot be read: {e}"))))
            }
        }
    }
    Ok(out)
}

fn draft(entry: &Entry) -> Result<Draft, String> {
    let package = entry.package.as_deref().unwrap_or(&entry.repo);
    let from = match entry.source.as_str() {
        // Where this program has the releases only under another name, that is as good.
        "github-release" => of_backend("github", &entry.repo)
            .or_else(|why| of_short(&entry.name, "it").map_err(|_| why)),
        "npm-package" => of_backend("npm", package),
        "go-build" | "go-install" => of_backend("go", &entry.repo),
        "macos-app" => Err("disk images of macOS are not read".to_owned()),
        other => Err(format!("no source here is like `{other}`")),
    }?;
    let mut draft = Draft::of(&entry.name, from, &entry.version)?;
    if !entry.assets.is_empty() {
        draft.notes.push(format!(
            "{} patterns of files were not taken over: the source chooses",
            entry.assets.len()
        ));
    }
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entries() {
        let text = r#"[
            {"name":"caddy","source":"github-release","repo":"caddyserver/caddy","version":"v2.10.0","assets":[{"os":"linux","arch":"amd64","match":"x"}]},
            {"name":"nats-s3","source":"go-build","repo":"w/nats-s3","version":"main","package":"cmd/nats-s3"},
            {"name":"biome","source":"npm-package","repo":"","package":"@biomejs/biome","version":"2.0.0"},
            {"name":"utm","source":"macos-app","version":"v4.7.4"},
            {"nonsense":1}]"#;
        let items = read(text).expect("items");
        assert_eq!(items.len(), 5, "nothing is dropped");
        let caddy = items[0].outcome.as_ref().expect("mapped");
        assert_eq!((caddy.version.as_str(), caddy.notes.len()), ("=2.10.0", 1));
        assert!(items[1].outcome.is_err());
        assert_eq!(
            items[2].outcome.as_ref().expect("mapped").from.to_string(),
            "npm:@biomejs/biome"
        );
        assert!(items[3].outcome.is_err() && items[4].outcome.is_err());
        assert_eq!(read(r#"{"deps":[]}"#), Ok(Vec::new()));
        assert!(read("1").is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = read(&text);
        }
    }
}
