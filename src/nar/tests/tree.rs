//! Trees as values, for tests of this room and of `archive`.
//!
//! A tree can be serialised, put on disk, and drawn at random with names that sort oddly.

use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;

use crate::nar::{Event, HashWriter, Node, Reader, Writer};

/// A tree in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tree {
    File(bool, Vec<u8>),
    Link(String),
    Dir(BTreeMap<String, Tree>),
}

impl Tree {
    pub(crate) fn file(text: &str) -> Self {
        Self::File(false, text.into())
    }

    pub(crate) fn program(text: &str) -> Self {
        Self::File(true, text.into())
    }

    pub(crate) fn dir<const N: usize>(entries: [(&str, Tree); N]) -> Self {
        Self::Dir(entries.into_iter().map(|(name, tree)| (name.to_owned(), tree)).collect())
    }

    pub(crate) fn nar(&self) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new());
        self.write(writer.root());
        writer.finish().expect("finished")
    }

    pub(crate) fn hash(&self) -> (crate::base::TreeHash, u64) {
        let mut writer = Writer::new(HashWriter::new());
        self.write(writer.root());
        writer.finish().expect("finished").finish()
    }

    fn write<W: std::io::Write>(&self, place: Node<'_, W>) {
        match self {
            Self::File(executable, bytes) => {
                let mut file = place.file(*executable, bytes.len() as u64).expect("file");
                file.write(bytes).expect("contents");
                file.finish().expect("file");
            }
            Self::Link(target) => place.symlink(target.as_bytes()).expect("link"),
            Self::Dir(entries) => {
                let mut directory = place.directory().expect("directory");
                for (name, tree) in entries {
                    tree.write(directory.entry(name.as_bytes()).expect("entry"));
                }
                directory.finish().expect("directory");
            }
        }
    }

    /// Puts the tree where nothing is yet.
    pub(crate) fn create(&self, path: &Path) {
        match self {
            Self::File(executable, bytes) => {
                crate::fs::write_atomic(path, bytes).expect("file");
                crate::fs::chmod(path, if *executable { 0o755 } else { 0o644 }).expect("mode");
            }
            Self::Link(target) => crate::fs::symlink(Path::new(target), path).expect("link"),
            Self::Dir(entries) => {
                crate::fs::create_dir_all(path).expect("directory");
                for (name, tree) in entries {
                    tree.create(&path.join(name));
                }
            }
        }
    }

    /// Reads a NAR.
    pub(crate) fn parse(nar: &[u8]) -> crate::nar::Result<Self> {
        let mut reader = Reader::new(nar);
        let tree = Self::read(&mut reader)?;
        assert_eq!(reader.next()?, None);
        Ok(tree)
    }

    fn read(reader: &mut Reader<&[u8]>) -> crate::nar::Result<Self> {
        use std::io::Read as _;
        Ok(match reader.next()?.expect("a node") {
            Event::File { executable, .. } => {
                let mut bytes = Vec::new();
                reader.contents().read_to_end(&mut bytes).map_err(crate::nar::Error::Read)?;
                Self::File(executable, bytes)
            }
            Event::Symlink(target) => Self::Link(String::from_utf8(target).expect("utf-8")),
            Event::Directory => {
                let mut entries = BTreeMap::new();
                while let Event::Entry(name) = reader.next()?.expect("entry or end") {
                    let name = String::from_utf8(name).expect("utf-8");
                    entries.insert(name, Self::read(reader)?);
                }
                Self::Dir(entries)
            }
            other => panic!("{other:?} is no node"),
        })
    }
}

/// Names whose order differs between bytes, paths and locales; no two collide by case.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "a", "a.b", "a-b", "a b", "a0", "B", "Zz", "_", "~", "!", "é", "ä-", "日本", "...",
            "-", "a.", ".a", "+", "0", "00",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9._+-]{1,12}".prop_filter("a name", |n| n != "." && n != ".."),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(Vec::new()),
        prop::collection::vec(any::<u8>(), 0..40),
        (4090usize..4110, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
    ]
}

/// A directory with anything in it; links point at siblings that may not exist.
pub(crate) fn directory() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => (any::<bool>(), bytes()).prop_map(|(x, bytes)| Tree::File(x, bytes)),
        1 => name().prop_map(Tree::Link),
        1 => Just(Tree::Dir(BTreeMap::new())),
    ];
    let node = leaf.prop_recursive(4, 40, 6, |inner| {
        prop::collection::btree_map(name(), inner, 0..6).prop_map(Tree::Dir)
    });
    prop::collection::btree_map(name(), node, 0..6).prop_map(Tree::Dir)
}
