//! Archives made by hand and by the crates, opened, hashed and unpacked.

mod behaviour;
mod hostile_deb;
mod hostile_tar;
mod hostile_zip;
pub(super) mod make;
mod round_trip;
mod sevenz;
mod stack;
mod stack_models;

use std::path::{Path, PathBuf};

use super::limits::Limits;
use super::{Archive, Error, Format, Options, Refusal};
use crate::base::{Diagnose as _, Kind};

fn options(format: Format) -> Options {
    Options { format, strip: 0, file_name: "tool".into() }
}

fn open(bytes: &[u8], format: Format) -> Result<Archive, Error> {
    Archive::open(make::file(bytes), "x.archive", &options(format))
}

/// A directory to unpack into, with a file beside it that must survive.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        crate::fs::create_dir(&dir.path().join("into")).expect("into");
        let mut file = crate::fs::create_new(&dir.path().join("precious")).expect("precious");
        std::io::Write::write_all(&mut file, b"kept").expect("precious");
        Self { dir }
    }

    fn target(&self) -> PathBuf {
        self.dir.path().join("into")
    }

    /// Nothing but the target directory was touched.
    fn assert_untouched(&self) {
        let names = crate::fs::read_dir_names(self.dir.path()).expect("names");
        assert_eq!(names, ["into", "precious"]);
        let precious = crate::fs::read(&self.dir.path().join("precious")).expect("precious");
        assert_eq!(precious, b"kept");
    }

    fn is_empty(&self) -> bool {
        crate::fs::read_dir_names(&self.target()).expect("names").is_empty()
    }
}

/// Opening fails, so that nothing can have been written.
fn refused(bytes: &[u8], format: Format) -> Error {
    refused_within(bytes, format, &Limits::DEFAULT)
}

fn refused_within(bytes: &[u8], format: Format, limits: &Limits) -> Error {
    let place = Place::new();
    let error = match Archive::open_within(make::file(bytes), "x.archive", &options(format), limits)
    {
        Err(error) => error,
        Ok(mut archive) => {
            let entries = archive.entries().to_vec();
            let result = archive.unpack(&place.target());
            panic!("opened: {entries:?}, unpacked: {result:?}")
        }
    };
    place.assert_untouched();
    assert!(place.is_empty());
    assert!(error.to_string().contains("x.archive"), "{error}");
    assert!(!error.to_string().chars().any(char::is_control), "{error:?}");
    assert!(!error.hints().is_empty(), "{error}");
    error
}

/// Opening fails because of this entry.
fn assert_refusal(bytes: &[u8], format: Format, why: &Refusal) {
    let error = refused(bytes, format);
    assert_eq!(error.kind(), Kind::Integrity);
    match &error {
        Error::Refused { why: found, .. } => assert_eq!(found, why, "{error}"),
        _ => panic!("{error:?} instead of {why:?}"),
    }
}

/// What is announced at opening proves wrong when bytes are read; nothing lands outside.
fn fails_later(bytes: &[u8], format: Format) -> Error {
    let place = Place::new();
    let hash = open(bytes, format).expect("opens").hash().expect_err("hash");
    let unpack = open(bytes, format).expect("opens").unpack(&place.target()).expect_err("unpack");
    assert_eq!(hash.to_string(), unpack.to_string());
    assert_eq!(unpack.kind(), Kind::Integrity);
    place.assert_untouched();
    unpack
}

fn names(archive: &Archive) -> Vec<&str> {
    archive.entries().iter().map(|e| e.path.as_str()).collect()
}

fn rel(path: &str) -> crate::base::RelPath {
    crate::base::RelPath::new(path).expect("path")
}

fn exists(path: &Path) -> bool {
    crate::fs::exists(path).expect("exists")
}
