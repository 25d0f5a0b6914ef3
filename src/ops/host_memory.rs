//! That a file of the store can start on this host, remembered.
//!
//! Reading what a program needs and what the host has takes longer than starting it, and neither
//! changes often. Remembered is only that nothing lacked, with every file and directory of the host
//! that this rested on: it holds while each is as it was (inode, size, times of change), so that a
//! loader, library or `ld.so.cache` that was replaced or removed is looked at again. The file itself
//! lies in an object, whose name is its hash. Invariant: a memory that cannot be read, or was
//! written for another file, is none.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::base::{Integrity, ObjectName};
use crate::binary::Host;
use crate::fs;

/// Most memories that are kept; all are forgotten when there are more.
const MOST: usize = 1000;

/// What is remembered of one file.
#[derive(Debug, Serialize, Deserialize)]
struct Verdict {
    object: String,
    file: PathBuf,
    /// What of the host it rests on; `None` of what is not there.
    host: BTreeMap<PathBuf, Option<Stamp>>,
}

/// What changes when a file is changed or replaced, or a directory gains or loses an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp(u64, u64, u64, i64, i64, i64, i64);

impl Stamp {
    /// Links are followed: where they lead is what is loaded.
    fn of(path: &Path) -> Option<Self> {
        let meta = fs::stat_if_exists(path).ok()??;
        let (changed, moved) = (meta.mtime(), meta.ctime());
        let (dev, ino, size) = (meta.dev(), meta.ino(), meta.size());
        Some(Self(dev, ino, size, changed, meta.mtime_nsec(), moved, meta.ctime_nsec()))
    }
}

/// The memory of one file of an object.
pub(super) struct Memory<'a> {
    directory: PathBuf,
    object: &'a ObjectName,
    file: &'a Path,
}

impl<'a> Memory<'a> {
    /// That of a file of an object, in the user's cache directory.
    pub(super) fn new(cache: &Path, object: &'a ObjectName, file: &'a Path) -> Self {
        Self { directory: cache.join("starts"), object, file }
    }

    fn path(&self) -> PathBuf {
        let file = self.file.as_os_str().as_encoded_bytes();
        let key = [self.object.to_string().as_bytes(), b"\0", file].concat();
        self.directory.join(format!("{}.json", &Integrity::sha256_of(&key).hex()[..32]))
    }

    /// Whether nothing lacked, and nothing that this rested on has changed.
    pub(super) fn holds(&self) -> bool {
        let Ok(bytes) = fs::read(&self.path()) else { return false };
        let Ok(known) = serde_json::from_slice::<Verdict>(&bytes) else { return false };
        let Verdict { object, file, host } = known;
        object == self.object.to_string()
            && file == self.file
            && host.iter().all(|(path, stamp)| Stamp::of(path) == *stamp)
    }

    /// Remembers that nothing lacks. Not being able to is no failure: it is looked at again.
    pub(super) fn keep(&self, host: &Host) {
        let stamped = host.relied_on().into_iter().map(|path| {
            let stamp = Stamp::of(&path);
            (path, stamp)
        });
        let (object, file) = (self.object.to_string(), self.file.to_owned());
        let verdict = Verdict { object, file, host: stamped.collect() };
        let Ok(text) = serde_json::to_vec(&verdict) else { return };
        if fs::read_dir_names_if_exists(&self.directory).is_ok_and(|names| names.len() >= MOST) {
            let _ = fs::remove_tree(&self.directory);
        }
        let written = fs::create_dir_all(&self.directory);
        let _ = written.and_then(|()| fs::write_atomic(&self.path(), &text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_while_nothing_changed() {
        let dir = tempfile::tempdir().expect("dir");
        let at = |name: &str| dir.path().join(name);
        let put = |name: &str, text: &str| {
            fs::create_dir_all(at(name).parent().expect("parent")).expect("mkdir");
            fs::write_atomic(&at(name), text.as_bytes()).expect("write");
        };
        put("host/bin/sh", "x");
        put("tool", "#!/bin/sh\n");
        let object: ObjectName = format!("{}-tool", "0".repeat(32)).parse().expect("name");
        let tool = at("tool");
        let memory = Memory::new(&at("cache"), &object, &tool);
        let look = || {
            let host = Host::at(&at("host"));
            assert_eq!(host.lacks_of(&tool).expect("read"), []);
            memory.keep(&host);
        };
        assert!(!memory.holds(), "nothing is known");
        look();
        assert!(memory.holds());
        // Another object, or another file of it, is another question.
        let other: ObjectName = format!("{}-tool", "1".repeat(32)).parse().expect("name");
        assert!(!Memory::new(&at("cache"), &other, &tool).holds());
        assert!(!Memory::new(&at("cache"), &object, &at("else")).holds());
        put("host/bin/sh", "y");
        assert!(!memory.holds(), "replaced");
        look();
        assert!(memory.holds());
        fs::remove_file_if_exists(&at("host/bin/sh")).expect("remove");
        assert!(!memory.holds(), "removed");
        put("host/bin/sh", "z");
        look();
        let kept = fs::read_dir_names(&at("cache/starts")).expect("list");
        put(&format!("cache/starts/{}", kept[0].to_string_lossy()), "{\"object");
        assert!(!memory.holds(), "damaged");
    }
}
