//! A repository's index of indexes (`Release`), after its signature was found good.
//!
//! Reference: the Debian wiki, "DebianRepository/Format". Refuses indexes without SHA-256. Invariant:
//! paths of [`Release::files`] stay below the suite.

use std::collections::BTreeMap;

use crate::base::{Algorithm, Integrity};

/// What a suite says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Release {
    /// `stable`
    pub(super) suite: Option<String>,
    /// `bookworm`
    pub(super) codename: Option<String>,
    /// The moment from which on it must not be believed any more, as written.
    pub(super) valid_until: Option<String>,
    /// Architectures that it has.
    pub(super) architectures: Vec<String>,
    /// Whether files can be had below `by-hash/`.
    pub(super) by_hash: bool,
    /// Whether apt takes nothing from it unless told to, as from backports.
    pub(super) not_automatic: bool,
    /// Whether its lists for one architecture hold the packages for all, too.
    pub(super) all_is_in_each: bool,
    /// Indexes by path, with hash and size.
    pub(super) files: BTreeMap<String, (Integrity, u64)>,
}

impl Release {
    /// Reads the text of a `Release`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut out = Self::default();
        let mut in_hashes = false;
        for line in text.lines() {
            if line.starts_with([' ', '\t']) {
                if in_hashes {
                    let (path, file) = file(line)?;
                    out.files.insert(path, file);
                }
                continue;
            }
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            in_hashes = key.eq_ignore_ascii_case("SHA256");
            match key.to_ascii_lowercase().as_str() {
                "suite" => out.suite = Some(value.to_owned()),
                "codename" => out.codename = Some(value.to_owned()),
                "valid-until" => out.valid_until = Some(value.to_owned()),
                "architectures" => {
                    out.architectures = value.split_whitespace().map(str::to_owned).collect();
                }
                "acquire-by-hash" => out.by_hash = value.eq_ignore_ascii_case("yes"),
                "notautomatic" => out.not_automatic = value.eq_ignore_ascii_case("yes"),
                "no-support-for-architecture-all" => {
                    out.all_is_in_each = value.eq_ignore_ascii_case("packages");
                }
                _ => {}
            }
        }
        if out.files.is_empty() {
            return Err("it lists no files with SHA-256 hashes".to_owned());
        }
        Ok(out)
    }

    /// Whether it is what was asked for: another suite's signed index must not pass for it.
    pub(super) fn is(&self, suite: &str) -> bool {
        let same = |name: &Option<String>| {
            name.as_deref().is_some_and(|name| {
                name == suite
                    || suite.strip_suffix("/updates") == Some(name.trim_end_matches("-security"))
            })
        };
        (self.suite.is_none() && self.codename.is_none())
            || same(&self.suite)
            || same(&self.codename)
    }

    /// Whether it has lists of its own for an architecture. Packages for `all` are in every other
    /// list too, unless the suite says that it has a list for them alone.
    pub(super) fn has_list(&self, architecture: &str) -> bool {
        let has = self.architectures.iter().any(|one| one == architecture);
        match architecture {
            "all" => has && !self.all_is_in_each,
            _ => has || self.architectures.is_empty(),
        }
    }

    /// The signed hash of a list of packages, in the best form that there is.
    pub(super) fn list(&self, component: Option<&str>, architecture: &str) -> Option<&Integrity> {
        let plain = list_path(component, architecture);
        let mut forms = SUFFIXES.iter().map(|suffix| format!("{plain}{suffix}"));
        forms.find_map(|path| self.files.get(&path)).map(|(hash, _)| hash)
    }

    /// Whether it is past its `Valid-Until`.
    pub(super) fn has_expired(&self, now: jiff::Timestamp) -> Result<bool, String> {
        let Some(text) = &self.valid_until else { return Ok(false) };
        // The format's zone has a name that RFC 2822 does not know.
        let text = text.replace(" UTC", " +0000");
        let until = jiff::fmt::rfc2822::DateTimeParser::new()
            .parse_zoned(&text)
            .map_err(|_| format!("`{text}` is no date"))?;
        Ok(until.timestamp() < now)
    }
}

/// Compressions of a list, best first.
pub(super) const SUFFIXES: [&str; 4] = [".xz", ".gz", ".bz2", ""];

/// Where a list lies below its suite, before it is compressed.
pub(super) fn list_path(component: Option<&str>, architecture: &str) -> String {
    match component {
        Some(component) => format!("{component}/binary-{architecture}/Packages"),
        None => "Packages".to_owned(),
    }
}

/// ` <hash> <size> <path>`
fn file(line: &str) -> Result<(String, (Integrity, u64)), String> {
    let mut words = line.split_whitespace();
    let (Some(hash), Some(size), Some(path), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(format!("the line `{}` is not `hash size path`", shorten(line)));
    };
    let hash = Integrity::from_hex(Algorithm::Sha256, hash)
        .ok_or_else(|| format!("`{}` is no SHA-256 hash", shorten(hash)))?;
    let size = size.parse().map_err(|_| format!("`{}` is no size", shorten(size)))?;
    if !is_below(path) {
        return Err(format!("the path `{}` leaves the suite", shorten(path)));
    }
    Ok((path.to_owned(), (hash, size)))
}

/// Whether a path stays below where it is looked for.
pub(super) fn is_below(path: &str) -> bool {
    !path.starts_with('/')
        && !path.contains('\\')
        && !path.chars().any(char::is_control)
        && path.split('/').all(|part| part != "..")
}

pub(super) fn shorten(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "Origin: Test\nSuite: stable\nCodename: bookworm\n\
        Date: Sat, 11 Jan 2025 10:00:00 UTC\nValid-Until: Sat, 18 Jan 2025 10:00:00 UTC\n\
        Acquire-By-Hash: yes\nNo-Support-for-Architecture-all: Packages\n\
        Architectures: all amd64 arm64\nMD5Sum:\n 00 1 x\nSHA256:\n \
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855        0 main/binary-amd64/Packages.xz\n";

    #[test]
    fn reads_what_matters() {
        let release = Release::parse(TEXT).expect("release");
        assert_eq!(release.architectures, ["all", "amd64", "arm64"]);
        assert!(release.by_hash && !release.not_automatic && release.all_is_in_each);
        assert_eq!(release.files.len(), 1, "MD5 is no hash");
        let (hash, size) = &release.files["main/binary-amd64/Packages.xz"];
        assert_eq!((hash, *size), (&Integrity::sha256_of(b""), 0));
        let is = |suite| release.is(suite);
        assert!(is("stable") && is("bookworm") && !is("bullseye") && !is("stable-updates"));
        assert!(release.has_list("arm64") && !release.has_list("riscv64"));
        assert!(!release.has_list("all"), "they are in each");
        let apart = TEXT.replace("No-Support", "X-No-Support");
        assert!(Release::parse(&apart).expect("release").has_list("all"));
        let old = apart.replace("Architectures: all", "Architectures:");
        assert!(!Release::parse(&old).expect("release").has_list("all"));
        let at = |text: &str| text.parse().expect("time");
        assert!(!release.has_expired(at("2025-01-18T09:59:59Z")).expect("date"));
        assert!(release.has_expired(at("2025-01-18T10:00:01Z")).expect("date"));
    }

    #[test]
    fn refuses_what_is_no_index() {
        for (text, why) in [
            ("", "no files"),
            ("MD5Sum:\n 00 1 x\n", "no files"),
            ("SHA256:\n zz 1 x\n", "no SHA-256"),
            ("SHA256:\n zz 1\n", "is not `hash size path`"),
        ] {
            let error = Release::parse(text).expect_err(text);
            assert!(error.contains(why), "{error}");
        }
        for path in ["../x", "/x", "a/../../b"] {
            let text = format!("SHA256:\n {} 1 {path}\n", "0".repeat(64));
            assert!(Release::parse(&text).expect_err(path).contains("leaves"), "{path}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "(SHA256:\n|Valid-Until: | |\n|[0-9a-f]{64}|\\PC){0,40}") {
            if let Ok(release) = Release::parse(&text) {
                let _ = release.has_expired(jiff::Timestamp::UNIX_EPOCH);
            }
        }
    }
}
