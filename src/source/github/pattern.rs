//! The profile's pattern for the name of a release's file.
//!
//! `*` is any text, `?` any character. `${version}` is the version; `${os}`, `${arch}`, `${libc}`
//! and `${ext}` match every word that publishers use for them, in any case, unless the profile maps
//! ours to theirs; `${exe}` is `.exe` on Windows. Invariant: an unknown word is an error.

use std::collections::BTreeMap;

use super::words::ENDINGS;
use crate::base::{Arch, Libc, Os, Platform, Version};

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Any,
    One,
    /// One of these lower-case words.
    Of(Vec<String>),
}

/// A pattern for one version and platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    parts: Vec<Part>,
}

impl Pattern {
    /// Reads a pattern; `mapped` has the publisher's words by ours.
    pub(super) fn new(
        text: &str,
        version: &Version,
        platform: Platform,
        mapped: &BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        loop {
            let (before, after) = rest.split_once("${").map_or((rest, None), |(b, a)| (b, Some(a)));
            globs(before, &mut parts);
            let Some(after) = after else { break };
            let (name, tail) =
                after.split_once('}').ok_or_else(|| "a `${` is never closed".to_owned())?;
            parts.push(if name == "version" {
                Part::Text(version.to_string())
            } else {
                word(name, platform, mapped)?
            });
            rest = tail;
        }
        Ok(Self { parts })
    }

    /// Whether it is the pattern of a name.
    pub(super) fn matches(&self, name: &str) -> bool {
        matches(&self.parts, name)
    }
}

fn globs(text: &str, parts: &mut Vec<Part>) {
    let mut plain = String::new();
    for c in text.chars() {
        let glob = match c {
            '*' => Part::Any,
            '?' => Part::One,
            _ => {
                plain.push(c);
                continue;
            }
        };
        if !plain.is_empty() {
            parts.push(Part::Text(std::mem::take(&mut plain)));
        }
        // Two stars are one, and would only cost time.
        if !(glob == Part::Any && parts.last() == Some(&Part::Any)) {
            parts.push(glob);
        }
    }
    if !plain.is_empty() {
        parts.push(Part::Text(plain));
    }
}

fn word(name: &str, platform: Platform, mapped: &BTreeMap<String, String>) -> Result<Part, String> {
    let of = |words: &[&str]| Part::Of(words.iter().map(|w| (*w).to_owned()).collect());
    let theirs = |ours: &str| mapped.get(ours).map(|theirs| Part::Text(theirs.clone()));
    let is_mac = platform.os() == Os::Darwin;
    Ok(match name {
        "os" => match platform.os() {
            Os::Linux => theirs("linux").unwrap_or_else(|| of(&["linux"])),
            Os::Darwin => theirs("darwin")
                .unwrap_or_else(|| of(&["darwin", "macosx", "macos", "mac", "osx", "apple"])),
            Os::Windows => {
                theirs("windows").unwrap_or_else(|| of(&["windows", "win32", "win64", "win"]))
            }
        },
        "arch" => match platform.arch() {
            Arch::X86_64 => theirs("x86_64").unwrap_or_else(|| {
                let mut words = vec!["x86_64", "x86-64", "amd64", "x64", "64bit", "intel"];
                words.extend(UNIVERSAL.iter().filter(|_| is_mac));
                of(&words)
            }),
            Arch::Aarch64 => theirs("aarch64").unwrap_or_else(|| {
                let mut words = vec!["aarch64", "arm64", "armv8"];
                words.extend(UNIVERSAL.iter().filter(|_| is_mac));
                of(&words)
            }),
        },
        "libc" => match platform.libc() {
            Some(Libc::Glibc) => of(&["gnu", "glibc"]),
            Some(Libc::Musl) => of(&["musl", "alpine"]),
            None => Part::Text(String::new()),
        },
        "ext" => {
            Part::Of(ENDINGS.iter().filter(|e| **e != ".exe").map(|e| e[1..].to_owned()).collect())
        }
        "exe" if platform.os() == Os::Windows => Part::Text(".exe".to_owned()),
        "exe" => Part::Text(String::new()),
        _ => return Err(format!("`${{{name}}}` is not a word of it")),
    })
}

const UNIVERSAL: [&str; 3] = ["universal2", "universal", "all"];

fn matches(parts: &[Part], name: &str) -> bool {
    let Some((first, rest)) = parts.split_first() else { return name.is_empty() };
    match first {
        Part::Text(text) => name.strip_prefix(text.as_str()).is_some_and(|n| matches(rest, n)),
        Part::One => {
            let mut chars = name.chars();
            chars.next().is_some() && matches(rest, chars.as_str())
        }
        Part::Of(words) => words.iter().any(|word| {
            name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
                && matches(rest, &name[word.len()..])
        }),
        Part::Any => {
            // The last star takes the rest at once: without this, many stars cost much.
            rest.is_empty()
                || name.char_indices().any(|(at, _)| matches(rest, &name[at..]))
                || matches(rest, "")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pattern(text: &str, platform: Platform, mapped: &[(&str, &str)]) -> Result<Pattern, String> {
        let mapped = mapped.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        Pattern::new(text, &"1.2.3".parse().expect("version"), platform, &mapped)
    }

    #[test]
    fn matches_names() {
        use Platform::{Aarch64Darwin, X86_64Linux, X86_64LinuxMusl, X86_64Windows};
        for (text, platform, name, want) in [
            ("t_${version}_${os}_${arch}.${ext}", X86_64Linux, "t_1.2.3_Linux_x86_64.tar.gz", true),
            ("t_${version}_${os}_${arch}.${ext}", X86_64Linux, "t_1.2.3_linux_amd64.zip", true),
            ("t_${version}_${os}_${arch}.${ext}", X86_64Linux, "t_1.2.4_linux_amd64.zip", false),
            ("t_${version}_${os}_${arch}.${ext}", X86_64Linux, "t_1.2.3_linux_arm64.zip", false),
            ("t_${version}_${os}_${arch}.${ext}", X86_64Linux, "T_1.2.3_linux_amd64.zip", false),
            ("t-${os}-${arch}", Aarch64Darwin, "t-macOS-universal", true),
            ("t-${os}-${arch}", X86_64Linux, "t-linux-universal", false),
            ("t*-${arch}${exe}", X86_64Windows, "t-win-x64.exe", true),
            ("t*-${arch}${exe}", X86_64Linux, "t-linux-x64.exe", false),
            ("t-*-${libc}.*", X86_64LinuxMusl, "t-linux-MUSL.tgz", true),
            ("t-?.zip", X86_64Linux, "t-ä.zip", true),
            ("t-?.zip", X86_64Linux, "t-.zip", false),
            ("t.zip", X86_64Linux, "t.zip.sha256", false),
            ("*", X86_64Linux, "anything", true),
        ] {
            let pattern = pattern(text, platform, &[]).expect(text);
            assert_eq!(pattern.matches(name), want, "{text} {name}");
        }
        let mapped = [("linux", "Linux"), ("x86_64", "64")];
        let pattern = pattern("t-${os}-${arch}", X86_64Linux, &mapped).expect("a pattern");
        assert!(pattern.matches("t-Linux-64") && !pattern.matches("t-linux-64"));
        assert!(!pattern.matches("t-Linux-amd64"));
    }

    #[test]
    fn refuses_unknown_words() {
        for (text, why) in [("${nope}", "`${nope}`"), ("t-${os", "never closed")] {
            let error = pattern(text, Platform::X86_64Linux, &[]).expect_err(text);
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,20}", name in "\\PC{0,30}", t in "(\\*|\\?|a|\\$\\{os\\}|ä){0,8}") {
            for text in [&s, &t] {
                if let Ok(pattern) = pattern(text, Platform::X86_64Linux, &[]) {
                    let _ = pattern.matches(&name);
                }
            }
        }
        #[test]
        fn plain_text_is_itself(name in "[a-z0-9._-]{1,20}", other in "[a-z0-9._-]{1,20}") {
            let pattern = pattern(&name, Platform::X86_64Linux, &[]).expect("plain");
            prop_assert!(pattern.matches(&name));
            prop_assert_eq!(pattern.matches(&other), name == other);
        }
    }
}
