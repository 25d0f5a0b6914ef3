//! Which licence a package says it has.
//!
//! Reads what the package itself carries: a wheel's `METADATA`, npm's `package.json`, and licence
//! files, whose text is only compared with well-known ones. Refuses to guess: what is not declared
//! and not recognised is unknown. References: PEP 639 and core metadata 2.4; npm's `package.json`;
//! the SPDX licence list.

use std::path::Path;

use serde::Serialize;

use super::Result;
use super::licence_names::{CLASSIFIERS, is_expression};
use crate::fs;

/// What a package says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Licence {
    /// An SPDX expression, or the words the package uses; absent when it says nothing.
    pub licence: Option<String>,
    /// Whether it is an SPDX expression.
    pub spdx: bool,
    /// Where that stands: a file of the tree.
    pub from: Option<String>,
    /// Licence files of the tree.
    pub files: Vec<String>,
}

/// Longest file that is read, in bytes.
const LONGEST: u64 = 1 << 20;

/// Reads a package's unpacked tree.
pub fn read(tree: &Path) -> Result<Licence> {
    let mut found = Licence::default();
    let mut declared: Vec<(String, Declared)> = Vec::new();
    let mut recognised: Option<(String, &'static str)> = None;
    for file in candidates(tree)? {
        let path = tree.join(&file);
        let meta = fs::lstat(&path)?;
        if !meta.is_file() || meta.len() > LONGEST {
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
        let name = file.rsplit('/').next().unwrap_or(&file);
        match name {
            "METADATA" => declared.extend(of_metadata(&text).map(|d| (file.clone(), d))),
            "package.json" => declared.extend(of_package_json(&text).map(|d| (file.clone(), d))),
            _ => {
                if recognised.is_none() {
                    recognised = of_text(&text).map(|id| (file.clone(), id));
                }
                found.files.push(file);
            }
        }
    }
    if let Some((file, Declared { words, spdx })) = declared.into_iter().next() {
        (found.licence, found.spdx, found.from) = (Some(words), spdx, Some(file));
    } else if let Some((file, id)) = recognised {
        (found.licence, found.spdx, found.from) = (Some(id.to_owned()), true, Some(file));
    }
    Ok(found)
}

/// Files that may say something, relative to the tree, sorted: on top (or in the only directory on
/// top), and in `*.dist-info` with its `licenses`.
fn candidates(tree: &Path) -> Result<Vec<String>> {
    let names = |dir: &Path| -> Result<Vec<String>> {
        let names = fs::read_dir_names_if_exists(dir)?;
        Ok(names.into_iter().filter_map(|n| n.into_string().ok()).collect())
    };
    let is_dir = |path: &Path| -> Result<bool> { Ok(fs::lstat(path)?.is_dir()) };
    let mut prefix = String::new();
    let mut top = names(tree)?;
    if let [only] = top.as_slice()
        && is_dir(&tree.join(only))?
    {
        prefix = format!("{only}/");
        top = names(&tree.join(only))?;
    }
    let mut out = Vec::new();
    for name in top {
        let path = format!("{prefix}{name}");
        if name.ends_with(".dist-info") && is_dir(&tree.join(&path))? {
            for inner in names(&tree.join(&path))? {
                if inner == "METADATA" || is_licence_file(&inner) {
                    out.push(format!("{path}/{inner}"));
                }
            }
            let folder = format!("{path}/licenses");
            if fs::lstat_if_exists(&tree.join(&folder))?.is_some_and(|m| m.is_dir()) {
                out.extend(names(&tree.join(&folder))?.iter().map(|n| format!("{folder}/{n}")));
            }
        } else if name == "package.json" || is_licence_file(&name) {
            out.push(path);
        }
    }
    out.sort();
    Ok(out)
}

fn is_licence_file(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["LICENSE", "LICENCE", "COPYING", "UNLICENSE"].iter().any(|start| name.starts_with(start))
}

/// What a package declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The words.
    pub words: String,
    /// Whether they are an SPDX expression.
    pub spdx: bool,
}

impl Declared {
    fn new(words: &str) -> Option<Self> {
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let silent = ["", "UNKNOWN", "UNLICENSED"].contains(&words.to_ascii_uppercase().as_str());
        (!silent).then(|| Self { spdx: is_expression(&words), words })
    }
}

/// A wheel's `METADATA`: `License-Expression`, else `License`, else its classifiers.
pub fn of_metadata(text: &str) -> Option<Declared> {
    let mut free = String::new();
    let mut in_free = false;
    let mut classified = Vec::new();
    for line in text.lines() {
        if line.is_empty() {
            break;
        }
        if line.starts_with([' ', '\t']) {
            if in_free {
                free.push('\n');
                free.push_str(line.trim_start_matches(['|', ' ', '\t']));
            }
            continue;
        }
        in_free = false;
        let Some((key, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        if key.eq_ignore_ascii_case("License-Expression") {
            return Declared::new(value);
        } else if key.eq_ignore_ascii_case("License") {
            free = value.to_owned();
            in_free = true;
        } else if key.eq_ignore_ascii_case("Classifier")
            && let Some(rest) = value.strip_prefix("License ::")
        {
            classified.push(rest.rsplit("::").next().unwrap_or(rest).trim().to_owned());
        }
    }
    let one_line = Declared::new(free.trim()).filter(|_| !free.trim().contains('\n'));
    if let Some(declared) = one_line.clone().filter(|d| d.spdx) {
        return Some(declared);
    }
    let known: Vec<&str> = classified
        .iter()
        .filter_map(|c| CLASSIFIERS.iter().find(|(name, _)| name == c).map(|(_, id)| *id))
        .collect();
    match known.as_slice() {
        [id] if classified.len() == 1 => Declared::new(id),
        // Several classifiers do not say whether all apply or one may be chosen.
        _ => one_line
            .or_else(|| of_text(&free).and_then(Declared::new))
            .or_else(|| Declared::new(&classified.join(", "))),
    }
}

/// npm's `package.json`: `license`, or the older `licenses`.
pub fn of_package_json(text: &str) -> Option<Declared> {
    let json: serde_json::Value = serde_json::from_str(text).ok()?;
    let of = |value: &serde_json::Value| -> Option<String> {
        value.as_str().or_else(|| value.get("type")?.as_str()).map(str::to_owned)
    };
    if let Some(declared) = json.get("license").and_then(of).as_deref().and_then(Declared::new) {
        // `SEE LICENSE IN FILE` names a file, not a licence.
        return (!declared.words.starts_with("SEE LICENSE")).then_some(declared);
    }
    let all: Vec<String> = json.get("licenses")?.as_array()?.iter().filter_map(of).collect();
    Declared::new(&all.join(" OR "))
}

/// A well-known licence by its own words. Needs the title or the sentences that only it has.
pub fn of_text(text: &str) -> Option<&'static str> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ").to_ascii_lowercase();
    let has = |words: &str| text.contains(words);
    let starts = |words: &str| text.get(..400.min(text.len())).unwrap_or(&text).contains(words);
    let disclaimer = has("redistributions in binary form must reproduce");
    let found = if starts("apache license version 2.0") {
        "Apache-2.0"
    } else if starts("mozilla public license version 2.0") {
        "MPL-2.0"
    } else if starts("gnu affero general public license version 3") {
        "AGPL-3.0-only"
    } else if starts("gnu lesser general public license version 3") {
        "LGPL-3.0-only"
    } else if starts("gnu lesser general public license version 2.1") {
        "LGPL-2.1-only"
    } else if starts("gnu general public license version 3") {
        "GPL-3.0-only"
    } else if starts("gnu general public license version 2") {
        "GPL-2.0-only"
    } else if starts("business source license 1.1") {
        "BUSL-1.1"
    } else if starts("server side public license version 1") {
        "SSPL-1.0"
    } else if has("this is free and unencumbered software released into the public domain") {
        "Unlicense"
    } else if disclaimer && has("neither the name") {
        "BSD-3-Clause"
    } else if disclaimer && !has("advertising materials") {
        "BSD-2-Clause"
    } else if has(
        "permission to use, copy, modify, and/or distribute this software for any purpose",
    ) && has("appear in all copies")
    {
        "ISC"
    } else if has("permission is hereby granted, free of charge, to any person obtaining a copy")
        && has("the above copyright notice and this permission notice shall be included")
    {
        "MIT"
    } else {
        return None;
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn words(declared: Option<Declared>) -> Option<(String, bool)> {
        declared.map(|d| (d.words, d.spdx))
    }

    #[test]
    fn metadata() {
        let of = |text: &str| words(of_metadata(text));
        let some = |text: &str, spdx| Some((text.to_owned(), spdx));
        assert_eq!(of("License-Expression: MIT OR Apache-2.0\n"), some("MIT OR Apache-2.0", true));
        assert_eq!(
            of(
                "License: Apache Software\nClassifier: License :: OSI Approved :: Apache Software License\n"
            ),
            some("Apache-2.0", true)
        );
        assert_eq!(of("License: ours\n\nLicense-Expression: MIT\n"), some("ours", false));
        assert_eq!(of("Name: x\nLicense: UNKNOWN\n"), None);
        let long = "License: Permission is hereby granted, free of charge, to any person\n        \
                    obtaining a copy\n        The above copyright notice and this permission notice \
                    shall be included\nName: x\n";
        assert_eq!(of(long), some("MIT", true));
        let two = "Classifier: License :: OSI Approved :: MIT License\n\
                   Classifier: License :: OSI Approved :: Apache Software License\n";
        assert_eq!(of(two), some("MIT License, Apache Software License", false));
    }

    #[test]
    fn package_json() {
        let of = |text: &str| words(of_package_json(text));
        assert_eq!(of(r#"{"license":"MIT"}"#), Some(("MIT".to_owned(), true)));
        assert_eq!(of(r#"{"license":{"type":"ISC"}}"#), Some(("ISC".to_owned(), true)));
        assert_eq!(
            of(r#"{"licenses":[{"type":"MIT"},{"type":"ISC"}]}"#),
            Some(("MIT OR ISC".to_owned(), true))
        );
        assert_eq!(of(r#"{"license":"SEE LICENSE IN X"}"#), None);
        assert_eq!(of(r#"{"license":"UNLICENSED"}"#), None);
        assert_eq!(of("{"), None);
    }

    #[test]
    fn our_own_text_is_recognised() {
        assert_eq!(of_text(include_str!("../../LICENSE")), Some("Apache-2.0"));
        assert_eq!(of_text("All rights reserved."), None);
    }

    #[test]
    fn trees() {
        let dir = tempfile::tempdir().expect("directory");
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("create");
            fs::write_atomic(&path, text.as_bytes()).expect("write");
        };
        assert_eq!(read(dir.path()).expect("read"), Licence::default());
        write("tool-1.0/COPYING", include_str!("../../LICENSE"));
        let found = read(dir.path()).expect("read");
        assert_eq!(found.licence.as_deref(), Some("Apache-2.0"));
        assert_eq!(found.from.as_deref(), Some("tool-1.0/COPYING"));
        write("t-1.0.dist-info/METADATA", "License-Expression: MIT\n");
        write("t-1.0.dist-info/licenses/LICENSE.txt", "anything");
        let found = read(dir.path()).expect("read");
        assert_eq!(found.licence.as_deref(), Some("MIT"));
        assert_eq!(found.files, ["t-1.0.dist-info/licenses/LICENSE.txt"]);
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}", lines in proptest::collection::vec("\\PC{0,30}", 0..6)) {
            let _ = of_text(&text);
            let _ = is_expression(&text);
            let _ = of_package_json(&text);
            let _ = of_metadata(&lines.join("\n"));
        }
    }
}
