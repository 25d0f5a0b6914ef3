//! Programs and libraries of a tree that are to find each other wherever the tree lies.
//!
//! Packages of a system expect their libraries in the system's directories. Each dynamic program
//! and library gets a `DT_RUNPATH` relative to its own place (`$ORIGIN`): its own path as far as it
//! lies in the tree, the usual directories of libraries that are in the tree, and wherever else the
//! tree has a library that it needs. What the tree does not have (libc, the loader) stays the
//! host's. Invariant: what is written follows from the tree alone, so that locking and syncing get
//! the same; see [`crate::binary::runpath`].

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;

use super::body::Body;
use super::index::Place;
use super::inflate::temporary;
use super::{Archive, EntryKind, Error};
use crate::base::{Arch, RelPath};
use crate::binary::runpath::{self, Dynamic};

/// As many links as Linux follows for one path.
const MAX_HOPS: usize = 40;
/// Larger files are no programs that somebody links.
const MAX_SIZE: u64 = 1 << 30;

/// Which libraries the files of a tree take from the tree: by file, each name with where it is
/// found.
pub type Linked = BTreeMap<RelPath, BTreeMap<String, RelPath>>;

impl Archive {
    /// Writes into every dynamic program and library of the tree where it finds its libraries in
    /// it. Hashing, reading and unpacking are about the written files from then on.
    pub fn link(&mut self) -> Result<Linked, Error> {
        let mut files: BTreeMap<usize, Dynamic> = BTreeMap::new();
        for at in 0..self.entries.len() {
            let EntryKind::File { size, .. } = self.entries[at].kind else { continue };
            if !(64..MAX_SIZE).contains(&size) || self.take(at, size, 4)? != b"\x7fELF" {
                continue;
            }
            if let Some(dynamic) = runpath::read(&self.take(at, size, size)?) {
                files.insert(at, dynamic);
            }
        }
        let known = Known::of(self, &files);
        let mut out: File = tempfile::tempfile().map_err(|e| temporary("create", e))?;
        let (mut end, body) = (0u64, self.bodies.len());
        let mut linked = Linked::new();
        let mut changes = Vec::new();
        for (at, dynamic) in &files {
            let path = &self.entries[*at].path;
            let (paths, found) = known.paths(path.as_str(), dynamic);
            if !found.is_empty() {
                linked.insert(path.clone(), found);
            }
            if paths == dynamic.paths || dynamic.needed.is_empty() {
                continue;
            }
            let EntryKind::File { size, .. } = self.entries[*at].kind else { continue };
            changes.push((*at, size, paths.join(":")));
        }
        for (at, size, paths) in changes {
            let bytes = self.take(at, size, size)?;
            let written = runpath::write(&bytes, &paths).map_err(|why| Error::Unlinkable {
                archive: self.shown.clone(),
                entry: self.entries[at].path.to_string(),
                why,
            })?;
            out.write_all(&written).map_err(|e| temporary("write", e))?;
            self.places[at] = Place { body, at: end };
            end += written.len() as u64;
            if let EntryKind::File { size, .. } = &mut self.entries[at].kind {
                *size = written.len() as u64;
            }
        }
        self.bodies.push(Body::Flat(out));
        Ok(linked)
    }
}

/// Where libraries are, by machine and directory.
struct Known {
    /// Names in a directory, with the file that each is in the end.
    libraries: BTreeMap<(Arch, String), BTreeMap<String, RelPath>>,
}

impl Known {
    fn of(archive: &Archive, files: &BTreeMap<usize, Dynamic>) -> Self {
        let by_path: BTreeMap<&str, usize> =
            archive.entries.iter().enumerate().map(|(at, e)| (e.path.as_str(), at)).collect();
        let mut libraries: BTreeMap<(Arch, String), BTreeMap<String, RelPath>> = BTreeMap::new();
        for entry in &archive.entries {
            let (directory, name) = split(entry.path.as_str());
            if !name.contains(".so") {
                continue;
            }
            let Some(at) = resolve(archive, &by_path, entry.path.as_str()) else { continue };
            let Some(dynamic) = files.get(&at) else { continue };
            libraries
                .entry((dynamic.arch, directory.to_owned()))
                .or_default()
                .insert(name.to_owned(), archive.entries[at].path.clone());
        }
        Self { libraries }
    }

    /// The path of a file, and what it finds on it.
    fn paths(&self, file: &str, dynamic: &Dynamic) -> (Vec<String>, BTreeMap<String, RelPath>) {
        let (here, _) = split(file);
        let mut directories: Vec<String> = Vec::new();
        let mut add = |directory: String| {
            let there = self.libraries.contains_key(&(dynamic.arch, directory.clone()));
            if there && !directories.contains(&directory) {
                directories.push(directory);
            }
        };
        for path in &dynamic.paths {
            let inside = match path.strip_prefix("$ORIGIN").or(path.strip_prefix("${ORIGIN}")) {
                Some(rest) => normal(&format!("{here}{rest}")),
                None if path.starts_with('/') => normal(path),
                None => None,
            };
            if let Some(directory) = inside {
                add(directory);
            }
        }
        let triplet = match dynamic.arch {
            Arch::X86_64 => "x86_64-linux-gnu",
            Arch::Aarch64 => "aarch64-linux-gnu",
        };
        for directory in ["lib/", "usr/lib/"] {
            add(format!("{directory}{triplet}"));
        }
        for directory in ["lib", "usr/lib", "lib64", "usr/lib64"] {
            add(directory.to_owned());
        }
        let mut found = BTreeMap::new();
        for name in &dynamic.needed {
            let of = |directory: &String| {
                self.libraries.get(&(dynamic.arch, directory.clone()))?.get(name)
            };
            let hit = directories.iter().find_map(of).cloned();
            let hit = hit.or_else(|| {
                let elsewhere = self
                    .libraries
                    .iter()
                    .find(|((arch, _), names)| *arch == dynamic.arch && names.contains_key(name));
                let ((_, directory), names) = elsewhere?;
                directories.push(directory.clone());
                names.get(name).cloned()
            });
            if let Some(file) = hit {
                found.insert(name.clone(), file);
            }
        }
        (directories.iter().map(|directory| origin(here, directory)).collect(), found)
    }
}

/// Directory and name.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// A path below the root without `.` and `..`; `None` when it leaves it.
fn normal(path: &str) -> Option<String> {
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A directory of the tree as seen from another one.
fn origin(from: &str, to: &str) -> String {
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|p| !p.is_empty()).map(str::to_owned).collect()
    };
    let (from, to) = (parts(from), parts(to));
    let shared = from.iter().zip(&to).take_while(|(a, b)| a == b).count();
    let mut out = "$ORIGIN".to_owned();
    out.push_str(&"/..".repeat(from.len() - shared));
    for part in &to[shared..] {
        out.push('/');
        out.push_str(part);
    }
    out
}

/// The file that a path is, after links.
fn resolve(archive: &Archive, by_path: &BTreeMap<&str, usize>, path: &str) -> Option<usize> {
    let mut path = path.to_owned();
    let mut seen = BTreeSet::new();
    while seen.len() <= MAX_HOPS && seen.insert(path.clone()) {
        let at = *by_path.get(path.as_str())?;
        match &archive.entries[at].kind {
            EntryKind::File { .. } => return Some(at),
            EntryKind::Directory => return None,
            EntryKind::Symlink { target } => {
                path = normal(&format!("{}/{target}", split(&path).0))?;
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{normal, origin};

    #[test]
    fn directories_as_seen_from_files() {
        for (from, to, want) in [
            ("usr/bin", "usr/lib/x", "$ORIGIN/../lib/x"),
            ("usr/lib/x", "usr/lib/x", "$ORIGIN"),
            ("usr/lib/x/plugins", "usr/lib/x", "$ORIGIN/.."),
            ("bin", "usr/lib", "$ORIGIN/../usr/lib"),
            ("", "lib", "$ORIGIN/lib"),
        ] {
            assert_eq!(origin(from, to), want, "{from} {to}");
        }
        assert_eq!(normal("/usr//lib/../lib/./x").as_deref(), Some("usr/lib/x"));
        assert_eq!(normal("a/../../b"), None);
    }
}
