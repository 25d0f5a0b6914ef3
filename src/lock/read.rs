//! Reading the lock file, and saying precisely what is wrong with one that cannot be used.
//!
//! Every command reads it, so the common case is one pass over the text; why a text was refused is
//! found out only afterwards, its version first. Invariant: a [`Lock`] that was read names objects
//! that follow from their tree hashes.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use super::error::{Error, Result};
use super::model::{Lock, LockedDep};
use super::object_suffix;
use super::v1::{FileV1, VERSION};
use crate::base::{DepName, ObjectName};
use crate::fs;

/// The largest file that is read, in bytes.
pub const MAX_SIZE: u64 = 64 * 1024 * 1024;

/// Reads the lock file.
///
/// # Errors
/// [`Error::Missing`] when there is none; otherwise what [`parse`] says.
pub fn read(path: &Path) -> Result<Lock> {
    read_if_exists(path)?.ok_or_else(|| Error::Missing { path: path.to_owned() })
}

/// Like [`read`], `None` when there is no such file.
pub fn read_if_exists(path: &Path) -> Result<Option<Lock>> {
    match read_text(path)? {
        Some(text) => parse(&text, path).map(Some),
        None => Ok(None),
    }
}

/// The file's text, within [`MAX_SIZE`].
pub(super) fn read_text(path: &Path) -> Result<Option<String>> {
    let Some(file) = fs::missing_is_none(fs::open(path))? else { return Ok(None) };
    let io = |source| fs::Error::Io { action: "read", path: path.to_owned(), source };
    let size = file.metadata().map_err(io)?.len();
    if size > MAX_SIZE {
        return Err(Error::TooLarge { path: path.to_owned(), size, max: MAX_SIZE });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0) + 1);
    file.take(MAX_SIZE).read_to_end(&mut bytes).map_err(io)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some(text)),
        Err(e) => {
            let valid = e.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(e.as_bytes()).into_owned();
            let (line, column) = position_of(&text, valid);
            Err(Error::Malformed {
                path: path.to_owned(),
                why: "it is not UTF-8 text".to_owned(),
                line,
                column,
                text: text.into(),
            })
        }
    }
}

/// Parses a lock file's text; `path` names it in errors.
pub fn parse(text: &str, path: &Path) -> Result<Lock> {
    match serde_json::from_str::<FileV1>(text) {
        Ok(file) if file.version == VERSION => {
            let lock = file.into_lock().map_err(|bad| Error::Row {
                path: path.to_owned(),
                shown: bad.shown,
                why: bad.why,
            })?;
            check_objects(&lock, path)?;
            Ok(lock)
        }
        Ok(file) => Err(wrong_version(&serde_json::Value::from(file.version), path)),
        Err(e) => Err(explain(text, path, &e)),
    }
}

/// Whether a text is byte for byte what [`super::to_bytes`] makes of the lock read from it. A file
/// that was merged or edited by hand may be valid and still differ.
pub fn is_canonical(text: &str, lock: &Lock) -> bool {
    super::to_bytes(lock).is_ok_and(|bytes| bytes == text.as_bytes())
}

fn check_objects(lock: &Lock, path: &Path) -> Result<()> {
    lock.deps.iter().try_for_each(|(dep, locked)| check_entry(dep, locked, path))
}

/// Refuses an entry whose objects do not follow from its trees.
pub(super) fn check_entry(dep: &DepName, locked: &LockedDep, path: &Path) -> Result<()> {
    let suffix = object_suffix(dep, &locked.version);
    for (platform, row) in &locked.platforms {
        let Some(pin) = row.pin() else { continue };
        let expected = ObjectName::for_tree(&pin.tree, &BTreeSet::new(), &suffix);
        if expected.as_ref() != Ok(&pin.object) {
            return Err(Error::Object {
                path: path.to_owned(),
                shown: format!("`{dep}` {} ({platform})", locked.version),
                found: pin.object.to_string(),
                expected: expected.map_or_else(|e| e.to_string(), |name| name.to_string()),
            });
        }
    }
    Ok(())
}

/// Why a text is no lock file of the known version: conflict markers, then syntax, then the
/// version, then the form.
pub(super) fn explain(text: &str, path: &Path, error: &serde_json::Error) -> Error {
    if let Some(conflict) = conflict(text, path) {
        return conflict;
    }
    #[derive(Deserialize)]
    struct Probe {
        version: Option<serde_json::Value>,
    }
    match serde_json::from_str::<Probe>(text) {
        Ok(Probe { version: None }) => return Error::NoVersion { path: path.to_owned() },
        Ok(Probe { version: Some(found) }) if found != VERSION => {
            return wrong_version(&found, path);
        }
        _ => {}
    }
    let full = error.to_string();
    let why = full.rsplit_once(" at line ").map_or(full.as_str(), |(why, _)| why);
    Error::Malformed {
        path: path.to_owned(),
        why: why.to_owned(),
        line: error.line(),
        column: error.column(),
        text: text.into(),
    }
}

pub(super) fn wrong_version(found: &serde_json::Value, path: &Path) -> Error {
    Error::Version {
        path: path.to_owned(),
        found: found.to_string(),
        newer: found.as_f64().is_some_and(|found| found > f64::from(VERSION)),
    }
}

/// The first conflict marker at the start of a line, as git and others write it.
fn conflict(text: &str, path: &Path) -> Option<Error> {
    let mut start = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if line.starts_with("<<<<<<<") {
            return Some(Error::Conflict {
                path: path.to_owned(),
                line: index + 1,
                text: text.into(),
                span: start..start + line.trim_end().len(),
            });
        }
        start += line.len();
    }
    None
}

/// The byte range of one character at a line and column (both from 1, in bytes, as the JSON parser
/// counts), held inside the text.
pub(super) fn span_of(text: &str, line: usize, column: usize) -> Range<usize> {
    let line_start: usize =
        text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut start = (line_start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let end = text[start..].chars().next().map_or(start, |c| start + c.len_utf8());
    start..end
}

/// Line and column of a byte, both from 1.
fn position_of(text: &str, byte: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..byte.min(text.len())];
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let column = before.iter().rev().take_while(|b| **b != b'\n').count() + 1;
    (line, column)
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
