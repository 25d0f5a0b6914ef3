//! What a checksum file says of one file, by a rule that somebody names beforehand.
//!
//! Refuses hashes of another kind than the rule names. Invariant: a hash is only given for the
//! file's own name, or where the text speaks of one file alone.

use regex_lite::Regex;
use serde::{Deserialize, Serialize};

use super::checksum;
use crate::base::{Algorithm, Integrity};

/// How a checksum file is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sums {
    /// The kind of hash in it.
    pub algorithm: Algorithm,
    /// How a hash is found.
    pub read: Read,
}

/// How a hash is found in a checksum file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Read {
    /// Lines of `sha256sum` or BSD, or one hash alone.
    Lines,
    /// The hash stands alone.
    Raw,
    /// By regular expressions with one group each.
    Patterns {
        /// The hash in a line.
        checksum: String,
        /// The file's name in the same line.
        file: Option<String>,
    },
}

impl Sums {
    /// The hash of a file.
    ///
    /// # Errors
    /// Why there is none, in words.
    pub fn find(&self, text: &str, file: &str) -> Result<Integrity, &'static str> {
        find(text, file, self)
    }
}

fn find(text: &str, asset: &str, by: &Sums) -> Result<Integrity, &'static str> {
    match &by.read {
        Read::Lines => {
            let hash = checksum::find(text, asset)?;
            if hash.algorithm() == by.algorithm {
                Ok(hash)
            } else {
                Err("its hash is of another kind than it should be")
            }
        }
        Read::Raw => {
            let word = text.split_whitespace().next().unwrap_or_default();
            hash(by.algorithm, word).ok_or("it is not one hash alone")
        }
        Read::Patterns { checksum, file } => {
            let regex = |text: &str| Regex::new(text).map_err(|_| "its pattern is not understood");
            let checksum = regex(checksum)?;
            let file = file.as_deref().map(regex).transpose()?;
            let group =
                |regex: &Regex, line: &str| Some(regex.captures(line)?.get(1)?.as_str().to_owned());
            let mut found = None;
            for line in text.lines() {
                let Some(hex) = group(&checksum, line) else { continue };
                match &file {
                    None => {
                        found = Some(hex);
                        break;
                    }
                    // The last line about it counts, as for those who write the patterns.
                    Some(file) if group(file, line).as_deref() == Some(asset) => found = Some(hex),
                    Some(_) => {}
                }
            }
            let hex = found.ok_or("no line of it fits the pattern and names the file")?;
            hash(by.algorithm, &hex).ok_or("what the pattern finds is no such hash")
        }
    }
}

fn hash(algorithm: Algorithm, hex: &str) -> Option<Integrity> {
    Integrity::from_hex(algorithm, &hex.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn by(algorithm: Algorithm, read: Read) -> Sums {
        Sums { algorithm, read }
    }

    fn patterns(checksum: &str, file: Option<&str>) -> Read {
        Read::Patterns { checksum: checksum.to_owned(), file: file.map(str::to_owned) }
    }

    #[test]
    fn every_format() {
        let (a, b, long) = ("ab".repeat(32), "CD".repeat(32), "ef".repeat(64));
        let line = patterns(r"^(\b[A-Fa-f0-9]{64}\b)", Some(r"^\b[A-Fa-f0-9]{64}\b\s+(\S+)$"));
        let bsd = patterns(
            r"^SHA512\s+\([^)]+\)\s+=\s+([A-Fa-f0-9]{128})$",
            Some(r"^SHA512\s+\(([^)]+)\)\s+=\s+[A-Fa-f0-9]{128}$"),
        );
        use Algorithm::{Sha256, Sha512};
        for (text, by, want) in [
            (format!("{a}  t.zip\n{b}  u.zip"), by(Sha256, Read::Lines), a.clone()),
            (format!("{b}\n"), by(Sha256, Read::Raw), b.to_lowercase()),
            (format!("{a}  whatever"), by(Sha256, Read::Raw), a.clone()),
            (format!("{a} x.zip\n{b} t.zip"), by(Sha256, line), b.to_lowercase()),
            (format!("noise\n{a}\n{b}"), by(Sha256, patterns("^([a-f0-9]{64})$", None)), a.clone()),
            (format!("SHA256 (t.zip) = {a}\nSHA512 (t.zip) = {long}"), by(Sha512, bsd), long),
        ] {
            assert_eq!(find(&text, "t.zip", &by).map(|h| h.hex()), Ok(want), "{text}");
        }
    }

    #[test]
    fn refuses() {
        let a = "ab".repeat(32);
        for (text, by, why) in [
            (format!("{a}  t.zip"), by(Algorithm::Sha512, Read::Lines), "another kind"),
            (format!("{a}  u.zip"), by(Algorithm::Sha256, Read::Lines), "no line"),
            ("<html>".to_owned(), by(Algorithm::Sha256, Read::Raw), "alone"),
            (a.clone(), by(Algorithm::Sha256, patterns("(", None)), "not understood"),
            (a.clone(), by(Algorithm::Sha256, patterns("(x)", None)), "no line"),
            (a.clone(), by(Algorithm::Sha256, patterns("(ab)", None)), "no such hash"),
        ] {
            let error = find(&text, "t.zip", &by).expect_err(&text);
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,80}", pattern in "\\PC{0,20}") {
            let read = patterns(&pattern, Some(&pattern));
            let _ = find(&text, "t.zip", &by(Algorithm::Sha256, read));
            let _ = find(&text, "t.zip", &by(Algorithm::Sha256, Read::Raw));
        }
    }
}
