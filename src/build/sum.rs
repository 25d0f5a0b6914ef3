//! Checksums of modules, as `go.sum` and the checksum database have them.
//!
//! `h1:` is the SHA-256, in base 64, over one line for each file, sorted by name: the file's own
//! SHA-256 in hexadecimal, two spaces, its name. Of a zip the names are those in it, of a `go.mod`
//! it is `go.mod`. Reference: <https://go.dev/ref/mod#go-sum-files>. Invariant: a sum is computed
//! from every byte of the file it is about, never taken from a file beside it.

use std::fmt;
use std::path::Path;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest as _, Sha256};

use super::error::{Error, Result};
use super::names;
use crate::archive::{Archive, EntryKind, Format, Options};
use crate::fs;

/// A line of `go.sum`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// The module.
    pub module: String,
    /// Its version, with its `v`.
    pub version: String,
    /// Whether it is about the module's `go.mod` alone, not its zip.
    pub is_mod: bool,
    /// `h1:…`
    pub sum: String,
}

impl Line {
    /// Reads a line; `None` when it is none, or names what cannot be a module.
    pub fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let (module, version, sum) = (words.next()?, words.next()?, words.next()?);
        if words.next().is_some() {
            return None;
        }
        let (version, is_mod) = match version.strip_suffix("/go.mod") {
            Some(version) => (version, true),
            None => (version, false),
        };
        let digest = BASE64.decode(sum.strip_prefix("h1:")?.as_bytes()).ok()?;
        let good = digest.len() == 32 && names::is_package(module) && names::is_version(version);
        good.then(|| Self {
            module: module.to_owned(),
            version: version.to_owned(),
            is_mod,
            sum: sum.to_owned(),
        })
    }

    /// The file's path below a module proxy: `example.com/a/@v/v1.0.0.zip`.
    pub fn file(&self) -> String {
        let ending = if self.is_mod { "mod" } else { "zip" };
        file(&self.module, &self.version, ending)
    }

    /// What of which module it is about: `example.com/a v1.0.0`, `example.com/a v1.0.0/go.mod`.
    pub fn about(&self) -> String {
        let ending = if self.is_mod { "/go.mod" } else { "" };
        format!("{} {}{ending}", self.module, self.version)
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.about(), self.sum)
    }
}

/// The path of a file of a module's version below a proxy.
pub fn file(module: &str, version: &str, ending: &str) -> String {
    format!("{}/@v/{}.{ending}", names::escape(module), names::escape(version))
}

/// The module of a package among sums: the longest path in them that is a prefix of the package's.
pub fn module_of<'a>(sums: &'a [Line], package: &str, version: &str) -> Option<&'a str> {
    names::prefixes(package).find_map(|prefix| {
        let found = sums.iter().find(|l| !l.is_mod && l.module == prefix && l.version == version);
        found.map(|line| line.module.as_str())
    })
}

/// The sum of a `go.mod`.
pub fn of_mod(bytes: &[u8]) -> String {
    of_files([("go.mod".to_owned(), Sha256::digest(bytes).into())].into())
}

/// The sum of a module's zip. Blocking; reads all of it.
pub fn of_zip(path: &Path) -> Result<String> {
    let shown = path.display().to_string();
    let options = Options { format: Format::Zip, strip: 0, file_name: String::new() };
    let unreadable = |e| Error::Zip { path: path.to_owned(), source: Box::new(e) };
    let mut archive = Archive::open(fs::open(path)?, &shown, &options).map_err(unreadable)?;
    let mut files = Vec::new();
    for entry in archive.entries().to_vec() {
        if let EntryKind::File { .. } = entry.kind {
            let bytes = archive.read(&entry.path).map_err(unreadable)?;
            files.push((entry.path.as_str().to_owned(), Sha256::digest(&bytes).into()));
        }
    }
    Ok(of_files(files))
}

/// The sum of the file behind a line.
pub fn of_file(path: &Path, is_mod: bool) -> Result<String> {
    if is_mod { Ok(of_mod(&fs::read(path)?)) } else { of_zip(path) }
}

fn of_files(mut files: Vec<(String, [u8; 32])>) -> String {
    files.sort_unstable();
    let mut all = Sha256::new();
    for (name, hash) in files {
        all.update(HEXLOWER.encode(&hash).as_bytes());
        all.update(b"  ");
        all.update(name.as_bytes());
        all.update(b"\n");
    }
    format!("h1:{}", BASE64.encode(&all.finalize()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines() {
        let sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        for text in [
            format!("example.com/A v1.0.0 {sum}"),
            format!("example.com/a v1.0.0-RC1+incompatible/go.mod {sum}"),
        ] {
            let line = Line::read(&text).expect("a line");
            assert_eq!(line.to_string(), text);
        }
        let line = Line::read(&format!("example.com/A v1.0.0-RC1/go.mod {sum}")).expect("a line");
        assert_eq!(line.file(), "example.com/!a/@v/v1.0.0-!r!c1.mod");
        for bad in [
            String::new(),
            format!("example.com/a v1.0.0 {sum} x"),
            "example.com/a v1.0.0 h1:AAAA".to_owned(),
            "example.com/a v1.0.0 h2:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
            format!("../../a v1.0.0 {sum}"),
            format!("example.com/../a v1.0.0 {sum}"),
            format!("example.com/a v1/../../x {sum}"),
        ] {
            assert_eq!(Line::read(&bad), None, "{bad}");
        }
    }

    #[test]
    fn the_longest_module_is_a_packages_own() {
        let sum = "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
        let line = |text: &str| Line::read(&format!("{text} {sum}")).expect("a line");
        let sums = [
            line("example.com/a v1.0.0"),
            line("example.com/a/b v0.9.0"),
            line("example.com/a/cmd v1.0.0/go.mod"),
        ];
        let of = |package, version| module_of(&sums, package, version);
        assert_eq!(of("example.com/a/b/cmd", "v0.9.0"), Some("example.com/a/b"));
        assert_eq!(of("example.com/a/b/cmd", "v1.0.0"), Some("example.com/a"));
        assert_eq!(of("example.com/a/cmd", "v1.0.0"), Some("example.com/a"));
        assert_eq!(of("example.com/ab", "v1.0.0"), None);
    }

    /// Known from Go itself: the sum of a `go.mod` that holds `module example.com/a\n`, and of a
    /// zip with that file and one in a directory.
    #[test]
    fn as_go_computes_it() {
        let text = b"module example.com/a\n";
        let hash = HEXLOWER.encode(&Sha256::digest(text));
        let list = format!("{hash}  go.mod\n");
        let want = format!("h1:{}", BASE64.encode(&Sha256::digest(list.as_bytes())));
        assert_eq!(of_mod(text), want);
        // An empty list, by the definition.
        assert_eq!(of_files(Vec::new()), "h1:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    }

    #[test]
    fn files_of_a_zip_in_the_order_of_their_names() {
        use std::io::Write as _;
        let dir = tempfile::tempdir().expect("tempdir");
        let make = |name: &str, files: &[(&str, &str)]| {
            let path = dir.path().join(name);
            let mut zip = zip::ZipWriter::new(fs::create_new(&path).expect("create"));
            for (file, text) in files {
                let options = zip::write::SimpleFileOptions::default();
                zip.start_file(*file, options).expect("start");
                zip.write_all(text.as_bytes()).expect("write");
            }
            zip.finish().expect("finish");
            of_zip(&path).expect("sum")
        };
        // `a.b` sorts before `a/b` here, unlike in a walk through a tree.
        let (one, two) = (("m@v1/a/b", "1"), ("m@v1/a.b", "2"));
        let sum = make("1.zip", &[one, two]);
        assert_eq!(sum, make("2.zip", &[two, one]));
        let hash = |text: &str| HEXLOWER.encode(&Sha256::digest(text.as_bytes()));
        let list = format!("{}  m@v1/a.b\n{}  m@v1/a/b\n", hash("2"), hash("1"));
        assert_eq!(sum, format!("h1:{}", BASE64.encode(&Sha256::digest(list.as_bytes()))));
        assert_ne!(sum, make("3.zip", &[one, ("m@v1/a.b", "3")]));
        fs::write_atomic(&dir.path().join("4.zip"), b"PK").expect("write");
        assert!(of_zip(&dir.path().join("4.zip")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,80}") {
            if let Some(line) = Line::read(&text) {
                prop_assert_eq!(line.to_string(), text);
            }
        }
    }
}
