//! Which versions a list has of a package, as an earlier command read it there.
//!
//! A distribution's list takes a second to unpack and search. Owns the answers, beside the documents
//! of the metadata cache, each under the signed hash of its list and the package's name: another
//! list is another answer, and nobody has to ask whether it changed. Refuses one that does not
//! repeat both, or holds what is no version: it is made anew from the list. Invariant: no hash and no
//! path comes from here.

use crate::base::{Integrity, SourceKind, Version};
use crate::http;

fn key(list: &Integrity, package: &str) -> String {
    format!("deb-versions {list} {package}")
}

/// What a list had.
pub(super) fn get(client: &http::Client, list: &Integrity, package: &str) -> Option<Vec<Version>> {
    let key = key(list, package);
    read(&client.derived(&key)?, &key)
}

/// Keeps what a list has.
pub(super) fn put(client: &http::Client, list: &Integrity, package: &str, versions: &[Version]) {
    let key = key(list, package);
    client.keep_derived(&key, write(&key, versions).as_bytes());
}

fn write(key: &str, versions: &[Version]) -> String {
    let lines = std::iter::once(key).chain(versions.iter().map(Version::as_str));
    lines.map(|line| format!("{line}\n")).collect()
}

fn read(bytes: &[u8], key: &str) -> Option<Vec<Version>> {
    let mut lines = std::str::from_utf8(bytes).ok()?.lines();
    if lines.next()? != key {
        return None;
    }
    lines.map(|line| Version::of(SourceKind::Deb, line).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_answer_is_for_one_list_and_package() {
        let list = Integrity::sha256_of(b"a list");
        let versions: Vec<Version> = ["2.10-3", "1:2.12~rc1-1"]
            .map(|text| Version::of(SourceKind::Deb, text).expect("version"))
            .into();
        let asked = key(&list, "hello");
        let bytes = write(&asked, &versions);
        assert_eq!(read(bytes.as_bytes(), &asked).as_deref(), Some(&versions[..]));
        assert_eq!(
            read(write(&asked, &[]).as_bytes(), &asked),
            Some(Vec::new()),
            "that it has none"
        );
        for other in [key(&list, "hell"), key(&Integrity::sha256_of(b"another"), "hello")] {
            assert_eq!(read(bytes.as_bytes(), &other), None);
        }
        let damaged = bytes.replace("2.10-3", "no version");
        assert_eq!(read(damaged.as_bytes(), &asked), None);
        assert_eq!(read(b"", &asked), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = read(&bytes, "");
        }
    }
}
