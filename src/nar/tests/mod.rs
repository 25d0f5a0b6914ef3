//! Golden hashes that Nix computed, round trips, and everything the reader must refuse.

pub(crate) mod tree;

use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;

use super::{Error, Event, HashWriter, Reader, Writer, dump, hash_path, wire};
use tree::Tree;

/// Hash and size as `nix-hash --type sha256 --base32` and `nix-store --dump` of Nix 2.8 give them.
fn golden() -> Vec<(Tree, &'static str, u64)> {
    let odd = Tree::dir([
        (
            "a",
            Tree::dir([
                ("empty", Tree::dir([])),
                ("run", Tree::program("#!")),
                ("up", Tree::Link("../a.b".into())),
            ]),
        ),
        ("a.b", Tree::file("x")),
        ("B", Tree::file("")),
        ("ä", Tree::file("12345678")),
    ]);
    vec![
        (Tree::file("hello\n"), "04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw", 120),
        (Tree::file(""), "0ip26j2h11n1kgkz36rl4akv694yz65hr72q4kv4b3lxcbi65b3p", 112),
        (Tree::program("hello\n"), "1yhh619m3cy1mird7f0l7zsmiv9rayqn075zinda2g7rscwn0hv5", 152),
        (Tree::Link("f".into()), "1dxzy5fscpxh1caxz5ixzhp0jpsab719lbqacpdxyn3i9vz6r5l1", 120),
        (Tree::dir([]), "0sjjj9z1dhilhpc8pq4154czrb79z9cm044jvn75kxcjv6v5l2m5", 96),
        (odd, "1mk5hmmym3822sabd9pkv28b7i2sx1bm8cnj601r1bxjafh050f6", 1416),
    ]
}

#[test]
fn hashes_as_nix_does() {
    let dir = tempfile::tempdir().expect("tempdir");
    for (i, (tree, hash, size)) in golden().into_iter().enumerate() {
        let path = dir.path().join(i.to_string());
        tree.create(&path);
        let found = hash_path(&path).expect("hash");
        assert_eq!((found.0.nix32().as_str(), found.1), (hash, size), "{tree:?}");
        assert_eq!(tree.hash(), found);
        assert_eq!(dump(&path, Vec::new()).expect("dump"), tree.nar());
    }
}

#[test]
fn serialises_as_nix_does() {
    let text = "DQAAAAAAAABuaXgtYXJjaGl2ZS0xAAAAAQAAAAAAAAAoAAAAAAAAAAQAAAAAAAAAdHlwZQAAAAAHAAAAA\
                AAAAHJlZ3VsYXIACgAAAAAAAABleGVjdXRhYmxlAAAAAAAAAAAAAAAAAAAIAAAAAAAAAGNvbnRlbnRzBg\
                AAAAAAAABoZWxsbwoAAAEAAAAAAAAAKQAAAAAAAAA=";
    let nar = data_encoding::BASE64.decode(text.as_bytes()).expect("base64");
    assert_eq!(Tree::program("hello\n").nar(), nar);
}

#[test]
fn executable_is_the_owners_bit_alone() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("f");
    Tree::file("hello\n").create(&path);
    for (mode, tree) in [
        (0o655, Tree::file("hello\n")),
        (0o700, Tree::program("hello\n")),
        (0o444, Tree::file("hello\n")),
    ] {
        crate::fs::chmod(&path, mode).expect("mode");
        let bits = crate::fs::lstat(&path).expect("lstat").permissions().mode() & 0o777;
        assert_eq!(bits, mode);
        assert_eq!(hash_path(&path).expect("hash"), tree.hash(), "{mode:o}");
    }
}

#[test]
fn contents_larger_than_the_buffer() {
    let dir = tempfile::tempdir().expect("tempdir");
    let bytes: Vec<u8> = (0..700_001u32).map(|i| (i * 7 / 3) as u8).collect();
    let tree = Tree::dir([("big", Tree::File(false, bytes)), ("c", Tree::file("end"))]);
    let path = dir.path().join("t");
    tree.create(&path);
    assert_eq!(dump(&path, Vec::new()).expect("dump"), tree.nar());
    assert_eq!(Tree::parse(&tree.nar()).expect("parse"), tree);
}

#[test]
fn a_socket_has_no_place_in_a_tree() {
    let dir = tempfile::tempdir().expect("tempdir");
    let path = dir.path().join("socket");
    let _socket = std::os::unix::net::UnixListener::bind(&path).expect("socket");
    let error = hash_path(dir.path()).expect_err("refused");
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::InvalidData));
    assert!(error.to_string().contains("socket"), "{error}");
}

#[test]
fn nothing_at_the_path_is_not_found() {
    let dir = tempfile::tempdir().expect("tempdir");
    assert!(hash_path(&dir.path().join("none")).expect_err("missing").is_not_found());
}

#[test]
fn the_writer_refuses_names() {
    let long = "n".repeat(256);
    for name in ["", ".", "..", "a/b", "/", "a\0", &long] {
        let mut writer = Writer::new(Vec::new());
        let mut directory = writer.root().directory().expect("directory");
        assert!(matches!(directory.entry(name.as_bytes()), Err(Error::Name { .. })), "{name:?}");
    }
    for (first, second) in [("b", "a"), ("a", "a"), ("a.b", "a"), ("ä", "z")] {
        let mut writer = Writer::new(Vec::new());
        let mut directory = writer.root().directory().expect("directory");
        directory.entry(first.as_bytes()).expect("entry").symlink(b"x").expect("link");
        let refused = directory.entry(second.as_bytes());
        assert!(matches!(refused, Err(Error::Unsorted { .. })), "{first} {second}");
    }
    for target in [&b""[..], b"a\0b", &[b'x'; 4096]] {
        let mut writer = Writer::new(Vec::new());
        assert!(matches!(writer.root().symlink(target), Err(Error::Target(_))));
    }
}

#[test]
fn the_writer_refuses_other_sizes() {
    let mut writer = Writer::new(Vec::new());
    let mut file = writer.root().file(false, 3).expect("file");
    assert!(matches!(file.write(b"1234"), Err(Error::Size { announced: 3, given: 4 })));
    let mut writer = Writer::new(Vec::new());
    let mut file = writer.root().file(false, 3).expect("file");
    file.write(b"12").expect("contents");
    assert!(matches!(file.finish(), Err(Error::Size { announced: 3, given: 2 })));
    assert!(matches!(writer.finish(), Err(Error::Unfinished)));
}

#[test]
fn the_writer_refuses_gaps() {
    assert!(matches!(Writer::new(Vec::new()).finish(), Err(Error::Unfinished)));

    let mut writer = Writer::new(Vec::new());
    let mut directory = writer.root().directory().expect("directory");
    let _ = directory.entry(b"a").expect("entry");
    assert!(matches!(directory.entry(b"b"), Err(Error::Unfinished)));
    assert!(matches!(directory.finish(), Err(Error::Unfinished)));
    assert!(matches!(writer.finish(), Err(Error::Unfinished)));

    let mut writer = Writer::new(Vec::new());
    let _ = writer.root().directory().expect("directory");
    assert!(matches!(writer.root().symlink(b"x"), Err(Error::Unfinished)));

    let mut writer = Writer::new(Vec::new());
    writer.root().symlink(b"x").expect("link");
    assert!(matches!(writer.root().symlink(b"x"), Err(Error::Unfinished)));
    assert_eq!(writer.finish().expect("one root"), Tree::Link("x".into()).nar());
}

#[test]
fn a_broken_sink_stays_broken() {
    struct Full(usize);
    impl std::io::Write for Full {
        fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::ErrorKind::StorageFull.into());
            }
            self.0 -= 1;
            Ok(data.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let mut writer = Writer::new(Full(1));
    let mut file = writer.root().file(false, 8192).expect("file");
    assert!(matches!(file.write(&[0; 8192]), Err(Error::Write(_))));
    let _ = file.finish();
    assert!(writer.finish().is_err());
}

/// A NAR from words, so that tests can write what the writer cannot.
fn words(words: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    words.iter().for_each(|word| wire::put(&mut out, word));
    out
}

fn drain(nar: &[u8]) -> super::Result<Vec<Event>> {
    let mut reader = Reader::new(nar);
    let mut events = Vec::new();
    while let Some(event) = reader.next()? {
        events.push(event);
    }
    Ok(events)
}

fn directory_of(names: &[&[u8]]) -> Vec<u8> {
    let mut all: Vec<&[u8]> = vec![wire::MAGIC, b"(", b"type", b"directory"];
    for name in names {
        all.extend_from_slice(&[b"entry", b"(", b"name", name, b"node"]);
        all.extend_from_slice(&[b"(", b"type", b"symlink", b"target", b"x", b")", b")"]);
    }
    all.push(b")");
    words(&all)
}

#[test]
fn the_reader_gives_events_and_skips_contents() {
    let tree = Tree::dir([("a", Tree::program("12345")), ("b", Tree::dir([]))]);
    let expected = [
        Event::Directory,
        Event::Entry(b"a".to_vec()),
        Event::File { executable: true, size: 5 },
        Event::Entry(b"b".to_vec()),
        Event::Directory,
        Event::End,
        Event::End,
    ];
    assert_eq!(drain(&tree.nar()).expect("events"), expected);
}

#[test]
fn the_reader_refuses_names() {
    assert_eq!(drain(&directory_of(&[b"a", b"b"])).expect("good").len(), 6);
    let long = [b'n'; 256];
    for names in [
        &[&b"b"[..], b"a"][..],
        &[b"a", b"a"],
        &[b""],
        &[b"."],
        &[b".."],
        &[b"a/b"],
        &[b"a\0b"],
        &[&long],
    ] {
        assert!(drain(&directory_of(names)).is_err(), "{names:?}");
    }
}

#[test]
fn the_reader_refuses_malformed_archives() {
    let good = Tree::program("hello\n").nar();
    drain(&good).expect("good");
    for cut in 0..good.len() {
        assert!(drain(&good[..cut]).is_err(), "cut at {cut}");
    }
    let mut trailing = good.clone();
    trailing.push(0);
    assert!(matches!(drain(&trailing), Err(Error::Malformed { expected: "the end", .. })));

    // Each byte of a small NAR matters: changing one gives another tree or no NAR.
    for at in 0..good.len() {
        let mut changed = good.clone();
        changed[at] ^= 1;
        if let Ok(tree) = Tree::parse(&changed) {
            assert_eq!(tree.nar(), changed, "accepted a second spelling at {at}");
        }
    }
    let file: &[&[u8]] = &[wire::MAGIC, b"(", b"type", b"regular", b"contents", b"x", b")"];
    drain(&words(file)).expect("good");
    for (at, word) in [
        (0, &b"nix-archive-2"[..]),
        (1, b"["),
        (2, b"kind"),
        (3, b"fifo"),
        (4, b"content"),
        (6, b"]"),
    ] {
        let mut changed = file.to_vec();
        changed[at] = word;
        assert!(drain(&words(&changed)).is_err(), "{at}");
    }
    let target = [&wire::MAGIC[..], b"(", b"type", b"symlink", b"target", b"", b")"];
    assert!(matches!(drain(&words(&target)), Err(Error::Target(_))));
}

#[test]
fn the_reader_refuses_absurd_lengths_without_reserving_them() {
    let mut nar = words(&[wire::MAGIC, b"(", b"type", b"regular", b"contents"]);
    nar.extend_from_slice(&u64::MAX.to_le_bytes());
    assert!(matches!(drain(&nar), Err(Error::TooLong { .. })));
    let mut nar = words(&[wire::MAGIC, b"(", b"type", b"symlink", b"target"]);
    nar.extend_from_slice(&(1u64 << 40).to_le_bytes());
    assert!(matches!(drain(&nar), Err(Error::TooLong { .. })));
    let mut nar = words(&[wire::MAGIC, b"("]);
    nar.extend_from_slice(&17u64.to_le_bytes());
    assert!(drain(&nar).is_err());
}

#[test]
fn nesting_is_bounded_on_both_sides() {
    let mut nar = words(&[wire::MAGIC]);
    let level = words(&[b"(", b"type", b"directory", b"entry", b"(", b"name", b"d", b"node"]);
    (0..=wire::MAX_DEPTH).for_each(|_| nar.extend_from_slice(&level));
    assert!(matches!(drain(&nar), Err(Error::TooDeep(_))));

    fn nest(place: super::Node<'_, HashWriter>, left: usize) -> super::Result<()> {
        let mut directory = place.directory()?;
        if left > 0 {
            nest(directory.entry(b"d")?, left - 1)?;
        }
        directory.finish()
    }
    nest(Writer::new(HashWriter::new()).root(), wire::MAX_DEPTH - 1).expect("deep");
    let refused = nest(Writer::new(HashWriter::new()).root(), wire::MAX_DEPTH);
    assert!(matches!(refused, Err(Error::TooDeep(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn round_trips(tree in tree::directory()) {
        let nar = tree.nar();
        prop_assert_eq!(Tree::parse(&nar).expect("parse"), tree.clone());
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("t");
        tree.create(&path);
        let (hash, size) = hash_path(&path).expect("hash");
        prop_assert_eq!((hash, size), tree.hash());
        prop_assert_eq!(size, nar.len() as u64);
    }

    #[test]
    fn what_the_reader_accepts_has_one_spelling(
        tree in tree::directory(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut nar = tree.nar();
        let at = at.index(nar.len());
        nar[at] = byte;
        // Names outside UTF-8 are the format's right but not the model's.
        if drain(&nar).is_ok() && nar.iter().all(u8::is_ascii) {
            prop_assert_eq!(Tree::parse(&nar).expect("parse").nar(), nar);
        }
    }

    #[test]
    fn garbage_is_refused_in_peace(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut nar = words(&[wire::MAGIC, b"(", b"type"]);
        nar.extend_from_slice(&bytes);
        prop_assert!(drain(&nar).is_err());
    }
}
