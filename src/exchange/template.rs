//! One `url:` template from the addresses of several platforms.
//!
//! Tries the usual words for operating systems and processors and keeps the template that most
//! platforms agree on. Pure. Invariant: for every platform it covers, the template expands to the
//! very address that was given.

use std::collections::{BTreeMap, BTreeSet};

use crate::archive::Format;
use crate::base::{Arch, Os, Platform, Version};

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inferred {
    /// With `${version}`, `${os}`, `${arch}`, `${ext}` and `${exe}`.
    pub(super) template: String,
    /// The publisher's words by ours, where they differ.
    pub(super) words: BTreeMap<&'static str, String>,
    /// The platforms that it covers.
    pub(super) platforms: BTreeSet<Platform>,
}

const OS: &[(Os, &str, &[&str])] = &[
    (
        Os::Linux,
        "linux",
        &["unknown-linux-gnu", "unknown-linux-musl", "linux-gnu", "linux-musl", "linux", "Linux"],
    ),
    (Os::Darwin, "darwin", &["apple-darwin", "darwin", "Darwin", "macos", "macOS", "osx", "mac"]),
    (
        Os::Windows,
        "windows",
        &["pc-windows-msvc", "pc-windows-gnu", "windows", "Windows", "win32", "win"],
    ),
];

const ARCH: &[(Arch, &str, &[&str])] = &[
    (Arch::X86_64, "x86_64", &["x86_64", "amd64", "x64", "64bit", "AMD64"]),
    (Arch::Aarch64, "aarch64", &["aarch64", "arm64", "ARM64"]),
];

/// A way to read one address.
struct Reading {
    template: String,
    os: Option<&'static str>,
    arch: Option<&'static str>,
}

/// The template that covers most of the addresses.
pub(super) fn infer(version: &str, urls: &BTreeMap<Platform, String>) -> Option<Inferred> {
    let mut by_template: BTreeMap<String, BTreeMap<Platform, Reading>> = BTreeMap::new();
    for (platform, url) in urls {
        for reading in readings(*platform, version, url) {
            let of = by_template.entry(reading.template.clone()).or_default();
            of.entry(*platform).or_insert(reading);
        }
    }
    let found = by_template.into_iter().map(|(template, readings)| agreed(template, readings));
    found.min_by_key(|f| {
        let marks = f.template.matches("${").count();
        (usize::MAX - f.platforms.len(), marks, f.template.clone())
    })
}

/// The platforms whose readings use the same words as those before.
fn agreed(template: String, readings: BTreeMap<Platform, Reading>) -> Inferred {
    let mut words: BTreeMap<&'static str, String> = BTreeMap::new();
    let mut platforms = BTreeSet::new();
    for (platform, reading) in readings {
        let ours = [
            OS.iter().find(|(os, ..)| *os == platform.os()).map(|(_, word, _)| *word),
            ARCH.iter().find(|(arch, ..)| *arch == platform.arch()).map(|(_, word, _)| *word),
        ];
        let theirs = [reading.os, reading.arch];
        let pairs =
            || ours.iter().zip(theirs).filter_map(|(ours, theirs)| Some(((*ours)?, theirs?)));
        if pairs().all(|(ours, theirs)| words.get(ours).is_none_or(|known| known == theirs)) {
            words.extend(pairs().map(|(ours, theirs)| (ours, theirs.to_owned())));
            platforms.insert(platform);
        }
    }
    words.retain(|ours, theirs| ours != theirs);
    Inferred { template, words, platforms }
}

fn readings(platform: Platform, version: &str, url: &str) -> Vec<Reading> {
    let url = if version.is_empty() { url.to_owned() } else { url.replace(version, "${version}") };
    let os_words = OS.iter().find(|(os, ..)| *os == platform.os()).map(|(.., words)| *words);
    let arch_words =
        ARCH.iter().find(|(arch, ..)| *arch == platform.arch()).map(|(.., words)| *words);
    let with_none = |words: Option<&'static [&'static str]>| {
        words.unwrap_or_default().iter().copied().map(Some).chain([None]).collect::<Vec<_>>()
    };
    let mut out = Vec::new();
    for os in with_none(os_words) {
        let Some(one) = replaced(&url, os, "${os}") else { continue };
        for arch in with_none(arch_words) {
            let Some(two) = replaced(&one, arch, "${arch}") else { continue };
            for template in endings(platform, &two) {
                out.push(Reading { template, os, arch });
            }
        }
    }
    out
}

/// Every whole occurrence of a word replaced; `None` when there is none.
fn replaced(text: &str, word: Option<&str>, mark: &str) -> Option<String> {
    let Some(word) = word else { return Some(text.to_owned()) };
    let mut out = String::new();
    let mut last = 0;
    for (at, _) in text.match_indices(word) {
        let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphabetic());
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        let whole = !is_letter(before.chars().next_back()) && !is_letter(after.chars().next());
        if whole && at >= last && !before.ends_with("${") {
            out.push_str(&text[last..at]);
            out.push_str(mark);
            last = at + word.len();
        }
    }
    out.push_str(&text[last..]);
    (last > 0).then_some(out)
}

/// The same address with its ending as it is, and as the words for endings give it.
fn endings(platform: Platform, text: &str) -> Vec<String> {
    let mut out = vec![text.to_owned()];
    let windows = platform.os() == Os::Windows;
    let (archive, program) = if windows { (".zip", ".exe") } else { (".tar.gz", "") };
    if let Some(stem) = text.strip_suffix(archive) {
        out.push(format!("{stem}.${{ext}}"));
    }
    if let Some(stem) = text.strip_suffix(program)
        && Format::of_name(text) == Some(Format::File)
    {
        out.push(format!("{stem}${{exe}}"));
    }
    out
}

/// The version that an address names: the last part of it that has two dots, or one.
pub(super) fn version_in(url: &str) -> Option<Version> {
    let path = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = path.split_once('/').map_or("", |(_, path)| path);
    let mut found: Vec<&str> = path
        .split(|c: char| !(c.is_ascii_digit() || c == '.'))
        .map(|part| part.trim_matches('.'))
        .filter(|part| part.contains('.') && part.parse::<Version>().is_ok())
        .collect();
    found.sort_by_key(|part| part.matches('.').count().min(2));
    found.last().and_then(|part| part.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(list: &[(Platform, &str)]) -> Inferred {
        let urls = list.iter().map(|(p, u)| (*p, (*u).to_owned())).collect();
        infer("1.2.3", &urls).expect("a template")
    }

    #[test]
    fn words_and_endings() {
        let found = of(&[
            (Platform::X86_64Linux, "http://mirror.invalid/v1.2.3/t_1.2.3_linux_amd64.tar.gz"),
            (Platform::Aarch64Linux, "http://mirror.invalid/v1.2.3/t_1.2.3_linux_arm64.tar.gz"),
            (Platform::Aarch64Darwin, "http://mirror.invalid/v1.2.3/t_1.2.3_macOS_arm64.tar.gz"),
            (Platform::X86_64Windows, "http://mirror.invalid/v1.2.3/t_1.2.3_windows_amd64.zip"),
        ]);
        assert_eq!(
            found.template,
            "http://mirror.invalid/v${version}/t_${version}_${os}_${arch}.${ext}"
        );
        assert_eq!(found.platforms.len(), 4);
        let words: Vec<_> = found.words.iter().map(|(k, v)| format!("{k}={v}")).collect();
        assert_eq!(words, ["aarch64=arm64", "darwin=macOS", "x86_64=amd64"]);
    }

    #[test]
    fn triples_programs_and_strays() {
        let found = of(&[
            (Platform::X86_64Linux, "http://mirror.invalid/t-x86_64-unknown-linux-musl"),
            (Platform::X86_64Windows, "http://mirror.invalid/t-x86_64-pc-windows-msvc.exe"),
            (Platform::Aarch64Darwin, "http://mirror.invalid/other/mac"),
        ]);
        assert_eq!(
            found.template, "http://mirror.invalid/t-x86_64-${os}${exe}",
            "no more words than needed"
        );
        assert_eq!(found.platforms.len(), 2, "the stray one is left out");
        let one = of(&[(Platform::X86_64Linux, "http://mirror.invalid/1.2.3/x-linux.tar.gz")]);
        assert_eq!(one.template, "http://mirror.invalid/${version}/x-linux.tar.gz");
    }

    #[test]
    fn versions() {
        let of = |url| version_in(url).map(|v| v.to_string());
        assert_eq!(of("http://a.1.2.3/x/v4.5.6/t_4.5.6.tar.gz").as_deref(), Some("4.5.6"));
        assert_eq!(of("http://mirror.invalid/1.7/t").as_deref(), Some("1.7"));
        assert_eq!(of("http://mirror.invalid/t"), None);
    }

    proptest! {
        #[test]
        fn never_panics(url in "\\PC{0,60}", version in "[0-9.]{0,4}") {
            let urls = Platform::ALL.into_iter().map(|p| (p, url.clone())).collect();
            let _ = infer(&version, &urls);
            let _ = version_in(&url);
        }
    }
}
