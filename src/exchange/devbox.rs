//! `devbox.json`: packages of Nix, as a list of `name@version` or a table.

use serde_json::Value;

use super::draft::{Draft, Item, of_short};
use super::jsonc;

/// Reads it.
pub(super) fn read(text: &str) -> Result<Vec<Item>, String> {
    let json: Value = jsonc::parse(text)?;
    let pairs: Vec<(String, String)> = match json.get("packages") {
        Some(Value::Array(list)) => list
            .iter()
            .filter_map(Value::as_str)
            .map(|text| {
                let (name, version) = text.rsplit_once('@').unwrap_or((text, "latest"));
                (name.to_owned(), version.to_owned())
            })
            .collect(),
        Some(Value::Object(table)) => table
            .iter()
            .map(|(name, value)| {
                let version = value.as_str().or_else(|| value.get("version")?.as_str());
                (name.clone(), version.unwrap_or("latest").to_owned())
            })
            .collect(),
        Some(_) => return Err("`packages` is neither a list nor a table".to_owned()),
        None => Vec::new(),
    };
    let item = |(name, version): (String, String)| {
        let draft =
            of_short(&name, "the Nix packages").and_then(|from| Draft::of(&name, from, &version));
        Item::new(format!("{name} {version}"), draft)
    };
    Ok(pairs.into_iter().map(item).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_and_tables() {
        let list = r#"{ // ours
            "packages": ["uv@0.4.1", "emacs",], "shell": {} }"#;
        let table = r#"{"packages": {"uv": "0.4.1", "emacs": {"version": "latest"}}}"#;
        for text in [list, table] {
            let items = read(text).expect("items");
            let uv = items.iter().find(|i| i.said == "uv 0.4.1").expect("uv");
            assert_eq!(uv.outcome.as_ref().expect("mapped").version.as_str(), "=0.4.1");
            assert!(items.iter().any(|i| i.said == "emacs latest" && i.outcome.is_err()));
        }
        assert!(read(r#"{"packages": 1}"#).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,60}") {
            let _ = read(&text);
        }
    }
}
