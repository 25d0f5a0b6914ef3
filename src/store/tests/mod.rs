//! The store as its callers see it, each test in a store of its own.

mod adding;
mod artifacts;
mod collecting;
mod crash;
mod damage;
mod sharing;
mod unpacking;

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

/// A store in a temporary directory.
struct Fixture {
    dir: tempfile::TempDir,
    store: Store,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let store = store_at(&dir.path().join("root"));
        Self { dir, store }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Adds a tree of one file.
    fn object(&self, name: &str, content: &str) -> ObjectPath {
        let from = tempfile::tempdir().expect("tempdir");
        write(&from.path().join("bin/tool"), content, 0o755);
        self.store.add_directory(from.path(), name, &BTreeSet::new(), None, name).expect("add")
    }

    /// Adds a tree of one link into another object.
    fn linked(&self, name: &str, to: &ObjectPath) -> ObjectPath {
        let target = PathBuf::from("..").join(to.name().to_string()).join("bin/tool");
        let references = BTreeSet::from([to.name().clone()]);
        let built = self
            .store
            .add_built(name, &references, &mut |dir| fs::symlink(&target, &dir.join("tool")));
        built.expect("build")
    }

    /// What is in a directory of the store.
    fn list(&self, dir: &str) -> Vec<String> {
        let names = fs::read_dir_names_if_exists(&self.store.root().join(dir)).expect("list");
        names.iter().map(|n| n.to_string_lossy().into_owned()).collect()
    }

    /// That nothing is left but what is registered.
    fn assert_clean(&self) {
        assert_eq!(self.list("tmp"), Vec::<String>::new());
        assert_eq!(self.list("store").len(), self.list("meta").len());
    }
}

fn store_at(root: &Path) -> Store {
    Store::new(root.to_owned(), root.join("artifacts"), Duration::from_secs(20))
}

fn write(path: &Path, content: &str, mode: u32) {
    fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
    fs::write_atomic(path, content.as_bytes()).expect("write");
    fs::chmod(path, mode).expect("chmod");
}

/// Changes one byte and puts size, mode and mtime back, as someone who hides it would.
fn tamper(path: &Path) {
    let before = fs::lstat(path).expect("lstat");
    let mut bytes = fs::read(path).expect("read");
    bytes[0] ^= 1;
    fs::chmod(path, 0o644).expect("chmod");
    // The clock behind ctime may tick slowly: go on until the change got a time of its own.
    loop {
        use std::io::{Seek as _, Write as _};
        let mut file = fs::open_rw(path).expect("open");
        file.rewind().and_then(|()| file.write_all(&bytes)).expect("write");
        drop(file);
        fs::set_mtime_nofollow(path, before.mtime()).expect("mtime");
        fs::chmod(path, before.mode() & 0o7777).expect("chmod");
        let after = fs::lstat(path).expect("lstat");
        let time = |m: &std::fs::Metadata| (m.ctime(), m.ctime_nsec());
        if time(&after) != time(&before) {
            assert_eq!((after.size(), after.ino()), (before.size(), before.ino()));
            assert_eq!((after.mtime(), after.mode()), (before.mtime(), before.mode()));
            return;
        }
        fs::chmod(path, 0o644).expect("chmod");
    }
}
