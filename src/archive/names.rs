//! What a path in an archive may look like, and when two are the same.
//!
//! Refuses every path that could mean something else on another system. Owns the order of a tree
//! walk and the folding under which names collide.

use std::cmp::Ordering;

use icu_normalizer::DecomposingNormalizerBorrowed;

use super::Refusal;
use super::limits::{MAX_COMPONENT, MAX_DEPTH, MAX_PATH};

/// The path without leading `./` and trailing `/`; empty for the root itself.
pub(super) fn clean(name: &[u8]) -> Result<&str, Refusal> {
    let mut text = std::str::from_utf8(name).map_err(|_| Refusal::NotUtf8)?;
    if text.is_empty() {
        return Err(Refusal::Nameless);
    }
    while let Some(rest) = text.strip_prefix("./") {
        text = rest;
    }
    if text.is_empty() || text == "." {
        return Ok("");
    }
    if text.starts_with('/') {
        return Err(Refusal::Absolute);
    }
    let text = text.strip_suffix('/').unwrap_or(text);
    if text.contains('\\') {
        return Err(Refusal::Backslash);
    }
    if text.chars().any(is_control) {
        return Err(Refusal::Control);
    }
    if matches!(text.as_bytes(), [drive, b':', ..] if drive.is_ascii_alphabetic()) {
        return Err(Refusal::Absolute);
    }
    if text.len() > MAX_PATH {
        return Err(Refusal::TooLong);
    }
    for (depth, component) in text.split('/').enumerate() {
        match component {
            ".." => return Err(Refusal::Parent),
            "" | "." => return Err(Refusal::OddComponent),
            _ if component.len() > MAX_COMPONENT => return Err(Refusal::TooLong),
            _ if depth >= MAX_DEPTH => return Err(Refusal::TooDeep),
            _ => {}
        }
    }
    Ok(text)
}

/// Characters that are not seen but change what is: control characters, line and paragraph
/// separators, those that turn the direction of text, and the byte order mark.
pub(super) fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Characters that HFS+ passes over when it compares names.
pub(super) fn is_ignored(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{206a}'..='\u{206f}')
}

/// The order of a walk: by components, bytewise, parents first. Not the order of the strings:
/// `a/b` comes before `a.b`.
pub(super) fn tree_order(a: &str, b: &str) -> Ordering {
    // No path holds a byte 0, so that a slash can sort below every other byte.
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    a.bytes().map(key).cmp(b.bytes().map(key))
}

/// The form in which two names are the same on filesystems that ignore case or Unicode form: each
/// character's case folded on its own, then canonically decomposed, without what HFS+ does not
/// compare.
pub(super) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let nfd = DecomposingNormalizerBorrowed::new_nfd();
    // Upper case first unites what has several lower cases (final sigma, long s).
    let folded: String = nfd
        .normalize(text)
        .chars()
        .filter(|c| !is_ignored(*c))
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .collect();
    nfd.normalize(&folded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_only_what_is_harmless() {
        for (name, path) in
            [("a", "a"), ("./a/b", "a/b"), ("././a", "a"), ("a/", "a"), ("./", ""), (".", "")]
        {
            assert_eq!(clean(name.as_bytes()), Ok(path), "{name}");
        }
        for (name, why) in [
            ("", Refusal::Nameless),
            ("/", Refusal::Absolute),
            ("/etc/passwd", Refusal::Absolute),
            (".//a", Refusal::Absolute),
            ("C:/x", Refusal::Absolute),
            ("..", Refusal::Parent),
            ("../a", Refusal::Parent),
            ("a/../b", Refusal::Parent),
            ("a/..", Refusal::Parent),
            ("a//b", Refusal::OddComponent),
            ("a//", Refusal::OddComponent),
            ("a/./b", Refusal::OddComponent),
            ("a\\b", Refusal::Backslash),
            ("a\0", Refusal::Control),
            ("a\nb", Refusal::Control),
            ("a\u{9b}b", Refusal::Control),
            ("gpj.\u{202e}exe", Refusal::Control),
            ("\u{feff}a", Refusal::Control),
            (&"n".repeat(256), Refusal::TooLong),
            (&"n/".repeat(2049), Refusal::TooLong),
            (&vec!["d"; 129].join("/"), Refusal::TooDeep),
        ] {
            assert_eq!(clean(name.as_bytes()), Err(why), "{name:?}");
        }
        assert_eq!(clean(b"\xff"), Err(Refusal::NotUtf8));
        assert!(clean(vec!["d"; 128].join("/").as_bytes()).is_ok());
    }

    #[test]
    fn folds_case_and_form() {
        for (a, b) in [
            ("README", "readme"),
            ("é", "e\u{301}"),
            ("É", "e\u{301}"),
            ("ΑΣ", "ας"),
            ("ſ", "S"),
            ("\u{212a}", "k"),
            ("STRASSE", "straße"),
            ("ﬁ", "FI"),
            (".g\u{200c}it", ".git"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        for (a, b) in [("a", "b"), ("e", "é"), ("a/b", "ab")] {
            assert_ne!(fold(a), fold(b), "{a} {b}");
        }
    }

    #[test]
    fn orders_as_a_walk_does() {
        let mut paths = ["a0", "a.b", "a/b", "a", "B", "a/b/c", "a/b.c", "ä"];
        paths.sort_by(|a, b| tree_order(a, b));
        assert_eq!(paths, ["B", "a", "a/b", "a/b/c", "a/b.c", "a.b", "a0", "ä"]);
    }
}
