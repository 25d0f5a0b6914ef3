//! From the entries of an archive, in its own order and spelling, to a guarded tree.
//!
//! Owns every rule that concerns the tree as a whole: bounds, duplicates, collisions, parents,
//! links. Invariant: the result is in the order of a tree walk, each entry's parent is a directory
//! before it, and no path, on any filesystem, leads out of the tree.

use std::collections::HashMap;

use super::error::shown as escaped;
use super::limits::{Limits, MAX_NAMES};
use super::names::{clean, fold, tree_order};
use super::{Entry, EntryKind, Error, Refusal, links};
use crate::base::RelPath;

/// An entry as the archive has it.
pub(super) struct Raw {
    pub(super) name: Vec<u8>,
    pub(super) kind: RawKind,
}

/// What it says it is.
pub(super) enum RawKind {
    Directory,
    File { executable: bool, size: u64, place: u64 },
    Symlink(Vec<u8>),
    HardLink(Vec<u8>),
}

impl Raw {
    /// A file.
    pub(super) fn file(name: &[u8], executable: bool, size: u64, place: u64) -> Self {
        Self { name: name.to_vec(), kind: RawKind::File { executable, size, place } }
    }
}

/// Counts the bytes of names.
pub(super) struct Names<'a> {
    archive: &'a str,
    left: usize,
}

impl<'a> Names<'a> {
    /// Of an archive, as shown.
    pub(super) fn new(archive: &'a str) -> Self {
        Self { archive, left: MAX_NAMES }
    }

    /// So many more.
    pub(super) fn add(&mut self, bytes: usize) -> Result<(), Error> {
        let left = self.left.checked_sub(bytes);
        self.left = left
            .ok_or_else(|| Error::Names { archive: self.archive.to_owned(), limit: MAX_NAMES })?;
        Ok(())
    }
}

struct Found {
    path: String,
    kind: EntryKind,
    place: u64,
}

/// Checks the entries and sorts them; gives them with the places of their bytes.
pub(super) fn build(
    raws: Vec<Raw>,
    archive: &str,
    strip: u8,
    packed: u64,
    limits: &Limits,
) -> Result<(Vec<Entry>, Vec<u64>), Error> {
    let mut found = spell(raws, archive, strip)?;
    check_size(&found, archive, packed, limits)?;
    found.sort_by(|a, b| tree_order(&a.path, &b.path));
    let refuse = |entry: &str, why| refused(archive, entry.as_bytes(), why);

    let mut entries: Vec<Entry> = Vec::with_capacity(found.len());
    let mut places = Vec::with_capacity(found.len());
    let mut names = Names::new(archive);
    for one in found {
        if let Some(last) = entries.last() {
            check_neighbour(last, &one.path).map_err(|why| refuse(&one.path, why))?;
        }
        names.add(one.path.len())?;
        for parent in missing_parents(entries.last(), &one.path) {
            names.add(parent.len())?;
            let path = rel_path(parent).map_err(|why| refuse(&one.path, why))?;
            entries.push(Entry { path, kind: EntryKind::Directory });
            places.push(0);
        }
        let path = rel_path(&one.path).map_err(|why| refuse(&one.path, why))?;
        entries.push(Entry { path, kind: one.kind });
        places.push(one.place);
        if entries.len() > limits.entries {
            return Err(too_many(archive, limits));
        }
    }

    let mut folded = HashMap::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        if let Some(other) = folded.insert(fold(entry.path.as_str()), at) {
            let other = escaped(entries[other].path.as_str().as_bytes());
            return Err(refuse(entry.path.as_str(), Refusal::Collides(other)));
        }
    }
    links::check(&entries, &folded).map_err(|(at, why)| refuse(entries[at].path.as_str(), why))?;
    Ok((entries, places))
}

/// The error of an archive with too many entries.
pub(super) fn too_many(archive: &str, limits: &Limits) -> Error {
    Error::TooManyEntries { archive: archive.to_owned(), limit: limits.entries }
}

/// The error of a refused entry.
pub(super) fn refused(archive: &str, entry: &[u8], why: Refusal) -> Error {
    Error::Refused { archive: archive.to_owned(), entry: escaped(entry), why }
}

/// Cleans and strips names, and resolves hard links to the files before them.
fn spell(raws: Vec<Raw>, archive: &str, strip: u8) -> Result<Vec<Found>, Error> {
    let has_hard_links = raws.iter().any(|raw| matches!(raw.kind, RawKind::HardLink(_)));
    let mut files: HashMap<String, (EntryKind, u64)> = HashMap::new();
    let mut found = Vec::with_capacity(raws.len());
    for raw in raws {
        let refuse = |why| refused(archive, &raw.name, why);
        let path = clean(&raw.name).map_err(refuse)?;
        let (kind, place) = match raw.kind {
            RawKind::Directory => (EntryKind::Directory, 0),
            RawKind::File { executable, size, place } => {
                (EntryKind::File { executable, size }, place)
            }
            RawKind::Symlink(target) => {
                (EntryKind::Symlink { target: links::check_target(&target).map_err(refuse)? }, 0)
            }
            RawKind::HardLink(target) => clean(&target)
                .ok()
                .and_then(|target| files.get(target).cloned())
                .ok_or_else(|| refuse(Refusal::HardLink(escaped(&target))))?,
        };
        if path.is_empty() {
            // The root itself: tar likes to name it.
            if kind == EntryKind::Directory {
                continue;
            }
            return Err(refuse(Refusal::Nameless));
        }
        if has_hard_links && matches!(kind, EntryKind::File { .. }) {
            files.insert(path.to_owned(), (kind.clone(), place));
        }
        let mut rest = path;
        for _ in 0..strip {
            rest = rest.split_once('/').map_or("", |(_, rest)| rest);
        }
        if !rest.is_empty() {
            found.push(Found { path: rest.to_owned(), kind, place });
        } else if kind != EntryKind::Directory {
            return Err(Error::Stripped {
                archive: archive.to_owned(),
                entry: path.to_owned(),
                strip,
            });
        }
    }
    Ok(found)
}

fn check_size(found: &[Found], archive: &str, packed: u64, limits: &Limits) -> Result<(), Error> {
    let mut expanded = 0u64;
    for one in found {
        if let EntryKind::File { size, .. } = one.kind {
            expanded = expanded.saturating_add(size);
        }
    }
    let archive = || archive.to_owned();
    if expanded > limits.expanded {
        return Err(Error::TooLarge { archive: archive(), limit: limits.expanded });
    }
    if limits.ratio_exceeded(expanded, packed) {
        return Err(Error::Ratio { archive: archive(), limit: limits.ratio });
    }
    Ok(())
}

/// In the order of a walk, a duplicate and a file with something below it come just before.
fn check_neighbour(last: &Entry, path: &str) -> Result<(), Refusal> {
    let before = last.path.as_str();
    if before == path {
        return Err(Refusal::Duplicate);
    }
    if path.strip_prefix(before).is_some_and(|rest| rest.starts_with('/')) {
        match last.kind {
            EntryKind::Directory => {}
            EntryKind::File { .. } => return Err(Refusal::BelowFile(before.to_owned())),
            EntryKind::Symlink { .. } => return Err(Refusal::BelowLink(before.to_owned())),
        }
    }
    Ok(())
}

/// The parents of `path` that no entry names. In the order of a walk they exist exactly as far as
/// `path` agrees with the entry before it.
fn missing_parents<'p>(last: Option<&Entry>, path: &'p str) -> Vec<&'p str> {
    let last = last.map_or("", |e| e.path.as_str());
    path.match_indices('/')
        .map(|(end, _)| &path[..end])
        .filter(|parent| {
            !last.strip_prefix(*parent).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
        .collect()
}

fn rel_path(path: &str) -> Result<RelPath, Refusal> {
    RelPath::new(path).map_err(|_| Refusal::OddComponent)
}
