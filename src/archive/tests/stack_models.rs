//! Stacks beside a model: any few trees laid over each other, as plain archives and as layers of an
//! image, and layers of whatever names and links.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use tar::EntryType;

use super::make::*;
use super::*;
use crate::archive::{EntryKind, Part};

/// What a layer says, by path: a file's bytes, or a directory.
type Tree = BTreeMap<String, Option<String>>;

/// One layer: what it removes (`.wh.NAME`), what it empties (`.wh..wh..opq`), and what it brings.
#[derive(Clone, Debug)]
struct Layer {
    removed: BTreeSet<String>,
    emptied: BTreeSet<String>,
    tree: Tree,
    /// Whether entries stand in reverse order: it must not matter.
    backwards: bool,
}

fn parents(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Names from so small an alphabet that layers meet.
fn path() -> impl Strategy<Value = String> {
    proptest::collection::vec("[abc]", 1..4).prop_map(|parts| parts.join("/"))
}

/// A tree with every directory named, as tools write them; a path that another makes a directory is
/// none of its files.
fn tree() -> impl Strategy<Value = Tree> {
    let file = (path(), proptest::option::weighted(0.8, "[0-9]{0,4}"));
    proptest::collection::vec(file, 0..6).prop_map(|entries| {
        let mut tree: Tree = entries.into_iter().collect();
        let inner: Vec<String> = tree.keys().flat_map(|p| parents(p)).map(str::to_owned).collect();
        tree.extend(inner.into_iter().map(|path| (path, None)));
        tree
    })
}

fn layer() -> impl Strategy<Value = Layer> {
    let some = || proptest::collection::btree_set(path(), 0..3);
    (some(), some(), tree(), any::<bool>()).prop_map(|(removed, emptied, tree, backwards)| Layer {
        removed,
        emptied,
        tree,
        backwards,
    })
}

/// The model: what a person would say about each rule.
fn laid(layers: &[Layer], is_image: bool) -> Tree {
    let mut all = Tree::new();
    for layer in layers {
        if is_image {
            for path in &layer.removed {
                all.retain(|other, _| other != path && !other.starts_with(&format!("{path}/")));
            }
            for path in &layer.emptied {
                all.retain(|other, _| !other.starts_with(&format!("{path}/")));
            }
        }
        for (path, what) in &layer.tree {
            if what.is_some() {
                all.retain(|other, _| !other.starts_with(&format!("{path}/")));
            }
            all.insert(path.clone(), what.clone());
        }
    }
    // A directory is there when something in it is.
    let inner: Vec<String> = all.keys().flat_map(|p| parents(p)).map(str::to_owned).collect();
    for path in inner {
        all.entry(path).or_insert(None);
    }
    all
}

fn written(layer: &Layer, is_image: bool) -> Vec<(tar::Header, Vec<u8>)> {
    let mut out = Vec::new();
    let mut file = |name: &str, data: &str| {
        let header = tar_header(name, EntryType::Regular, data.len() as u64);
        out.push((header, data.as_bytes().to_vec()));
    };
    for (path, what) in &layer.tree {
        if let Some(data) = what {
            file(path, data);
        }
    }
    if is_image {
        for path in &layer.removed {
            let (parent, name) = path.rsplit_once('/').map_or(("", path.as_str()), |both| both);
            file(format!("{parent}/.wh.{name}").trim_start_matches('/'), "");
        }
        for path in &layer.emptied {
            file(&format!("{path}/.wh..wh..opq"), "");
        }
    }
    for (path, what) in &layer.tree {
        if what.is_none() {
            out.push((tar_header(path, EntryType::Directory, 0), Vec::new()));
        }
    }
    if layer.backwards {
        out.reverse();
    }
    out
}

fn opened(layers: &[Layer], is_image: bool) -> Result<Archive, Error> {
    let kinds = if is_image {
        [Format::Layer, Format::LayerGz, Format::LayerZst]
    } else {
        [Format::Tar, Format::TarGz, Format::TarZst]
    };
    let part = |(layer, kind): (&Layer, &Format)| {
        let entries = written(layer, is_image);
        Part { file: file(&packed(&tar(&entries), *kind)), options: options(*kind) }
    };
    let parts = layers.iter().zip(kinds.iter().cycle()).map(part);
    Archive::open_stack(parts.collect(), "x.archive")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn trees_over_each_other_are_what_the_model_says(
        layers in proptest::collection::vec(layer(), 2..5),
        is_image in any::<bool>(),
    ) {
        let want = laid(&layers, is_image);
        let mut archive = opened(&layers, is_image).expect("opens");
        let is_directory = |e: &crate::archive::Entry| e.kind == EntryKind::Directory;
        let found: Vec<_> =
            archive.entries().iter().map(|e| (e.path.clone(), is_directory(e))).collect();
        let names: Vec<_> = found.iter().map(|(path, is)| (path.as_str(), *is)).collect();
        let mut expected: Vec<_> = want.iter().map(|(p, w)| (p.as_str(), w.is_none())).collect();
        expected.sort_by(|a, b| crate::archive::names::tree_order(a.0, b.0));
        let mut sorted = names.clone();
        sorted.sort_by(|a, b| crate::archive::names::tree_order(a.0, b.0));
        prop_assert_eq!(sorted, expected);
        // Each file's bytes come from the layer that brought it last.
        for (path, _) in found.iter().filter(|(_, is_directory)| !is_directory) {
            let text = want[path.as_str()].as_deref().expect("a file");
            prop_assert_eq!(archive.read(path).expect("read"), text.as_bytes());
        }
        let place = Place::new();
        let hash = archive.hash().expect("hash");
        prop_assert_eq!(archive.unpack(&place.target()).expect("unpack"), hash);
        prop_assert_eq!(crate::nar::hash_path(&place.target()).expect("hash"), hash);
        place.assert_untouched();
    }

    /// What two layers make is one layer to a third.
    #[test]
    fn laying_is_associative(
        low in tree(), middle in tree(), high in tree(), is_image in any::<bool>(),
    ) {
        let plain = |tree: &Tree| Layer {
            removed: BTreeSet::new(), emptied: BTreeSet::new(), tree: tree.clone(), backwards: false,
        };
        let two = laid(&[plain(&low), plain(&middle)], is_image);
        let hash = |layers: &[Layer]| opened(layers, is_image).expect("opens").hash().expect("hash");
        let three = [plain(&low), plain(&middle), plain(&high)];
        prop_assert_eq!(hash(&three), hash(&[plain(&two), plain(&high)]));
    }

    /// Names and links of any kind: refused, or a tree that stays where it is put.
    #[test]
    fn a_stack_of_anything_stays_in_its_place(
        entries in proptest::collection::vec(
            (
                0..3usize,
                "(/|\\.\\./|\\./|[ab]/|\\.wh\\.|\\.wh\\.\\.wh\\.\\.opq|[abAB]){1,5}",
                0..4u8,
                "(/|\\.\\./|[ab]/?){1,4}",
            ),
            1..12,
        ),
        is_image in any::<bool>(),
    ) {
        let mut layers = vec![Vec::new(); 3];
        for (at, name, kind, target) in &entries {
            let entry = match kind {
                0 => (tar_header(name, EntryType::Regular, 1), b"x".to_vec()),
                1 => (tar_header(name, EntryType::Directory, 0), Vec::new()),
                2 => tar_link(name, EntryType::Symlink, target),
                _ => tar_link(name, EntryType::Link, target),
            };
            layers[*at].push(entry);
        }
        let kind = if is_image { Format::Layer } else { Format::Tar };
        let parts = layers.iter().map(|entries| Part {
            file: file(&packed(&tar(entries), kind)),
            options: options(kind),
        });
        let Ok(mut archive) = Archive::open_stack(parts.collect(), "x.archive") else {
            return Ok(());
        };
        let place = Place::new();
        let hash = archive.hash().expect("what opens is a tree");
        prop_assert_eq!(archive.unpack(&place.target()).expect("unpack"), hash);
        prop_assert_eq!(crate::nar::hash_path(&place.target()).expect("hash"), hash);
        place.assert_untouched();
    }
}
