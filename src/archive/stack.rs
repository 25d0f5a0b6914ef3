//! Several archives laid over each other, as one list of entries.
//!
//! A later entry replaces an earlier one, with everything below it unless both are directories. In
//! a layer of an image, `.wh.NAME` removes what lower layers have under that name and
//! `.wh..wh..opq` everything they have in its directory (OCI image-spec, "layer.md"); an absolute
//! link means the image's root, and a name leads through the links that are there, since that is
//! what every container runtime does. In other archives a name below a link is refused. Invariant:
//! the result names no path twice.

use std::collections::BTreeMap;

use super::error::shown;
use super::index::{Found, Place, Raw, RawKind, check_neighbour, refused, spell};
use super::names::{clean, tree_order};
use super::{EntryKind, Error, Refusal, links};

/// How the name of an entry begins that removes another one.
const WHITEOUT: &str = ".wh.";
/// What empties a directory.
const OPAQUE: &str = ".wh..wh..opq";
/// As many links as Linux follows for one path.
const MAX_HOPS: usize = 40;

/// One archive of the stack.
pub(super) struct Layer {
    /// Its entries, in its own order.
    pub(super) raws: Vec<Raw>,
    /// Leading components to drop.
    pub(super) strip: u8,
    /// Whether it is a layer of an image.
    pub(super) is_image: bool,
}

/// The entries of all archives.
pub(super) fn merge(mut layers: Vec<Layer>, archive: &str) -> Result<Vec<Found>, Error> {
    if let [Layer { is_image: false, .. }] = layers[..] {
        let Layer { raws, strip, .. } = layers.remove(0);
        return spell(raws, archive, strip, 0);
    }
    let mut tree = Tree::default();
    for (body, Layer { raws, strip, is_image }) in layers.into_iter().enumerate() {
        if is_image {
            tree.lay_image(raws, archive, strip, body)?;
            continue;
        }
        let found = spell(raws, archive, strip, body)?;
        check_one(&found, archive)?;
        for Found { path, kind, place } in found {
            tree.put(path, kind, place);
        }
    }
    let found = tree.entries.into_iter();
    Ok(found.map(|(path, (kind, place))| Found { path, kind, place }).collect())
}

/// What is refused of one archive is refused of one in a stack.
fn check_one(found: &[Found], archive: &str) -> Result<(), Error> {
    let mut sorted: Vec<&Found> = found.iter().collect();
    sorted.sort_by(|a, b| tree_order(&a.path, &b.path));
    for pair in sorted.windows(2) {
        check_neighbour(&pair[0].path, &pair[0].kind, &pair[1].path)
            .map_err(|why| refused(archive, pair[1].path.as_bytes(), why))?;
    }
    Ok(())
}

#[derive(Default)]
struct Tree {
    entries: BTreeMap<String, (EntryKind, Place)>,
}

impl Tree {
    fn put(&mut self, path: String, kind: EntryKind, place: Place) {
        if kind != EntryKind::Directory {
            self.empty(&path);
        }
        self.entries.insert(path, (kind, place));
    }

    /// Removes what is below a directory; the root is the empty path.
    fn empty(&mut self, path: &str) {
        if path.is_empty() {
            self.entries.clear();
            return;
        }
        let below = format!("{path}/");
        let names: Vec<String> = self
            .entries
            .range(below.clone()..)
            .map(|(name, _)| name)
            .take_while(|name| name.starts_with(&below))
            .cloned()
            .collect();
        for name in names {
            self.entries.remove(&name);
        }
    }

    fn lay_image(
        &mut self,
        raws: Vec<Raw>,
        archive: &str,
        strip: u8,
        body: usize,
    ) -> Result<(), Error> {
        let mut rest = Vec::with_capacity(raws.len());
        // Whiteouts are about lower layers only, wherever in this one they stand.
        for raw in raws {
            let refuse = |why| refused(archive, &raw.name, why);
            let Some(path) = stripped(clean(&raw.name).map_err(refuse)?, strip) else {
                match raw.kind {
                    RawKind::Directory => continue,
                    _ => return Err(refuse(Refusal::Nameless)),
                }
            };
            let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
            let Some(removed) = name.strip_prefix(WHITEOUT) else {
                rest.push((path.to_owned(), raw));
                continue;
            };
            let parent = self.real(parent).map_err(refuse)?;
            if name == OPAQUE {
                self.empty(&parent);
            } else if matches!(removed, "" | "." | "..") {
                return Err(refuse(Refusal::OddComponent));
            } else if !name.starts_with(".wh..wh.") {
                // Names of aufs itself begin with the prefix twice, and mean nothing here.
                let path = join(&parent, removed);
                self.empty(&path);
                self.entries.remove(&path);
            }
        }
        for (path, raw) in rest {
            self.lay_entry(&path, &raw, strip, body)
                .map_err(|why| refused(archive, &raw.name, why))?;
        }
        Ok(())
    }

    fn lay_entry(&mut self, path: &str, raw: &Raw, strip: u8, body: usize) -> Result<(), Refusal> {
        let path = self.place(path)?;
        let (kind, place) = match &raw.kind {
            RawKind::Directory => (EntryKind::Directory, Place::default()),
            RawKind::File { executable, size, place } => {
                let kind = EntryKind::File { executable: *executable, size: *size };
                (kind, Place { body, at: *place })
            }
            RawKind::Symlink(target) => {
                let inside = match target.first() {
                    Some(b'/') => links::inside(path.as_bytes(), target),
                    _ => target.clone(),
                };
                let target = links::clamp(&path, &links::check_target(&inside)?);
                (EntryKind::Symlink { target }, Place::default())
            }
            RawKind::HardLink(target) => {
                let missing = || Refusal::HardLink(shown(target));
                let target = clean(target).ok().and_then(|t| stripped(t, strip));
                let target = self.place(target.ok_or_else(missing)?)?;
                let found = self.entries.get(&target).cloned();
                found.filter(|(kind, _)| *kind != EntryKind::Directory).ok_or_else(missing)?
            }
        };
        self.put(path, kind, place);
        Ok(())
    }

    /// Where an entry of a layer lies, after the links among its parents.
    fn place(&self, path: &str) -> Result<String, Refusal> {
        match path.rsplit_once('/') {
            Some((parent, name)) => Ok(join(&self.real(parent)?, name)),
            None => Ok(path.to_owned()),
        }
    }

    /// A directory's path after every link in it.
    fn real(&self, path: &str) -> Result<String, Refusal> {
        let mut here = String::new();
        let mut ahead: Vec<String> = path.rsplit('/').map(str::to_owned).collect();
        let mut hops = 0;
        while let Some(part) = ahead.pop() {
            match part.as_str() {
                "" | "." => {}
                // The root is its own parent.
                ".." => here.truncate(here.rfind('/').unwrap_or(0)),
                name => {
                    let next = join(&here, name);
                    match self.entries.get(&next) {
                        Some((EntryKind::Symlink { target }, _)) => {
                            hops += 1;
                            if hops > MAX_HOPS {
                                return Err(Refusal::LinkLoops(target.clone()));
                            }
                            ahead.extend(target.rsplit('/').map(str::to_owned));
                        }
                        _ => here = next,
                    }
                }
            }
        }
        Ok(here)
    }
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
}

/// The path without its first components; `None` when nothing is left.
fn stripped(path: &str, strip: u8) -> Option<&str> {
    let mut rest = path;
    for _ in 0..strip {
        rest = rest.split_once('/')?.1;
    }
    (!rest.is_empty()).then_some(rest)
}
