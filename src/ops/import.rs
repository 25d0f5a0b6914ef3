//! Moving in: another tool's files become deps of a profile.
//!
//! Hashes that a file gives go into the profile (`hashes`), which locking is held to now and later.
//! Invariant: profile and lock are both written or both as they were, and every entry of a file is
//! in the report.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toml_edit::{Array, InlineTable, Value};

use super::update_major::restore;
use super::{Context, Result};
use crate::base::{DepName, EnvName, SourceRef, Version, VersionReq};
use crate::exchange::draft::Draft;
use crate::exchange::import;
use crate::fs;
use crate::lock::{Lock, Proof};
use crate::profile::edit::{self, Extra};

/// What to import.
#[derive(Clone, Debug)]
pub struct Request {
    /// The files.
    pub files: Vec<PathBuf>,
    /// The profile that gets the deps.
    pub profile: EnvName,
    /// Whether to write it; else the report says what would be written.
    pub write: bool,
    /// Whether to lock and compare hashes after writing.
    pub lock: bool,
}

/// An entry that became a dep.
#[derive(Clone, Debug, Serialize)]
pub struct Mapped {
    /// The dep's name.
    pub name: DepName,
    /// Where it comes from.
    pub from: SourceRef,
    /// Accepted versions.
    pub version: VersionReq,
    /// What the file calls it.
    pub said: String,
    /// The file.
    pub file: PathBuf,
    /// The line for `[dep]`.
    pub line: String,
    /// Hashes that the lock must have.
    pub hashes: usize,
    /// What could not be taken over.
    pub notes: Vec<String>,
}

/// An entry that did not.
#[derive(Clone, Debug, Serialize)]
pub struct Left {
    /// What the file calls it.
    pub said: String,
    /// The file.
    pub file: PathBuf,
    /// Why not.
    pub reason: String,
}

/// What was found and done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Entries that map.
    pub mapped: Vec<Mapped>,
    /// Entries that do not.
    pub left: Vec<Left>,
    /// The profile's file, when it was written.
    pub written: Option<PathBuf>,
    /// Hashes that were compared with the lock and are the same.
    pub compared: usize,
    /// Hashes that the lock has nothing to compare with.
    pub not_compared: Vec<String>,
}

/// Reads files; with `write`, adds what maps to the profile and locks it.
pub fn import(context: &Context, request: &Request) -> Result<Report> {
    let profiles = context.profiles()?;
    let known = profiles.union()?.requirements;
    // A killed import may have written the profile and no lock: what is there as the file has it,
    // but not locked, is locked and compared now.
    let locked = match request.write && request.lock {
        true => context.lock().ok().unwrap_or_default(),
        false => Lock::default(),
    };
    let is_half_done = |draft: &Draft| {
        let there = known.get(&draft.name);
        request.write
            && request.lock
            && !locked.deps.contains_key(&draft.name)
            && there.is_some_and(|it| it.from == draft.from && it.version == draft.version)
    };
    let mut report = Report::default();
    let (mut drafts, mut half_done): (Vec<Draft>, Vec<Draft>) = (Vec::new(), Vec::new());
    for file in &request.files {
        for item in import::read(&context.cwd().join(file))? {
            let (said, file) = (item.said, file.clone());
            let outcome = item.outcome.and_then(|draft| {
                if is_half_done(&draft) {
                    return Ok(draft);
                }
                if known.contains_key(&draft.name) {
                    return Err(format!("`{}` is a dep already", draft.name));
                }
                if drafts.iter().any(|d| d.name == draft.name) {
                    return Err(format!("`{}` is listed before", draft.name));
                }
                Ok(draft)
            });
            match outcome {
                Ok(draft) => {
                    report.mapped.push(mapped(&draft, said, file)?);
                    match is_half_done(&draft) {
                        true => half_done.push(draft),
                        false => drafts.push(draft),
                    }
                }
                Err(reason) => report.left.push(Left { said, file, reason }),
            }
        }
    }
    if !request.write || (drafts.is_empty() && half_done.is_empty()) {
        return Ok(report);
    }
    let profile = profiles.get(&request.profile)?;
    let Some(path) = profile.files.first().cloned() else { return Ok(report) };
    let old = fs::read_to_string(&path)?;
    let mut new = old.clone();
    for draft in &drafts {
        new = edit::add_dep(&new, &draft.name, &draft.from, &draft.version, &extra(draft))?;
    }
    let lock_path = context.lock_path();
    let old_lock = fs::missing_is_none(fs::read(&lock_path))?;
    let before = [(path.clone(), old)];
    if new != before[0].1 {
        fs::write_atomic(&path, new.as_bytes())?;
    }
    drafts.append(&mut half_done);
    // What is written must be a profile, before anything is fetched for it.
    if let Err(problem) = context.profiles() {
        restore(&before)?;
        return Err(problem);
    }
    if request.lock {
        let locked = super::lock::lock(context).and_then(|_| context.lock());
        match locked {
            Ok(lock) => compare(&lock, &drafts, &mut report),
            Err(problem) => {
                restore(&before)?;
                match old_lock {
                    Some(bytes) => fs::write_atomic(&lock_path, &bytes)?,
                    None => fs::remove_file_if_exists(&lock_path)?,
                }
                return Err(problem);
            }
        }
    }
    report.written = Some(path);
    Ok(report)
}

fn mapped(draft: &Draft, said: String, file: PathBuf) -> Result<Mapped> {
    let text = edit::add_dep("", &draft.name, &draft.from, &draft.version, &extra(draft))?;
    let line = text.lines().find(|l| !l.is_empty() && !l.starts_with('[')).unwrap_or_default();
    Ok(Mapped {
        name: draft.name.clone(),
        from: draft.from.clone(),
        version: draft.version.clone(),
        said,
        file,
        line: line.to_owned(),
        hashes: draft.expected.len(),
        notes: draft.notes.clone(),
    })
}

/// The keys of a draft beside source and version.
fn extra(draft: &Draft) -> Extra {
    let mut out = Extra::new();
    if let Some(path) = &draft.bin {
        let mut table = InlineTable::new();
        table.insert(draft.name.as_str(), path.as_str().into());
        out.push(("bin".to_owned(), Value::InlineTable(table)));
    }
    for (key, ours) in
        [("os", &["linux", "darwin", "windows"][..]), ("arch", &["x86_64", "aarch64"])]
    {
        let mut table = InlineTable::new();
        for word in ours {
            if let Some(theirs) = draft.words.get(word) {
                table.insert(*word, theirs.as_str().into());
            }
        }
        if !table.is_empty() {
            out.push((key.to_owned(), Value::InlineTable(table)));
        }
    }
    if let Some(tag) = &draft.tag {
        out.push(("tag".to_owned(), tag.as_str().into()));
    }
    let hashes = hashes(draft);
    if !hashes.is_empty() {
        out.push(("hashes".to_owned(), Value::InlineTable(hashes)));
    }
    if let Some(platforms) = &draft.platforms {
        let list: Array = platforms.iter().map(|p| p.name()).collect();
        out.push(("platforms".to_owned(), Value::Array(list)));
    }
    out
}

/// The hashes of a draft, by version, then by platform, or by file name where a file says no
/// platform. Those of a version that is not known belong nowhere.
fn hashes(draft: &Draft) -> InlineTable {
    let own = draft.version.as_str().trim_start_matches('=').trim();
    let own = draft.version.as_str().starts_with('=').then_some(own);
    let mut by_version: BTreeMap<&str, InlineTable> = BTreeMap::new();
    for expected in &draft.expected {
        let Some(version) = expected.version.as_deref().or(own) else { continue };
        let key = match (expected.platform, &expected.file) {
            (Some(platform), _) => platform.name(),
            (None, Some(file)) => file,
            (None, None) => continue,
        };
        let hash = expected.integrity.to_string();
        by_version.entry(version).or_default().insert(key, hash.into());
    }
    let tables = by_version.into_iter().map(|(version, files)| (version, Value::from(files)));
    tables.collect()
}

/// Counts which of the files' hashes the lock was held to, and which it has nothing for.
fn compare(lock: &Lock, drafts: &[Draft], report: &mut Report) {
    for draft in drafts {
        let Some(locked) = lock.deps.get(&draft.name) else { continue };
        for expected in &draft.expected {
            let is_version = expected.version.as_ref().is_none_or(|version| {
                version.parse::<Version>().is_ok_and(|v| v.cmp_meaning(&locked.version).is_eq())
            });
            let met = locked.platforms.iter().any(|(platform, row)| {
                let Some(pin) = row.pin() else { return false };
                let file = pin.artifact.as_ref().map(|artifact| file_name(&artifact.file));
                is_version
                    && pin.verified.contains(&Proof::ProfileHash)
                    && expected.platform.is_none_or(|p| p == *platform)
                    && (expected.platform.is_some() || expected.file.as_deref() == file)
            });
            if met {
                report.compared += 1;
                continue;
            }
            let of = match (expected.platform, &expected.file) {
                (Some(platform), _) => platform.to_string(),
                (None, file) => file.clone().unwrap_or_default(),
            };
            report.not_compared.push(format!("{} ({of})", draft.name));
        }
    }
}

fn file_name(file: &str) -> &str {
    Path::new(file).file_name().and_then(|n| n.to_str()).unwrap_or(file)
}
