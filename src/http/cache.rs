//! The index cache: documents on disk with what is needed to ask whether they changed.
//!
//! One file per URL and `Accept`: a line of JSON, then the body. Invariant: an entry is used only
//! when its length and hash are those in its line, so a torn or foreign file is no entry. A cache
//! that cannot be read or written costs time, never a failure.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use serde::{Deserialize, Serialize};

use super::Get;
use crate::base::Integrity;
use crate::fs::{self, Context as _};

/// Where one document is kept.
#[derive(Debug)]
pub(super) struct Slot {
    path: PathBuf,
}

/// What lets a server say "not modified".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validators {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) etag: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_modified: Option<String>,
    /// Its `Link` header: a document that did not change comes without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
}

/// A kept document.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) validators: Validators,
    pub(super) body: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    validators: Validators,
    integrity: Integrity,
}

impl Slot {
    pub(super) fn new(directory: &Path, request: &Get) -> Self {
        // A URL holds no newline, so the two cannot run into each other.
        let key = format!("{}\n{}", request.url, request.accept.unwrap_or_default());
        let name = Integrity::sha256_of(key.as_bytes()).hex();
        Self { path: directory.join(&name[..2]).join(&name[2..]) }
    }

    /// Of what a caller worked out from a document, under a name that says from which.
    pub(super) fn derived(directory: &Path, key: &str) -> Self {
        // A URL has no space, so that no document has such a name.
        let name = Integrity::sha256_of(format!("derived {key}").as_bytes()).hex();
        Self { path: directory.join(&name[..2]).join(&name[2..]) }
    }

    pub(super) fn read(&self) -> Option<Entry> {
        let mut bytes = fs::read(&self.path).ok()?;
        let end = bytes.iter().position(|b| *b == b'\n')?;
        let line: Line = serde_json::from_slice(&bytes[..end]).ok()?;
        let body = bytes.split_off(end + 1);
        (Integrity::sha256_of(&body) == line.integrity)
            .then_some(Entry { validators: line.validators, body })
    }

    /// Forgets the document.
    pub(super) fn remove(&self) {
        let _ = fs::remove_file_if_exists(&self.path);
    }

    /// Keeps a document. Not synced: the hash in its line finds what a crash left torn.
    pub(super) fn write(&self, validators: Validators, body: &[u8]) {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let n = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temp = self.path.with_extension(format!("{}-{n}.tmp", std::process::id()));
        let write = || -> fs::Result<()> {
            if let Some(directory) = self.path.parent() {
                // The cache is often the first thing in a store, which is its owner's alone.
                directory.parent().map_or(Ok(()), fs::create_dir_in_private)?;
                fs::create_dir_all(directory)?;
            }
            let line = Line { validators, integrity: Integrity::sha256_of(body) };
            let mut head = serde_json::to_vec(&line).unwrap_or_default();
            head.push(b'\n');
            let mut file = fs::create_new(&temp)?;
            file.write_all(&head).and_then(|()| file.write_all(body)).context("write", &temp)?;
            fs::rename(&temp, &self.path)
        };
        if write().is_err() {
            let _ = fs::remove_file_if_exists(&temp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(directory: &Path, accept: Option<&'static str>) -> Slot {
        let url = "http://mirror.invalid/simple/x/".parse().unwrap();
        Slot::new(directory, &Get { url, accept, authorization: None })
    }

    #[test]
    fn keeps_by_url_and_accept() {
        let dir = tempfile::tempdir().unwrap();
        let json = slot(dir.path(), Some("application/json"));
        let validators = Validators { etag: Some("\"1\"".to_owned()), ..Validators::default() };
        assert!(json.read().is_none());
        json.write(validators.clone(), b"{}\n\n");
        json.write(validators.clone(), b"{\"a\"\n:1}");
        let entry = json.read().unwrap();
        assert_eq!((entry.validators, &entry.body[..]), (validators, &b"{\"a\"\n:1}"[..]));
        assert!(slot(dir.path(), None).read().is_none());
        slot(dir.path(), None).remove();
        assert!(json.read().is_some());
        json.remove();
        assert!(json.read().is_none());
    }

    #[test]
    fn what_is_derived_stands_apart() {
        let dir = tempfile::tempdir().unwrap();
        let slot = |key: &str| Slot::derived(dir.path(), key);
        slot("a").write(Validators::default(), b"one");
        assert_eq!(slot("a").read().unwrap().body, b"one");
        assert!(slot("b").read().is_none());
        let url = "http://mirror.invalid/simple/x/";
        slot(url).write(Validators::default(), b"two");
        assert!(self::slot(dir.path(), None).read().is_none(), "not the document of that URL");
    }

    #[test]
    fn a_damaged_entry_is_none() {
        let dir = tempfile::tempdir().unwrap();
        let slot = slot(dir.path(), None);
        slot.write(Validators::default(), b"a body");
        let whole = fs::read(&slot.path).unwrap();
        for end in 0..whole.len() {
            fs::write_atomic(&slot.path, &whole[..end]).unwrap();
            assert!(slot.read().is_none(), "cut at {end}");
        }
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_silent() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write_atomic(&file, b"").unwrap();
        let slot = slot(&file, None);
        slot.write(Validators::default(), b"x");
        assert!(slot.read().is_none());
    }
}
