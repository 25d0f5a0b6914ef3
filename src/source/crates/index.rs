//! The sparse index of a registry: which versions a crate has, and where they are downloaded.
//!
//! Reference: the Cargo book, "Registry Index". Invariant: a version without a SHA-256 of its file
//! is none.

use std::collections::BTreeMap;

use serde::Deserialize;
use tame_index::index::IndexConfig;
use tame_index::{IndexKrate, KrateName};

use crate::base::{Algorithm, Integrity};

/// A published version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Published {
    /// As the registry spells it.
    pub(super) version: String,
    /// Withdrawn by its publisher.
    pub(super) yanked: bool,
    /// When it was published, where the index says it.
    pub(super) published: Option<jiff::Timestamp>,
    /// Hash of its `.crate` file.
    pub(super) checksum: Integrity,
}

/// The path of a crate's file in the index; `None` when it is no crate's name.
pub(super) fn path(name: &str) -> Option<String> {
    let name = name.to_ascii_lowercase();
    Some(KrateName::cargo(&name).ok()?.relative_path(Some('/')))
}

/// Every version in a crate's file.
pub(super) fn versions(body: &[u8]) -> Result<Vec<Published>, String> {
    let found = IndexKrate::from_slice(body).map_err(|e| e.to_string())?;
    let dates = dates(body);
    Ok(found
        .versions
        .iter()
        .filter_map(|one| {
            let checksum = Integrity::new(Algorithm::Sha256, one.checksum())?;
            let version = one.version.to_string();
            let published = dates.get(&version).copied();
            Some(Published { version, yanked: one.is_yanked(), published, checksum })
        })
        .collect())
}

/// A line of the index, as far as it says when.
#[derive(Deserialize)]
struct Dated {
    vers: String,
    pubtime: Option<String>,
}

/// When versions were published. A line without a date says nothing.
fn dates(body: &[u8]) -> BTreeMap<String, jiff::Timestamp> {
    let of = |line: &[u8]| {
        let Dated { vers, pubtime } = serde_json::from_slice(line).ok()?;
        Some((vers, pubtime?.parse().ok()?))
    };
    body.split(|byte| *byte == b'\n').filter_map(of).collect()
}

/// Where a version's file lies, by the registry's `config.json`.
pub(super) fn download(config: &[u8], name: &str, one: &Published) -> Result<String, String> {
    let mut config: IndexConfig = serde_json::from_slice(config).map_err(|e| e.to_string())?;
    let name = KrateName::cargo(name).map_err(|e| e.to_string())?;
    config.dl = config.dl.replace("{sha256-checksum}", &one.checksum.hex());
    Ok(config.download_url(name, &one.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn line(version: &str, yanked: bool) -> String {
        let cksum = "ab".repeat(32);
        format!(
            "{{\"name\":\"Tool\",\"vers\":\"{version}\",\"deps\":[],\"cksum\":\"{cksum}\",\
             \"features\":{{}},\"yanked\":{yanked},\"v\":2,\"features2\":{{}},\"pubtime\":\"x\"}}\n"
        )
    }

    #[test]
    fn reads_lines() {
        let body = format!("{}{}", line("1.0.0", false), line("1.1.0-rc.1", true));
        let found = versions(body.as_bytes()).expect("versions");
        let shown: Vec<_> = found.iter().map(|p| (p.version.as_str(), p.yanked)).collect();
        assert_eq!(shown, [("1.0.0", false), ("1.1.0-rc.1", true)]);
        assert_eq!(found[0].checksum.hex(), "ab".repeat(32));
        assert!(versions(b"<html>").is_err());
    }

    #[test]
    fn paths() {
        for (name, want) in
            [("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("Rip-Grep", "ri/p-/rip-grep")]
        {
            assert_eq!(path(name).as_deref(), Some(want));
        }
        for bad in ["", "a/b", "../x", "1a", "é"] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }

    #[test]
    fn downloads() {
        let one = &versions(line("1.0.0", false).as_bytes()).expect("versions")[0];
        let checksum = "ab".repeat(32);
        for (dl, want) in [
            ("http://r.invalid/dl", "http://r.invalid/dl/Tool/1.0.0/download".to_owned()),
            (
                "http://r.invalid/{crate}/{version}.crate",
                "http://r.invalid/Tool/1.0.0.crate".to_owned(),
            ),
            (
                "http://r.invalid/{prefix}/{lowerprefix}/{sha256-checksum}",
                format!("http://r.invalid/To/ol/to/ol/{checksum}"),
            ),
        ] {
            let config =
                format!("{{\"dl\":\"{dl}\",\"api\":\"http://r.invalid\",\"auth-required\":true}}");
            assert_eq!(download(config.as_bytes(), "Tool", one), Ok(want));
        }
        assert!(download(b"{}", "Tool", one).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,80}") {
            let _ = (versions(s.as_bytes()), path(&s));
        }
    }
}
