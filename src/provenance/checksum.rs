//! Checksum files: `sha256sum` lines, BSD lines, or one bare hash.
//!
//! Invariant: a hash is only given when every matching line agrees. Lengths other than those of
//! SHA-256 and SHA-512 are not read at all. Reference: coreutils, "md5sum invocation" (both line
//! formats, and the backslash before escaped names).

use crate::base::{Algorithm, Integrity};

/// The hash of a file.
///
/// # Errors
/// Why there is none, in words.
pub fn find(text: &str, file: &str) -> Result<Integrity, &'static str> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut exact = Vec::new();
    let mut in_folder = Vec::new();
    for (name, hash) in lines().filter_map(line) {
        let name = name.strip_prefix("./").unwrap_or(&name);
        if name == file {
            exact.push(hash);
        } else if name.rsplit(['/', '\\']).next() == Some(file) {
            in_folder.push(hash);
        }
    }
    if exact.is_empty() {
        exact = in_folder;
    }
    if exact.is_empty() {
        // A file beside the artifact may hold the hash alone.
        let mut all = lines();
        if let (Some(only), None) = (all.next(), all.next())
            && let Some(hash) = from_hex(only)
        {
            return Ok(hash);
        }
        return Err("no line with a SHA-256 or SHA-512 hash names it");
    }
    exact.sort();
    exact.dedup();
    if exact.windows(2).any(|pair| pair[0].algorithm() == pair[1].algorithm()) {
        return Err("lines that name it disagree");
    }
    exact.into_iter().next().ok_or("no line names it")
}

/// File name and hash of a line.
fn line(line: &str) -> Option<(String, Integrity)> {
    bsd(line).or_else(|| gnu(line))
}

/// `HEX  NAME` or `HEX *NAME`; a backslash in front says that the name is escaped.
fn gnu(line: &str) -> Option<(String, Integrity)> {
    let (escaped, line) = match line.strip_prefix('\\') {
        Some(rest) => (true, rest),
        None => (false, line),
    };
    let (hex, rest) = line.split_once([' ', '\t'])?;
    let hash = from_hex(hex)?;
    let rest = rest.trim_start();
    let name = rest.strip_prefix('*').unwrap_or(rest);
    let name = if escaped {
        name.replace("\\n", "\n").replace("\\r", "\r").replace("\\\\", "\\")
    } else {
        name.to_owned()
    };
    (!name.is_empty()).then_some((name, hash))
}

/// `SHA256 (NAME) = HEX`, also as OpenSSL writes it: `SHA2-256(NAME)= HEX`.
fn bsd(line: &str) -> Option<(String, Integrity)> {
    let (front, hex) = line.rsplit_once('=')?;
    let (algorithm, name) = front.trim_end().strip_suffix(')')?.split_once('(')?;
    let algorithm = match algorithm.trim().to_ascii_uppercase().as_str() {
        "SHA256" | "SHA2-256" | "SHA-256" => Algorithm::Sha256,
        "SHA512" | "SHA2-512" | "SHA-512" => Algorithm::Sha512,
        _ => return None,
    };
    Some((name.to_owned(), Integrity::from_hex(algorithm, hex)?))
}

fn from_hex(hex: &str) -> Option<Integrity> {
    match hex.len() {
        64 => Integrity::from_hex(Algorithm::Sha256, hex),
        128 => Integrity::from_hex(Algorithm::Sha512, hex),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(byte: &str, len: usize) -> String {
        byte.repeat(len)
    }

    #[test]
    fn reads_every_format() {
        let (a, b, long) = (hex("ab", 32), hex("CD", 32), hex("ef", 64));
        for (text, want) in [
            (format!("{b}  other.zip\n{a}  t.zip\n"), &a),
            (format!("{b} *other.zip\r\n{a} *t.zip\r\n"), &a),
            (format!("\u{feff}{a}\tt.zip"), &a),
            (format!("{a}  ./t.zip"), &a),
            (format!("{a}  dist/t.zip"), &a),
            (format!("{b}  old/t.zip\n{a}  t.zip"), &a),
            (format!("{a}  t.zip\n{a}  t.zip"), &a),
            (format!("\\{a}  a\\\\t.zip\n{b}  x"), &a),
            (format!("SHA256 (t.zip) = {a}\nSHA512 (t.zip) = {long}"), &a),
            (format!("MD5 (t.zip) = 00\nSHA512 (t.zip) = {long}"), &long),
            (format!("SHA2-256(t.zip)= {a}"), &a),
            (format!("{long}  t.zip"), &long),
            (format!("\n  {a}\n"), &a),
        ] {
            assert_eq!(find(&text, "t.zip").map(|i| i.hex()).as_ref(), Ok(want), "{text}");
        }
        assert_eq!(find(&b, "t.zip").map(|i| i.hex()), Ok(b.to_lowercase()));
    }

    #[test]
    fn refuses() {
        let (a, b) = (hex("ab", 32), hex("cd", 32));
        for (text, why) in [
            (String::new(), "no line"),
            (format!("{a}  t.zip.sig"), "no line"),
            (format!("{a}  not-t.zip"), "no line"),
            (format!("{}  t.zip", hex("ab", 20)), "no line"),
            (format!("{a}  t.zip\n{b}  t.zip"), "disagree"),
            (format!("{a}  x/t.zip\n{b}  y/t.zip"), "disagree"),
            (format!("{a}\n{b}"), "no line"),
            ("<html>not found</html>".to_owned(), "no line"),
        ] {
            let error = find(&text, "t.zip").expect_err(&text);
            assert!(error.contains(why), "{error}: {text}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,80}", t in "(SHA256|\\(|\\)|=| |t.zip|\\\\|\n|[0-9a-f]{64}){0,8}") {
            let _ = find(&s, "t.zip");
            let _ = find(&t, "t.zip");
        }
        #[test]
        fn finds_its_line(names in proptest::collection::btree_set("[a-z]{1,8}", 1..6), pick in any::<prop::sample::Index>()) {
            let names: Vec<_> = names.into_iter().collect();
            let hash = |n: &str| Integrity::sha256_of(n.as_bytes());
            let text: String = names.iter().map(|n| format!("{}  {n}\n", hash(n).hex())).collect();
            let name = &names[pick.index(names.len())];
            prop_assert_eq!(find(&text, name), Ok(hash(name)));
        }
    }
}
