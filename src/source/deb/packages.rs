//! A list of packages: the stanzas of one name in it.
//!
//! Reference: deb822(5) and the Debian wiki, "DebianRepository/Format". A list has tens of megabytes
//! and a lock needs a few names, so it is kept as text and searched. Refuses a stanza without what
//! is needed to fetch and verify its package. Invariant: a file's path stays below its repository.

use memchr::memmem;

use super::release::{is_below, shorten};
use crate::base::{Algorithm, Integrity, SourceKind, Version};

/// A package as its list has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: Version,
    /// Its path below the repository's base.
    pub(super) file: String,
    pub(super) size: u64,
    pub(super) integrity: Integrity,
    /// `Pre-Depends` and `Depends`, as written.
    pub(super) depends: String,
    /// `Provides`, as written.
    pub(super) provides: String,
    /// Whether every system has it.
    pub(super) essential: bool,
}

/// Every package of a name in a list; versions that cannot be understood are passed over.
pub(super) fn find(list: &[u8], name: &str) -> Result<Vec<Package>, String> {
    let field = format!("Package: {name}\n");
    let mut out = Vec::new();
    for at in memmem::find_iter(list, field.as_bytes()) {
        // A whole line, first of its stanza or not.
        if at > 0 && list[at - 1] != b'\n' {
            continue;
        }
        let start = memmem::rfind(&list[..at], b"\n\n").map_or(0, |gap| gap + 2);
        let end = memmem::find(&list[at..], b"\n\n").map_or(list.len(), |gap| at + gap);
        let stanza = String::from_utf8_lossy(&list[start..end]);
        if let Some(package) = package(&stanza)? {
            out.push(package);
        }
    }
    Ok(out)
}

/// The package of a stanza; `None` when its version cannot be understood.
pub(super) fn package(stanza: &str) -> Result<Option<Package>, String> {
    let get = |name: &str| {
        stanza.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let need = |name: &str| get(name).ok_or_else(|| format!("a package has no `{name}`"));
    let Ok(version) = Version::of(SourceKind::Deb, need("Version")?) else { return Ok(None) };
    let file = need("Filename")?;
    let file = file.strip_prefix("./").unwrap_or(file);
    if file.is_empty() || !is_below(file) {
        return Err(format!("the file `{}` leaves the repository", shorten(file)));
    }
    let hash = need("SHA256")?;
    let integrity = Integrity::from_hex(Algorithm::Sha256, hash)
        .ok_or_else(|| format!("`{}` is no SHA-256 hash", shorten(hash)))?;
    let size = need("Size")?;
    let size = size.parse().map_err(|_| format!("`{}` is no size", shorten(size)))?;
    let depends: Vec<&str> = ["Pre-Depends", "Depends"].into_iter().filter_map(get).collect();
    Ok(Some(Package {
        name: need("Package")?.to_owned(),
        version,
        file: file.to_owned(),
        size,
        integrity,
        depends: depends.join(", "),
        provides: get("Provides").unwrap_or_default().to_owned(),
        essential: get("Essential") == Some("yes"),
    }))
}

/// The version without what an automatic rebuild on one architecture adds (`+b1`).
pub(super) fn without_rebuild(version: &str) -> &str {
    match version.rsplit_once("+b") {
        Some((rest, number))
            if !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()) =>
        {
            rest
        }
        _ => version,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stanza(name: &str, version: &str) -> String {
        format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nDescription: x\n \
             Package: not-this\nFilename: pool/{name}_{version}.deb\nSize: 5\nSHA256: {}\n",
            "0".repeat(64)
        )
    }

    #[test]
    fn finds_whole_names() {
        let list = [
            stanza("hello", "2.10-3"),
            stanza("hello-traditional", "1"),
            stanza("othello", "1"),
            stanza("hello", "1:2.12-1"),
            stanza("hello", "odd_version"),
        ]
        .join("\n");
        let found = find(list.as_bytes(), "hello").expect("found");
        let versions: Vec<_> = found.iter().map(|p| p.version.as_str()).collect();
        assert_eq!(versions, ["2.10-3", "1:2.12-1"]);
        assert_eq!(found[0].file, "pool/hello_2.10-3.deb");
        assert!(find(list.as_bytes(), "not-this").expect("none").is_empty());
        assert!(find(list.as_bytes(), "hell").expect("none").is_empty());
        assert!(find(b"", "hello").expect("none").is_empty());
    }

    #[test]
    fn refuses_what_cannot_be_verified() {
        let good = stanza("x", "1");
        for (from, to, why) in [
            ("SHA256", "SHA1", "no `SHA256`"),
            ("pool/", "../pool/", "leaves the repository"),
            ("pool/", "/pool/", "leaves the repository"),
            ("Size: 5", "Size: -5", "no size"),
        ] {
            let error = find(good.replace(from, to).as_bytes(), "x").expect_err(to);
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn rebuilds() {
        for (version, want) in [
            ("2.10-3+b1", "2.10-3"),
            ("2.10-3", "2.10-3"),
            ("2.10-3+b", "2.10-3+b"),
            ("2.10-3+build1", "2.10-3+build1"),
            ("2.10-3+deb12u1+b12", "2.10-3+deb12u1"),
        ] {
            assert_eq!(without_rebuild(version), want);
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(Package: a|Version: 1|Filename: f|\n\n|\n|\\PC){0,40}") {
            let _ = find(text.as_bytes(), "a");
        }
    }
}
