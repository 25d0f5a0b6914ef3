//! From the entries of an archive, in its own order and spelling, to a guarded tree.
//!
//! Owns every rule that concerns the tree as a whole: bounds, duplicates, collisions, parents,
//! links. Invariant: the result is in the order of a tree walk, each entry's parent is a directory
//! before it, and no path, on any filesystem, leads out of the tree.

use std::collections::HashMap;

use super::error::shown as escaped;
use super::limits::{Limits, MAX_NAMES};
use super::names::{clean, fold, tree_order};
use super::stack::Layer;
use super::{Entry, EntryKind, Error, Refusal, links, stack};
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

/// Where the bytes of a file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Which archive of a stack.
    pub(super) body: usize,
    /// Where in it, as its [`Body`](super::body::Body) counts.
    pub(super) at: u64,
}

/// An entry whose path is clean.
pub(super) struct Found {
    pub(super) path: String,
    pub(super) kind: EntryKind,
    pub(super) place: Place,
}

/// Checks the entries of a stack of archives and sorts them; gives them with the places of their
/// bytes.
pub(super) fn build(
    layers: Vec<Layer>,
    archive: &str,
    packed: u64,
    limits: &Limits,
) -> Result<(Vec<Entry>, Vec<Place>), Error> {
    // A case that does not count would join names of an image, which is for Linux alone.
    let spell: fn(&str) -> String =
        if layers.iter().any(|l| l.is_image) { str::to_owned } else { fold };
    check_size(&layers, archive, packed, limits)?;
    let mut found = stack::merge(layers, archive)?;
    found.sort_by(|a, b| tree_order(&a.path, &b.path));
    let refuse = |entry: &str, why| refused(archive, entry.as_bytes(), why);

    let mut entries: Vec<Entry> = Vec::with_capacity(found.len());
    let mut places = Vec::with_capacity(found.len());
    let mut names = Names::new(archive);
    for one in found {
        if let Some(last) = entries.last() {
            check_neighbour(last.path.as_str(), &last.kind, &one.path)
                .map_err(|why| refuse(&one.path, why))?;
        }
        names.add(one.path.len())?;
        for parent in missing_parents(entries.last(), &one.path) {
            names.add(parent.len())?;
            let path = rel_path(parent).map_err(|why| refuse(&one.path, why))?;
            entries.push(Entry { path, kind: EntryKind::Directory });
            places.push(Place::default());
        }
        let path = rel_path(&one.path).map_err(|why| refuse(&one.path, why))?;
        entries.push(Entry { path, kind: one.kind });
        places.push(one.place);
        if entries.len() > limits.entries {
            return Err(too_many(archive, limits));
        }
    }

    let mut known = HashMap::with_capacity(entries.len());
    for (at, entry) in entries.iter().enumerate() {
        if let Some(other) = known.insert(spell(entry.path.as_str()), at) {
            let other = escaped(entries[other].path.as_str().as_bytes());
            return Err(refuse(entry.path.as_str(), Refusal::Collides(other)));
        }
    }
    links::check(&entries, &known, spell)
        .map_err(|(at, why)| refuse(entries[at].path.as_str(), why))?;
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
pub(super) fn spell(
    raws: Vec<Raw>,
    archive: &str,
    strip: u8,
    body: usize,
) -> Result<Vec<Found>, Error> {
    let has_hard_links = raws.iter().any(|raw| matches!(raw.kind, RawKind::HardLink(_)));
    let mut files: HashMap<String, (EntryKind, Place)> = HashMap::new();
    let mut found = Vec::with_capacity(raws.len());
    for raw in raws {
        let refuse = |why| refused(archive, &raw.name, why);
        let path = clean(&raw.name).map_err(refuse)?;
        let (kind, place) = match raw.kind {
            RawKind::Directory => (EntryKind::Directory, Place::default()),
            RawKind::File { executable, size, place } => {
                (EntryKind::File { executable, size }, Place { body, at: place })
            }
            RawKind::Symlink(target) => {
                let target = links::check_target(&target).map_err(refuse)?;
                (EntryKind::Symlink { target }, Place::default())
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

/// The sum over all archives, also of what a later one replaces: that was inflated, too. A hard
/// link is another file in the tree.
fn check_size(layers: &[Layer], archive: &str, packed: u64, limits: &Limits) -> Result<(), Error> {
    let mut expanded = 0u64;
    for layer in layers {
        let mut sizes: HashMap<&[u8], u64> = HashMap::new();
        let linked = layer.raws.iter().any(|raw| matches!(raw.kind, RawKind::HardLink(_)));
        for raw in &layer.raws {
            let size = match &raw.kind {
                RawKind::File { size, .. } => *size,
                RawKind::HardLink(target) => sizes.get(plain(target)).copied().unwrap_or_default(),
                RawKind::Directory | RawKind::Symlink(_) => continue,
            };
            if linked {
                sizes.insert(plain(&raw.name), size);
            }
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

/// A name without leading `./`, as hard links may or may not write it.
fn plain(mut name: &[u8]) -> &[u8] {
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    name
}

/// In the order of a walk, a duplicate and a file with something below it come just before.
pub(super) fn check_neighbour(before: &str, kind: &EntryKind, path: &str) -> Result<(), Refusal> {
    if before == path {
        return Err(Refusal::Duplicate);
    }
    if path.strip_prefix(before).is_some_and(|rest| rest.starts_with('/')) {
        match kind {
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
