//! Several archives over each other, and layers of images.

use tar::EntryType;

use super::make::*;
use super::*;
use crate::archive::{EntryKind, Part, index::Raw};

type Entries = Vec<(tar::Header, Vec<u8>)>;

fn part(entries: &Entries, format: Format) -> Part {
    Part { file: file(&packed(&tar(entries), format)), options: options(format) }
}

fn image(layers: &[Entries]) -> Result<Archive, Error> {
    let kinds = [Format::Layer, Format::LayerGz, Format::LayerZst];
    let parts = layers.iter().zip(kinds.iter().cycle()).map(|(layer, kind)| part(layer, *kind));
    Archive::open_stack(parts.collect(), "x.archive")
}

fn plain(archives: &[Entries]) -> Result<Archive, Error> {
    let parts = archives.iter().map(|entries| part(entries, Format::Tar));
    Archive::open_stack(parts.collect(), "x.archive")
}

fn with(name: &str, data: &str) -> (tar::Header, Vec<u8>) {
    (tar_header(name, EntryType::Regular, data.len() as u64), data.as_bytes().to_vec())
}

fn dir(name: &str) -> (tar::Header, Vec<u8>) {
    (tar_header(name, EntryType::Directory, 0), vec![])
}

fn link(name: &str, target: &str) -> (tar::Header, Vec<u8>) {
    tar_link(name, EntryType::Symlink, target)
}

fn target(archive: &Archive, path: &str) -> String {
    let entry = archive.entries().iter().find(|e| e.path.as_str() == path).expect(path);
    match &entry.kind {
        EntryKind::Symlink { target } => target.clone(),
        other => panic!("{other:?}"),
    }
}

fn refusal(result: Result<Archive, Error>) -> Refusal {
    match result {
        Err(Error::Refused { why, .. }) => why,
        Err(other) => panic!("{other:?}"),
        Ok(archive) => panic!("{:?}", archive.entries()),
    }
}

#[test]
fn later_entries_replace_earlier_ones_and_directories_merge() {
    for lay in [plain as fn(&[Entries]) -> Result<Archive, Error>, image] {
        let mut archive = lay(&[
            vec![with("a/x", "old"), with("a/y", "kept"), with("d/e/f", "gone"), with("g", "file")],
            vec![with("a/x", "new"), dir("a"), with("d", "a file now"), with("g/h", "below")],
            vec![dir("g"), with("z", "last")],
        ]
        .map(|mut layer: Entries| {
            // A file cannot become a directory by what is below it alone.
            if layer.iter().any(|(_, data)| data == b"below") {
                layer.insert(0, dir("g"));
            }
            layer
        }))
        .expect("opens");
        assert_eq!(names(&archive), ["a", "a/x", "a/y", "d", "g", "g/h", "z"]);
        for (path, text) in [("a/x", "new"), ("a/y", "kept"), ("d", "a file now"), ("z", "last")] {
            assert_eq!(archive.read(&rel(path)).expect(path), text.as_bytes());
        }
        let place = Place::new();
        let hash = archive.hash().expect("hash");
        assert_eq!(archive.unpack(&place.target()).expect("unpack"), hash);
        assert_eq!(crate::nar::hash_path(&place.target()).expect("hash"), hash);
        assert!(archive.notes().is_empty());
    }
}

#[test]
fn one_archive_of_a_stack_is_held_to_the_rules_of_one() {
    let twice = vec![with("a", "1"), with("a", "2")];
    assert_eq!(refusal(plain(&[vec![with("b", "")], twice.clone()])), Refusal::Duplicate);
    // In an image the later one counts, as for every runtime.
    let mut archive = image(&[twice]).expect("opens");
    assert_eq!(archive.read(&rel("a")).expect("read"), b"2");
    let below = vec![link("l", "d"), with("l/x", "")];
    assert_eq!(refusal(plain(&[vec![dir("d")], below])), Refusal::BelowLink("l".into()));
    let out = vec![link("l", "../x")];
    assert_eq!(refusal(plain(&[vec![dir("d")], out])), Refusal::LinkEscapes("../x".into()));
    let special = vec![(tar_header("x", EntryType::Char, 0), vec![])];
    assert_eq!(refusal(plain(&[vec![], special])), Refusal::Special("character device"));
}

#[test]
fn whiteouts_remove_what_lies_below_only() {
    let archive = image(&[
        vec![
            with("a/one", "1"),
            with("a/two", "2"),
            with("b/x/y", "3"),
            with("b/z", "4"),
            with("c", "5"),
        ],
        vec![
            with("a/.wh.one", ""),
            // Wherever it stands, it does not touch its own layer.
            with("b/new", "6"),
            with("b/.wh..wh..opq", ""),
            with("c", "7"),
            with(".wh.c", ""),
            with(".wh..wh.plnk", ""),
        ],
        vec![with("b/.wh.absent", "")],
    ])
    .expect("opens");
    assert_eq!(names(&archive), ["a", "a/two", "b", "b/new", "c"]);
    assert_eq!(refusal(image(&[vec![with("a/.wh...", "")]])), Refusal::OddComponent);
    assert_eq!(refusal(image(&[vec![with("a/.wh.", "")]])), Refusal::OddComponent);
    // Elsewhere they are names like others.
    let archive = plain(&[vec![with("a", "")], vec![with(".wh.a", "")]]).expect("opens");
    assert_eq!(names(&archive), [".wh.a", "a"]);
}

#[test]
fn links_of_an_image_stay_in_it() {
    let archive = image(&[vec![
        dir("usr/lib"),
        link("lib", "usr/lib"),
        link("usr/bin/sh", "/bin/dash"),
        link("etc/mtab", "/proc/mounts"),
        link("root", "/"),
        link("etc/deep", "../../../../usr/lib"),
    ]])
    .expect("opens");
    for (path, want) in [
        ("lib", "usr/lib"),
        ("usr/bin/sh", "../../bin/dash"),
        ("etc/mtab", "../proc/mounts"),
        ("root", "."),
        ("etc/deep", "../usr/lib"),
    ] {
        assert_eq!(target(&archive, path), want);
    }
    let through = vec![dir("a/b"), link("l", "a/b"), link("m", "l/../../../x")];
    assert_eq!(refusal(image(&[through])), Refusal::LinkEscapes("l/../../../x".into()));
}

#[test]
fn names_lead_through_the_links_of_an_image() {
    let archive = image(&[
        vec![dir("usr/lib"), link("lib", "usr/lib"), link("lib64", "/lib/x")],
        vec![with("lib/one", ""), link("lib/two", "/etc/two"), with("lib64/three", "")],
        vec![with("lib/.wh.one", ""), tar_link("hard", EntryType::Link, "lib64/three")],
    ])
    .expect("opens");
    let want =
        ["hard", "lib", "lib64", "usr", "usr/lib", "usr/lib/two", "usr/lib/x", "usr/lib/x/three"];
    assert_eq!(names(&archive), want);
    assert_eq!(target(&archive, "usr/lib/two"), "../../etc/two");
    let round = vec![link("a", "b"), link("b", "a"), with("a/x", "")];
    assert!(matches!(refusal(image(&[round])), Refusal::LinkLoops(_)));
}

#[test]
fn what_a_tree_cannot_keep_is_named() {
    let (mut su, data) = with("bin/su", "program");
    su.set_mode(0o4755);
    su.set_cksum();
    let (mut su2, _) = tar_link("bin/su2", EntryType::Link, "bin/su");
    su2.set_mode(0o4755);
    su2.set_cksum();
    let archive = image(&[vec![
        (tar_header("dev/null", EntryType::Char, 0), vec![]),
        (tar_header("run/pipe", EntryType::Fifo, 0), vec![]),
        (su, data),
        // Tar repeats the mode with the link.
        (su2, vec![]),
    ]])
    .expect("opens");
    assert_eq!(names(&archive), ["bin", "bin/su", "bin/su2"]);
    let kind = EntryKind::File { executable: true, size: 7 };
    assert!(archive.entries()[1..].iter().all(|e| e.kind == kind));
    let said: Vec<_> = archive.notes().iter().map(|n| (n.entry.as_str(), n.why.clone())).collect();
    let want = [
        ("dev/null", Refusal::Special("character device")),
        ("run/pipe", Refusal::Special("named pipe")),
        ("bin/su", Refusal::SetId),
        ("bin/su2", Refusal::SetId),
    ];
    assert_eq!(said, want);
}

#[test]
fn cases_and_hard_links_of_an_image() {
    let archive = image(&[vec![with("E/x", ""), with("e/x", "")]]).expect("opens");
    assert_eq!(names(&archive), ["E", "E/x", "e", "e/x"]);
    let two = [vec![with("E", "")], vec![with("e", "")]];
    assert_eq!(refusal(plain(&two)), Refusal::Collides("E".into()));

    let below = tar_link("new", EntryType::Link, "old");
    let mut archive = image(&[vec![with("old", "lower")], vec![below.clone()]]).expect("opens");
    assert_eq!(archive.read(&rel("new")).expect("read"), b"lower");
    let gone = [vec![with("old", "lower")], vec![with(".wh.old", ""), below.clone()]];
    assert_eq!(refusal(image(&gone)), Refusal::HardLink("old".into()));
    // In other archives only their own files can be meant.
    let other = [vec![with("old", "lower")], vec![below]];
    assert_eq!(refusal(plain(&other)), Refusal::HardLink("old".into()));
}

#[test]
fn bounds_are_over_the_sum() {
    let layer = || vec![with("a", &"x".repeat(3000))];
    let stack = |limits: &Limits, n: usize| {
        let parts = (0..n).map(|_| part(&layer(), Format::LayerGz)).collect();
        Archive::stack_within(parts, "x.archive", limits)
    };
    let small = Limits { expanded: 10_000, ..Limits::DEFAULT };
    assert!(stack(&small, 1).is_ok());
    // What is replaced was inflated all the same.
    assert!(matches!(stack(&small, 3).err(), Some(Error::TooLarge { .. })));
    let few = Limits { entries: 2, ..Limits::DEFAULT };
    assert!(stack(&few, 2).is_ok());
    assert!(matches!(stack(&few, 3).err(), Some(Error::TooManyEntries { .. })));
    assert!(matches!(stack(&Limits::DEFAULT, 257).err(), Some(Error::TooManyLayers { .. })));
}

#[test]
fn raws_are_free_of_layers() {
    // A single archive goes the shorter way, with the same result.
    let raw = || Raw::file(b"./a/b", true, 0, 0);
    let one = super::super::index::build(
        vec![super::super::stack::Layer { raws: vec![raw()], strip: 0, is_image: false }],
        "x",
        0,
        &Limits::DEFAULT,
    )
    .expect("built");
    let image = super::super::index::build(
        vec![super::super::stack::Layer { raws: vec![raw()], strip: 0, is_image: true }],
        "x",
        0,
        &Limits::DEFAULT,
    )
    .expect("built");
    assert_eq!(one.0, image.0);
}
