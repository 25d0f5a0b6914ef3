//! Random trees in every format, and random damage.

use infra::archive::Format;
use proptest::prelude::*;

use super::good::{Node, Tree, check, on_disk};
use super::write::{Entry, Tar, bz2, deb, descriptor, gz, xz, zip, zst};
use super::{open, place, surroundings};

/// Paths whose parents cannot be files: directories and files are spelled differently.
fn path() -> impl Strategy<Value = String> {
    let dirs = prop::collection::vec("d[a-c\u{e4}]{1,2}", 0..3);
    (dirs, "f[a-e \u{65e5}.-]{0,5}z").prop_map(|(mut parts, name)| {
        parts.push(name);
        parts.join("/")
    })
}

fn node() -> impl Strategy<Value = Node> {
    prop_oneof![
        6 => (any::<bool>(), prop::collection::vec(any::<u8>(), 0..3000))
            .prop_map(|(executable, bytes)| Node::File(executable, bytes)),
        1 => Just(Node::Dir),
        1 => "[a-z]{1,9}/x".prop_map(|target| Node::Link(format!("no-{target}"))),
    ]
}

fn trees() -> impl Strategy<Value = Tree> {
    prop::collection::btree_map(path(), node(), 0..12)
}

fn as_tar(tree: &Tree) -> Vec<u8> {
    let mut out = Tar::new();
    for (i, (path, node)) in tree.iter().enumerate() {
        // Long names in both ways, short ones in the header.
        let mut name = path.as_str();
        if i % 3 == 1 {
            (out, name) = (out.pax(b'x', &[("path", path)]), "short");
        } else if i % 3 == 2 {
            (out, name) = (out.long(b'L', format!("{path}\0")), "short");
        }
        out = match node {
            Node::Dir => out.any(name, b'5', "", "", |_| ()),
            Node::Link(target) => out.symlink(name, target),
            Node::File(executable, bytes) => out.any(name, b'0', "", bytes, |h| {
                h[100..107].copy_from_slice(if *executable { b"0000755" } else { b"0000644" });
            }),
        };
    }
    out.end()
}

fn as_zip(tree: &Tree) -> Vec<u8> {
    let entries = tree.iter().enumerate().map(|(i, (path, node))| match node {
        Node::Dir => Entry::new(format!("{path}/"), 0o040_755, ""),
        Node::Link(target) => Entry::link(path, target),
        Node::File(executable, bytes) => {
            let mode = if *executable { 0o100_755 } else { 0o100_644 };
            let entry = Entry::new(path, mode, bytes);
            let entry = if i % 2 == 0 { entry.deflated() } else { entry };
            if i % 3 == 0 { entry.streamed(descriptor) } else { entry }
        }
    });
    zip(entries.collect::<Vec<_>>()).bytes()
}

fn every_form(tree: &Tree) -> Vec<(Format, Vec<u8>)> {
    let tar = as_tar(tree);
    vec![
        (Format::TarGz, gz(&tar)),
        (Format::TarXz, xz(&tar)),
        (Format::TarZst, zst(&tar)),
        (Format::TarBz2, bz2(&tar)),
        (Format::Deb, deb("data.tar.xz", &xz(&tar))),
        (Format::Zip, as_zip(tree)),
        (Format::Tar, tar),
    ]
}

/// A change of some bytes: where (in thousandths), how.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Remove(usize, usize),
    Insert(usize, Vec<u8>),
    Move(usize, usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0usize..1000;
    prop_oneof![
        4 => (at.clone(), 0u8..8).prop_map(|(at, bit)| Damage::Flip(at, bit)),
        1 => at.clone().prop_map(Damage::Cut),
        1 => (at.clone(), 1usize..600).prop_map(|(at, len)| Damage::Remove(at, len)),
        1 => (at.clone(), prop::collection::vec(any::<u8>(), 1..600))
            .prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (at.clone(), at, 1usize..600).prop_map(|(from, to, len)| Damage::Move(from, to, len)),
    ]
}

fn damaged(bytes: &[u8], damage: &Damage) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let place = |thousandth: usize| bytes.len().saturating_sub(1) * thousandth / 1000;
    match damage {
        Damage::Flip(at, bit) => out[place(*at)] ^= 1 << bit,
        Damage::Cut(at) => out.truncate(place(*at)),
        Damage::Remove(at, len) => {
            let at = place(*at);
            out.drain(at..(at + len).min(bytes.len()));
        }
        Damage::Insert(at, more) => {
            let at = place(*at);
            out.splice(at..at, more.iter().copied());
        }
        Damage::Move(from, to, len) => {
            let (from, to) = (place(*from), place(*to));
            let part = bytes[from..(from + len).min(bytes.len())].to_vec();
            out.splice(to..to, part);
        }
    }
    out
}

/// Whether every byte of contents is covered by a checksum of the format.
fn covered(format: Format) -> bool {
    // A tar has checksums of its headers only; what zstd frames have none is the writer's choice.
    !matches!(format, Format::Tar | Format::TarZst)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(24) })]

    #[test]
    fn a_tree_has_one_hash_in_every_format(tree in trees()) {
        for (format, bytes) in every_form(&tree) {
            check("a random tree", format, &bytes, &tree);
        }
    }

    /// Never a panic, never a byte outside; and where checksums are, never other contents under
    /// the same names.
    #[test]
    fn damage_is_found(tree in trees(), damages in prop::collection::vec(damage(), 1..4)) {
        let expected = on_disk(&tree);
        for (format, good) in every_form(&tree) {
            let bytes = damages.iter().fold(good.clone(), |bytes, one| damaged(&bytes, one));
            if bytes == good {
                continue;
            }
            let place = place();
            let before = surroundings(place.path());
            let into = place.path().join("into");
            if let Ok(mut archive) = open(&bytes, format) {
                let names: Vec<_> =
                    archive.entries().iter().map(|e| e.path.as_str().to_owned()).collect();
                let hashed = archive.hash();
                let unpacked = archive.unpack(&into);
                prop_assert_eq!(hashed.is_ok(), unpacked.is_ok());
                if let (Ok(hashed), Ok(unpacked)) = (hashed, unpacked) {
                    prop_assert_eq!(hashed, unpacked);
                    prop_assert_eq!(infra::nar::hash_path(&into).expect("hash"), unpacked);
                    // Names and modes of a zip and of a package's members have no checksum.
                    if covered(format) && hashed != expected && format != Format::Zip {
                        prop_assert!(names.is_empty() && format == Format::Deb, "{format}: {names:?}");
                    }
                }
            }
            prop_assert_eq!(surroundings(place.path()), before);
        }
    }
}
