//! Whatever the order and format of an archive, one tree has one hash.

use std::io::Write as _;

use proptest::prelude::*;
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

use super::make::packed;
use super::*;
use crate::archive::names::fold;
use crate::nar::hash_path;
use crate::nar::tests::tree::{Tree, directory};

/// Every entry with its path, parents first, directories only when asked for or empty.
fn flatten(tree: &Tree, path: &str, directories: bool, out: &mut Vec<(String, Tree)>) {
    let Tree::Dir(entries) = tree else {
        out.push((path.to_owned(), tree.clone()));
        return;
    };
    if !path.is_empty() && (directories || entries.is_empty()) {
        out.push((path.to_owned(), Tree::dir([])));
    }
    for (name, tree) in entries {
        let path = if path.is_empty() { name.clone() } else { format!("{path}/{name}") };
        flatten(tree, &path, directories, out);
    }
}

/// Without names that collide or that Windows cannot hold, and links that loop, which are other
/// tests' business.
fn tame(tree: Tree) -> Tree {
    let Tree::Dir(entries) = tree else { return tree };
    let links: Vec<_> =
        entries.iter().filter(|(_, t)| matches!(t, Tree::Link(_))).map(|(n, _)| fold(n)).collect();
    let mut seen = std::collections::BTreeSet::new();
    let kept = entries.into_iter().filter(|(name, tree)| {
        let loops = matches!(tree, Tree::Link(target) if links.contains(&fold(target)));
        !loops && crate::archive::portable::fits(name) && seen.insert(fold(name))
    });
    Tree::Dir(kept.map(|(name, tree)| (name, tame(tree))).collect())
}

fn make_zip(entries: &[(String, Tree)]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (i, (path, tree)) in entries.iter().enumerate() {
        let method =
            if i % 2 == 0 { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let options = SimpleFileOptions::default().compression_method(method);
        match tree {
            Tree::Dir(_) => out.add_directory(path.as_str(), options).expect("directory"),
            Tree::Link(target) => out.add_symlink(path, target, options).expect("link"),
            Tree::File(executable, bytes) => {
                let mode = if *executable { 0o755 } else { 0o644 };
                out.start_file(path, options.unix_permissions(mode)).expect("file");
                out.write_all(bytes).expect("contents");
            }
        }
    }
    out.finish().expect("zip").into_inner()
}

fn make_tar(entries: &[(String, Tree)]) -> Vec<u8> {
    let mut out = tar::Builder::new(Vec::new());
    for (path, tree) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        match tree {
            Tree::Dir(_) => {
                header.set_entry_type(tar::EntryType::Directory);
                out.append_data(&mut header, format!("{path}/"), &[][..]).expect("directory");
            }
            Tree::Link(target) => {
                header.set_entry_type(tar::EntryType::Symlink);
                out.append_link(&mut header, path, target).expect("link");
            }
            Tree::File(executable, bytes) => {
                header.set_mode(if *executable { 0o755 } else { 0o644 });
                header.set_size(bytes.len() as u64);
                out.append_data(&mut header, path, bytes.as_slice()).expect("file");
            }
        }
    }
    out.into_inner().expect("tar")
}

/// Everything that is a tar inside.
const TARS: [Format; 9] = [
    Format::Tar,
    Format::TarGz,
    Format::TarXz,
    Format::TarZst,
    Format::TarBz2,
    Format::Deb,
    Format::Layer,
    Format::LayerGz,
    Format::LayerZst,
];

fn check(bytes: &[u8], format: Format, expected: (crate::base::TreeHash, u64)) {
    let place = Place::new();
    let mut archive = open(bytes, format).expect("opens");
    assert_eq!(archive.hash().expect("hash"), expected);
    assert_eq!(archive.unpack(&place.target()).expect("unpacks"), expected);
    assert_eq!(hash_path(&place.target()).expect("hash"), expected);
    place.assert_untouched();
}

fn trees() -> impl Strategy<Value = (Tree, Vec<(String, Tree)>)> {
    (directory().prop_map(tame), any::<bool>())
        .prop_map(|(tree, directories)| {
            let mut entries = Vec::new();
            flatten(&tree, "", directories, &mut entries);
            (tree, entries)
        })
        .prop_flat_map(|(tree, entries)| (Just(tree), Just(entries).prop_shuffle()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn zip_tar_and_disk_agree((tree, entries) in trees()) {
        let expected = tree.hash();
        check(&make_zip(&entries), Format::Zip, expected);
        let tar = make_tar(&entries);
        for format in TARS {
            check(&packed(&tar, format), format, expected);
        }
    }

    #[test]
    fn single_files_agree(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let text = String::from_utf8_lossy(&bytes).into_owned().repeat(3);
        let expected = Tree::dir([("tool", Tree::program(&text))]).hash();
        for format in Format::ALL.into_iter().filter(|f| f.is_file()) {
            check(&packed(text.as_bytes(), format), format, expected);
        }
    }

    /// A changed byte gives an error or a tree that is the same on disk and in the hash: never a
    /// panic, and never anything outside.
    #[test]
    fn damage_stays_inside(
        (_, entries) in trees(),
        format in prop::sample::select(Format::ALL.to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = match format {
            Format::Zip => make_zip(&entries),
            format => packed(&make_tar(&entries), format),
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let place = Place::new();
        if let Ok(mut archive) = open(&bytes, format)
            && let Ok(result) = archive.unpack(&place.target())
        {
            prop_assert_eq!(hash_path(&place.target()).expect("hash"), result);
        }
        place.assert_untouched();
    }
}

/// Zips written to a pipe have sizes and checksums behind the data, not before it.
#[test]
fn streamed_zips() {
    let mut out = zip::ZipWriter::new_stream(Vec::new());
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for name in ["b", "a/b"] {
        out.start_file(name, options.unix_permissions(0o755)).expect("file");
        out.write_all(name.as_bytes()).expect("contents");
    }
    let bytes = out.finish().expect("zip").into_inner();
    let tree =
        Tree::dir([("a", Tree::dir([("b", Tree::program("a/b"))])), ("b", Tree::program("b"))]);
    check(&bytes, Format::Zip, tree.hash());
}
