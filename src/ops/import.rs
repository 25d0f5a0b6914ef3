//! Moving in: another tool's files become deps of a profile.
//!
//! Hashes that a file gives are compared with what was locked. Invariant: profile and lock are
//! both written or both as they were, and every entry of a file is in the report.

use std::path::{Path, PathBuf};

use serde::Serialize;
use toml_edit::{Array, InlineTable, Value};

use super::update_major::restore;
use super::{Context, Error, Result};
use crate::base::{DepName, EnvName, SourceRef, VersionReq};
use crate::exchange::draft::Draft;
use crate::exchange::import;
use crate::fs;
use crate::lock::{Lock, Row};
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
    let mut report = Report::default();
    let mut drafts: Vec<Draft> = Vec::new();
    for file in &request.files {
        for item in import::read(&context.cwd().join(file))? {
            let (said, file) = (item.said, file.clone());
            let outcome = item.outcome.and_then(|draft| {
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
                    drafts.push(draft);
                }
                Err(reason) => report.left.push(Left { said, file, reason }),
            }
        }
    }
    if !request.write || drafts.is_empty() {
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
    fs::write_atomic(&path, new.as_bytes())?;
    // What is written must be a profile, before anything is fetched for it.
    if let Err(problem) = context.profiles() {
        restore(&before)?;
        return Err(problem);
    }
    if request.lock {
        let done = super::lock::lock(context)
            .and_then(|_| compare(&context.lock()?, &drafts, &mut report));
        if let Err(problem) = done {
            restore(&before)?;
            match old_lock {
                Some(bytes) => fs::write_atomic(&lock_path, &bytes)?,
                None => fs::remove_file_if_exists(&lock_path)?,
            }
            return Err(problem);
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
    if let Some(platforms) = &draft.platforms {
        let list: Array = platforms.iter().map(|p| p.name()).collect();
        out.push(("platforms".to_owned(), Value::Array(list)));
    }
    out
}

/// Holds the lock to what the files say.
fn compare(lock: &Lock, drafts: &[Draft], report: &mut Report) -> Result<()> {
    let mut wrong = Vec::new();
    for draft in drafts {
        let Some(locked) = lock.deps.get(&draft.name) else { continue };
        for expected in &draft.expected {
            let mut met = false;
            for (platform, row) in &locked.platforms {
                let Some(artifact) = Row::pin(row).and_then(|pin| pin.artifact.as_ref()) else {
                    continue;
                };
                let same_place = expected.platform.is_none_or(|p| p == *platform)
                    && expected.file.as_deref().is_none_or(|f| f == file_name(&artifact.file));
                let comparable = expected.integrity.algorithm() == artifact.integrity.algorithm();
                if !same_place || !comparable || met {
                    continue;
                }
                met = true;
                if artifact.integrity == expected.integrity {
                    report.compared += 1;
                } else {
                    wrong.push(format!("`{}` ({platform}), {}", draft.name, artifact.file));
                    wrong.push(format!("  imported  {}", expected.integrity));
                    wrong.push(format!("  locked    {}", artifact.integrity));
                }
            }
            if !met {
                let of = match (expected.platform, &expected.file) {
                    (Some(platform), _) => platform.to_string(),
                    (None, file) => file.clone().unwrap_or_default(),
                };
                report.not_compared.push(format!("{} ({of})", draft.name));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::NotAsImported(wrong).into()) }
}

fn file_name(file: &str) -> &str {
    Path::new(file).file_name().and_then(|n| n.to_str()).unwrap_or(file)
}
