//! Which format a file has, and reading it.
//!
//! Told by name, a DotSlash file by its first line. Invariant: a file that is read gives every
//! entry it has.

use std::path::Path;

use super::draft::Item;
use super::{Error, Result, aqua, dep_json, devbox, dotslash, mise, multitool, tool_versions};
use crate::fs;

/// What can be read, for messages.
pub const KNOWN: &str = "mise.toml, mise.lock, .tool-versions, aqua.yaml, devbox.json, \
                         multitool.lock.json, dep.json and DotSlash files";

/// Reads a file of another tool.
pub fn read(path: &Path) -> Result<Vec<Item>> {
    let text = String::from_utf8_lossy(&fs::read(path)?).into_owned();
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    parse(&name, &text, path)
}

/// Reads the text of a file of this name; `path` names it in errors, and checksums lie beside it.
pub fn parse(name: &str, text: &str, path: &Path) -> Result<Vec<Item>> {
    let (format, items) = match name {
        "mise.toml" | ".mise.toml" | "config.toml" => ("a mise configuration", mise::config(text)),
        "mise.lock" => ("a mise lock", mise::lock(text)),
        ".tool-versions" => ("a list of tool versions", Ok(tool_versions::read(text))),
        "aqua.yaml" | "aqua.yml" | ".aqua.yaml" | ".aqua.yml" => {
            let beside = checksums_beside(path)?;
            ("an aqua configuration", aqua::read(text, &beside))
        }
        "devbox.json" => ("a devbox configuration", devbox::read(text)),
        "multitool.lock.json" => ("a multitool lock", multitool::read(text)),
        "dep.json" => ("a list of binaries", dep_json::read(text)),
        _ if text.starts_with(dotslash::START) => ("a DotSlash file", dotslash::read(text)),
        _ => return Err(Error::UnknownFormat { path: path.to_owned(), known: KNOWN }),
    };
    items.map_err(|why| Error::Malformed { path: path.to_owned(), format, why })
}

fn checksums_beside(path: &Path) -> Result<aqua::Checksums> {
    for name in ["aqua-checksums.json", ".aqua-checksums.json"] {
        let file = path.with_file_name(name);
        if let Some(text) = fs::read_to_string_if_exists(&file)? {
            return aqua::checksums(&text).map_err(|why| Error::Malformed {
                path: file,
                format: "a list of checksums",
                why,
            });
        }
    }
    Ok(aqua::Checksums::new())
}
