//! Unusual archives that are legal: accepted, with the tree that they mean.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;

use infra::archive::Format;
use infra::base::TreeHash;

use super::write::{Entry, Tar, Zip, ar, bz2, deb, descriptor, gz, xz, zip, zst};
use super::{open, place, surroundings};

/// What is at a path.
#[derive(Clone, Debug)]
pub enum Node {
    Dir,
    File(bool, Vec<u8>),
    Link(String),
}

pub type Tree = BTreeMap<String, Node>;

/// An archive and its tree.
pub struct Good {
    what: &'static str,
    pub format: Format,
    pub bytes: Vec<u8>,
    tree: Tree,
}

/// Writes a tree without the library and hashes what is on disk.
pub fn on_disk(tree: &Tree) -> (TreeHash, u64) {
    let dir = tempfile::tempdir().expect("tempdir");
    for (path, node) in tree {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("create");
        match node {
            Node::Dir => std::fs::create_dir_all(&path).expect("create"),
            Node::Link(target) => std::os::unix::fs::symlink(target, &path).expect("link"),
            Node::File(executable, bytes) => {
                std::fs::write(&path, bytes).expect("write");
                let mode = if *executable { 0o755 } else { 0o644 };
                let mode = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(&path, mode).expect("chmod");
            }
        }
    }
    infra::nar::hash_path(dir.path()).expect("hash")
}

/// Opened, hashed and unpacked, it is this tree.
pub fn check(what: &str, format: Format, bytes: &[u8], tree: &Tree) {
    let expected = on_disk(tree);
    let place = place();
    let into = place.path().join("into");
    let before = surroundings(place.path());
    let mut archive = open(bytes, format)
        .unwrap_or_else(|e| panic!("{format}, {what}: {e}: {:?}", std::error::Error::source(&e)));
    assert_eq!(archive.hash().expect(what), expected, "{format}, {what}: hashed");
    assert_eq!(archive.unpack(&into).expect(what), expected, "{format}, {what}: unpacked");
    assert_eq!(infra::nar::hash_path(&into).expect("hash"), expected, "{format}, {what}: on disk");
    assert_eq!(surroundings(place.path()), before, "{format}, {what}: outside");
}

fn tree(nodes: &[(&str, Node)]) -> Tree {
    nodes.iter().map(|(path, node)| ((*path).to_owned(), node.clone())).collect()
}

fn file(bytes: impl AsRef<[u8]>) -> Node {
    Node::File(false, bytes.as_ref().to_vec())
}

fn link(target: &str) -> Node {
    Node::Link(target.to_owned())
}

pub fn all() -> Vec<Good> {
    let mut out = Vec::new();
    let mut add = |what, format, bytes, nodes: &[(&str, Node)]| {
        out.push(Good { what, format, bytes, tree: tree(nodes) });
    };
    let long = "d/".repeat(60) + "name";
    let tar = Format::Tar;
    add(
        "a long pax name",
        tar,
        Tar::new().pax(b'x', &[("path", &long)]).file("x", "1").end(),
        &[(&long, file("1"))],
    );
    add(
        "a long GNU name",
        tar,
        Tar::new().long(b'L', long.clone() + "\0").file("x", "1").end(),
        &[(&long, file("1"))],
    );
    add(
        "a GNU name without its NUL",
        tar,
        Tar::new().long(b'L', &long).file("x", "1").end(),
        &[(&long, file("1"))],
    );
    add(
        "a name in two fields",
        tar,
        Tar::new().any("name", b'0', "", "1", |h| h[345..348].copy_from_slice(b"a/b")).end(),
        &[("a/b/name", file("1"))],
    );
    add(
        "a long link",
        tar,
        Tar::new().long(b'K', long.clone() + "\0").symlink("l", "x").end(),
        &[("l", link(&long))],
    );
    add(
        "a pax size",
        tar,
        Tar::new()
            .pax(b'x', &[("size", "4")])
            .any("x", b'0', "", "data", |h| h[124..135].copy_from_slice(b"00000000000"))
            .end(),
        &[("x", file("data"))],
    );
    add(
        "records that only describe",
        tar,
        Tar::new()
            .pax(
                b'x',
                &[("mtime", "-1.5"), ("LIBARCHIVE.creationtime", "1"), ("comment", "path=../x")],
            )
            .file("x", "1")
            .end(),
        &[("x", file("1"))],
    );
    add(
        "a global comment",
        tar,
        Tar::new().pax(b'g', &[("comment", "0123abc"), ("mtime", "0")]).file("x", "1").end(),
        &[("x", file("1"))],
    );
    add(
        "a size in base 256",
        tar,
        Tar::new()
            .any("x", b'0', "", "data", |h| {
                h[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\0\x04")
            })
            .end(),
        &[("x", file("data"))],
    );
    add(
        "a size with spaces",
        tar,
        Tar::new()
            .any("x", b'0', "", "data", |h| h[124..136].copy_from_slice(b"          4 "))
            .end(),
        &[("x", file("data"))],
    );
    add(
        "an old header",
        tar,
        Tar::new().any("x", 0, "", "data", |h| h[257..265].fill(0)).end(),
        &[("x", file("data"))],
    );
    add(
        "an old directory",
        tar,
        Tar::new().any("d/", 0, "", "", |h| h[257..265].fill(0)).end(),
        &[("d", Node::Dir)],
    );
    add(
        "a contiguous file",
        tar,
        Tar::new().any("x", b'7', "", "data", |_| ()).end(),
        &[("x", file("data"))],
    );
    add(
        "the root, empty directories and files",
        tar,
        Tar::new().dir("./").dir("./a/").dir("./a/b/").file("./c", "").end(),
        &[("a/b", Node::Dir), ("c", file(""))],
    );
    add(
        "directories after their files",
        tar,
        Tar::new().file("a/b", "1").dir("a/").end(),
        &[("a/b", file("1"))],
    );
    add(
        "hard links",
        tar,
        Tar::new().file("a", "1").hardlink("b", "a").hardlink("c/d", "./b").end(),
        &[("a", file("1")), ("b", file("1")), ("c/d", file("1"))],
    );
    add(
        "links inside, up and to nothing",
        tar,
        Tar::new()
            .symlink("a/up", "..")
            .symlink("a/b", "../missing/x")
            .symlink("c", "a/up/a")
            .end(),
        &[("a/up", link("..")), ("a/b", link("../missing/x")), ("c", link("a/up/a"))],
    );
    add(
        "dots and colons",
        tar,
        Tar::new()
            .file(".hidden", "1")
            .file("..a", "2")
            .file("...b", "3")
            .file("Foo::Bar.3pm", "4")
            .end(),
        &[
            (".hidden", file("1")),
            ("..a", file("2")),
            ("...b", file("3")),
            ("Foo::Bar.3pm", file("4")),
        ],
    );
    add(
        "names of many scripts",
        tar,
        Tar::new().file("\u{e4}\u{f6}/\u{65e5}\u{672c}", "1").file("\u{1f600}", "2").end(),
        &[("\u{e4}\u{f6}/\u{65e5}\u{672c}", file("1")), ("\u{1f600}", file("2"))],
    );
    add(
        "names that resemble devices",
        tar,
        Tar::new().file("console", "1").file("com10", "2").file("aux-1.h", "3").end(),
        &[("console", file("1")), ("com10", file("2")), ("aux-1.h", file("3"))],
    );
    add(
        "sticky and group bits on directories",
        tar,
        Tar::new().mode("tmp/", b'5', "", "0001777").mode("g/", b'5', "", "0002775").end(),
        &[("tmp", Node::Dir), ("g", Node::Dir)],
    );
    add(
        "executable for its owner alone",
        tar,
        Tar::new().mode("x", b'0', "", "0000700").mode("y", b'0', "", "0000655").end(),
        &[("x", Node::File(true, vec![])), ("y", file(""))],
    );
    add(
        "zeros up to a record of 10 KiB",
        tar,
        [Tar::new().file("a", "1").end(), vec![0; 8192]].concat(),
        &[("a", file("1"))],
    );
    add(
        "one block of zeros",
        tar,
        [Tar::new().file("a", "1").open(), vec![0; 512]].concat(),
        &[("a", file("1"))],
    );
    add(
        "archives within",
        tar,
        Tar::new()
            .file("in.gz", gz(&[0; 9999]))
            .file("in.tar", Tar::new().file("../x", "").end())
            .end(),
        &[("in.gz", file(gz(&[0; 9999]))), ("in.tar", file(Tar::new().file("../x", "").end()))],
    );

    let plain = Tar::new().file("a", "1".repeat(700)).end();
    let (head, tail) = plain.split_at(600);
    let a = [("a", file("1".repeat(700)))];
    add("several members", Format::TarGz, [gz(head), gz(tail), gz(b"")].concat(), &a);
    add(
        "several streams",
        Format::TarXz,
        [xz(head), vec![0; 8], xz(tail), vec![0; 4]].concat(),
        &a,
    );
    add(
        "several frames",
        Format::TarZst,
        [zst(head), b"\x5a\x2a\x4d\x18\x03\0\0\0...".to_vec(), zst(tail)].concat(),
        &a,
    );
    add("several streams", Format::TarBz2, [bz2(head), bz2(tail)].concat(), &a);
    let mut named = b"\x1f\x8b\x08\x1e\0\0\0\0\0\x03\x04\0AB\0\0name\0comment\0".to_vec();
    let crc = header_crc(&named);
    named.extend(crc);
    named.extend(&gz(&plain)[10..]);
    add("a header with everything", Format::TarGz, named, &a);

    let e = |name: &str| Entry::file(name);
    let data = file("data");
    let mut z = |what, zip: Zip, nodes: &[(&str, Node)]| add(what, Format::Zip, zip.bytes(), nodes);
    z("nothing", zip([]), &[]);
    z(
        "stored and deflated",
        zip([e("a"), Entry::new("b", 0o100_755, "data".repeat(99)).deflated()]),
        &[("a", data.clone()), ("b", Node::File(true, b"data".repeat(99)))],
    );
    z(
        "data descriptors",
        zip([e("a").streamed(descriptor), e("b").deflated().streamed(descriptor), e("c")]),
        &[("a", data.clone()), ("b", data.clone()), ("c", data.clone())],
    );
    z(
        "descriptors without signature",
        zip([e("a").streamed(|h| descriptor(h)[4..].to_vec())]),
        &[("a", data.clone())],
    );
    z(
        "descriptors of 64 bits",
        zip([
            e("a").streamed(|h| {
                let mut out = b"PK\x07\x08".to_vec();
                out.extend(h.crc.to_le_bytes());
                out.extend(u64::from(h.packed).to_le_bytes());
                out.extend(u64::from(h.size).to_le_bytes());
                out
            }),
            e("b"),
        ]),
        &[("a", data.clone()), ("b", data.clone())],
    );
    z(
        "an empty streamed file",
        zip([Entry::new("a", 0o100_644, "").streamed(descriptor), e("b")]),
        &[("a", file("")), ("b", data.clone())],
    );
    z("a 64-bit end record", Zip { long: true, ..zip([e("a")]) }, &[("a", data.clone())]);
    z(
        "64-bit sizes",
        zip([e("a").both(|h| {
            h.extra = [
                &[1, 0, 16, 0][..],
                &u64::from(h.size).to_le_bytes(),
                &u64::from(h.packed).to_le_bytes(),
            ]
            .concat();
            (h.size, h.packed) = (u32::MAX, u32::MAX);
        })]),
        &[("a", data.clone())],
    );
    z(
        "a comment",
        Zip { comment: b"0123456789".to_vec(), ..zip([e("a")]) },
        &[("a", data.clone())],
    );
    z(
        "extra fields and padding",
        zip([e("a").both(|h| h.extra = b"UT\x05\0\x01\0\0\0\0\0\0\0".to_vec())]),
        &[("a", data.clone())],
    );
    z(
        "the same name in an extra field",
        zip([e("a").both(|h| h.extra = b"up\x06\0\x01\x43\xbe\xb7\xe8a".to_vec())]),
        &[("a", data.clone())],
    );
    z(
        "links and directories",
        zip([Entry::link("l", "d"), Entry::new("d/", 0o040_755, "")]),
        &[("l", link("d")), ("d", Node::Dir)],
    );
    z(
        "a zip within",
        zip([Entry::new("in.zip", 0o100_644, zip([e("../x")]).bytes())]),
        &[("in.zip", file(zip([e("../x")]).bytes()))],
    );
    z(
        "names in UTF-8 without the flag",
        zip([e("\u{e9}").both(|h| h.flags = 0)]),
        &[("\u{e9}", data.clone())],
    );
    z(
        "from DOS",
        zip([{
            let mut d = e("a");
            (d.system, d.mode) = (0, 0);
            d
        }]),
        &[("a", data.clone())],
    );

    let usr = Tar::new().dir("./").file("./usr/x", "1").symlink("./usr/y", "/usr/x").end();
    let unpacked = [("usr/x", file("1")), ("usr/y", link("../usr/x"))];
    add("every member", Format::Deb, deb("data.tar.xz", &xz(&usr)), &unpacked);
    let member = |name, data| (name, data);
    let control = gz(&Tar::new().end());
    add(
        "members that are passed over",
        Format::Deb,
        ar(&[
            member("debian-binary", &b"2.0\n"[..]),
            member("_signed", b"x"),
            member("control.tar.gz/", &control),
            member("data.tar/", &usr),
            member("_gpgorigin", b"odd"),
        ]),
        &unpacked,
    );
    add(
        "a later minor version",
        Format::Deb,
        ar(&[
            ("debian-binary", &b"2.1\nmore\n"[..]),
            ("control.tar.gz", &control),
            ("data.tar.zst", &zst(&usr)),
        ]),
        &unpacked,
    );
    add(
        "headers that Windows cannot hold",
        Format::Deb,
        deb("data.tar.gz", &gz(&Tar::new().file("./usr/include/aux.h", "1").end())),
        &[("usr/include/aux.h", file("1"))],
    );

    let program = [("tool", Node::File(true, b"#!/bin/sh\n".to_vec()))];
    for (format, bytes) in [
        (Format::FileGz, gz(b"#!/bin/sh\n")),
        (Format::FileXz, xz(b"#!/bin/sh\n")),
        (Format::FileZst, zst(b"#!/bin/sh\n")),
        (Format::FileBz2, bz2(b"#!/bin/sh\n")),
        (Format::File, b"#!/bin/sh\n".to_vec()),
    ] {
        add("a program", format, bytes, &program);
    }
    out
}

/// The checksum of a gzip header: the low half of its CRC-32.
fn header_crc(bytes: &[u8]) -> [u8; 2] {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    let [a, b, ..] = crc.sum().to_le_bytes();
    [a, b]
}

#[test]
fn unusual_but_legal_archives_are_read() {
    let all = all();
    assert!(all.len() >= 50, "only {}", all.len());
    for good in all {
        check(good.what, good.format, &good.bytes, &good.tree);
    }
}

/// What a wheel's RECORD says changes nothing: the tree is what the zip holds, and its hash covers
/// each file.
#[test]
fn a_record_that_lies_changes_nothing() {
    let record = "x-1.dist-info/RECORD";
    let lies = ["", "x.py,sha256=AAAA,1\n", "../../escaped,,\n", "/etc/passwd,,\nmissing.py,,\n"];
    for lie in lies {
        let bytes = zip([Entry::file("x.py"), Entry::new(record, 0o100_644, lie)]).bytes();
        let tree = tree(&[("x.py", file("data")), (record, file(lie))]);
        check("a wheel", Format::Zip, &bytes, &tree);
    }
}
