//! Writing the lock file: the only place that makes its bytes.
//!
//! Invariant: the same [`Lock`] gives the same bytes, and a file whose bytes would not change is
//! not touched.

use std::path::Path;

use super::error::{Error, Result};
use super::model::Lock;
use super::v1::FileV1;
use crate::base::Integrity;
use crate::fs;

impl Lock {
    /// One hash over the wishes that this lock answers; equals
    /// [`super::Requirements::summary`] of the requirements it was made from.
    pub fn summary(&self) -> Integrity {
        super::requirements::summary(self.deps.iter().map(|(dep, locked)| {
            (dep, locked.requirement.clone(), locked.platforms.keys().copied().collect())
        }))
    }
}

/// The file's bytes: two-space indent, sorted maps, a newline at the end.
pub fn to_bytes(lock: &Lock) -> Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec_pretty(&FileV1::of(lock)).map_err(Error::Encode)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// Writes the lock file as one step; says whether its bytes changed. On error the old file stays.
pub fn write(path: &Path, lock: &Lock) -> Result<bool> {
    let bytes = to_bytes(lock)?;
    let same = fs::missing_is_none(fs::read(path))?.is_some_and(|old| old == bytes);
    if same {
        // A killed writer may have meant to change what is right again.
        fs::sweep_siblings(path);
    } else {
        fs::write_atomic(path, &bytes)?;
    }
    Ok(!same)
}

#[cfg(test)]
mod tests {
    use super::super::{fixture, parse, read};
    use super::*;
    use proptest::prelude::*;

    const GOLDEN: &str = include_str!("../../tests/fixtures/lock/v1.json");

    #[test]
    fn golden() {
        let bytes = to_bytes(&fixture::lock()).expect("bytes");
        assert_eq!(String::from_utf8(bytes).expect("text"), GOLDEN);
        let lock = parse(GOLDEN, Path::new("v1.json")).expect("parse");
        assert_eq!(lock, fixture::lock());
    }

    #[test]
    fn does_not_touch_an_equal_file() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("dep.lock.json");
        let lock = fixture::lock();
        assert!(write(&path, &lock).expect("write"));
        let before = fs::lstat(&path).expect("stat");
        assert!(!write(&path, &lock).expect("write"));
        use std::os::unix::fs::MetadataExt as _;
        assert_eq!(fs::lstat(&path).expect("stat").ino(), before.ino());
        assert_eq!(read(&path).expect("read"), lock);
        assert!(write(&path, &Lock::default()).expect("write"));
    }

    #[test]
    fn the_summary_is_that_of_the_requirements() {
        assert_eq!(fixture::lock().summary(), fixture::requirements().summary());
    }

    proptest! {
        #[test]
        fn round_trips(lock in fixture::any_lock()) {
            let bytes = to_bytes(&lock).expect("bytes");
            let text = String::from_utf8(bytes.clone()).expect("text");
            let back = parse(&text, Path::new("x")).expect("parse");
            prop_assert_eq!(&back, &lock);
            prop_assert_eq!(to_bytes(&back).expect("bytes"), bytes);
        }
    }
}
