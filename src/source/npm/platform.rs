//! Which package of a family fits a platform.
//!
//! What a package's `os`, `cpu` and `libc` say decides; its name only decides in which order the
//! registry is asked, and stands in for a missing `libc`. Reference: the npm documentation of
//! `package.json`; `process.platform` and `process.arch` of Node.js for the words.

use std::collections::BTreeSet;

use super::file;
use super::packument::Manifest;
use crate::base::{Arch, Libc, Os, Platform};

fn os_word(os: Os) -> &'static str {
    match os {
        Os::Linux => "linux",
        Os::Darwin => "darwin",
        Os::Windows => "win32",
    }
}

fn cpu_word(arch: Arch) -> &'static str {
    match arch {
        Arch::X86_64 => "x64",
        Arch::Aarch64 => "arm64",
    }
}

fn libc_word(libc: Libc) -> &'static str {
    match libc {
        Libc::Glibc => "glibc",
        Libc::Musl => "musl",
    }
}

/// Optional dependencies (name, exact version) in the order they are looked at.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Group {
    /// Those whose name has the platform's words.
    pub(super) likely: Vec<(String, String)>,
    /// The others.
    pub(super) other: Vec<(String, String)>,
}

/// Sorts a parent's optional dependencies. Ranges are left out: which version they mean is not the
/// parent's word, and no family is published so.
pub(super) fn split(parent: &Manifest, platform: Platform) -> Group {
    let os: &[&str] = match platform.os() {
        Os::Linux => &["linux"],
        Os::Darwin => &["darwin", "macos", "osx"],
        Os::Windows => &["win32", "windows", "win"],
    };
    let cpu: &[&str] = match platform.arch() {
        Arch::X86_64 => &["x64", "x86_64", "amd64"],
        Arch::Aarch64 => &["arm64", "aarch64"],
    };
    let mut group = Group::default();
    for (key, wanted) in &parent.optional {
        let Some((name, version)) = exact(key, wanted) else { continue };
        // `x86_64` would else be cut in two.
        let name_words = name.replace("x86_64", "x64");
        let words: BTreeSet<_> = name_words.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
        let list = if has(os) && has(cpu) { &mut group.likely } else { &mut group.other };
        list.push((name.to_owned(), version.to_owned()));
    }
    group
}

/// `1.2.3`, `=1.2.3` or `npm:OTHER@1.2.3` as name and version.
fn exact<'a>(key: &'a str, wanted: &'a str) -> Option<(&'a str, &'a str)> {
    let (name, version) = match wanted.strip_prefix("npm:") {
        Some(alias) => alias.rsplit_once('@').filter(|(name, _)| !name.is_empty())?,
        None => (key, wanted),
    };
    let version = version.strip_prefix('=').unwrap_or(version).trim();
    let starts_well = version.as_bytes().first().is_some_and(u8::is_ascii_digit);
    let release = version.split(['-', '+']).next()?;
    let full = release.split('.').count() == 3
        && release.split('.').all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    (file::is_package(name) && starts_well && full && !version.contains(char::is_whitespace))
        .then_some((name, version))
}

/// Whether a list allows a word: named, or not excluded by `!word` in a list of exclusions.
fn listed(list: &[String], word: &str) -> bool {
    let excluded = list.iter().any(|w| w.strip_prefix('!') == Some(word));
    let mut positive = list.iter().filter(|w| !w.starts_with('!')).peekable();
    !excluded && (positive.peek().is_none() || positive.any(|w| w == word || w == "any"))
}

/// Whether a package may be installed on a platform, as far as it says itself.
pub(super) fn allows(manifest: &Manifest, platform: Platform) -> bool {
    listed(&manifest.os, os_word(platform.os()))
        && listed(&manifest.cpu, cpu_word(platform.arch()))
        && platform.libc().is_none_or(|libc| listed(&manifest.libc, libc_word(libc)))
}

/// Whether it is a platform package for this platform.
pub(super) fn fits(manifest: &Manifest, platform: Platform) -> bool {
    manifest.is_for_a_platform() && allows(manifest, platform)
}

/// The member of a family for a platform. One that names the C library goes before one that does
/// not (a static program serves both); then the first by name.
pub(super) fn best(members: &[Manifest], platform: Platform) -> Option<&Manifest> {
    members
        .iter()
        .filter(|member| fits(member, platform))
        .filter_map(|member| {
            let neutral = match (platform.libc(), libc_of(member)) {
                (Some(ours), Some(theirs)) if ours != theirs => return None,
                (Some(_), None) => true,
                _ => false,
            };
            Some(((neutral, &member.name), member))
        })
        .min_by(|(a, _), (b, _)| a.cmp(b))
        .map(|(_, member)| member)
}

/// The one C library that a package needs; by its name where it does not say.
fn libc_of(member: &Manifest) -> Option<Libc> {
    let has = |libc| listed(&member.libc, libc_word(libc));
    match (member.libc.is_empty(), has(Libc::Glibc), has(Libc::Musl)) {
        (false, true, false) => Some(Libc::Glibc),
        (false, false, true) => Some(Libc::Musl),
        (false, ..) => None,
        (true, ..) => {
            let mut words = member.name.split(|c: char| !c.is_ascii_alphanumeric());
            words.find_map(|word| match word {
                "musl" => Some(Libc::Musl),
                "gnu" | "glibc" => Some(Libc::Glibc),
                _ => None,
            })
        }
    }
}

/// Why there is nothing: the packages there are instead.
pub(super) fn packages(parent: &Manifest) -> String {
    let names: Vec<_> = parent.optional.keys().map(String::as_str).collect();
    format!("its platform packages are {}", names.join(", "))
}

/// Why there is nothing: what the package says it is for.
pub(super) fn limits(manifest: &Manifest) -> String {
    let lists = [("os", &manifest.os), ("cpu", &manifest.cpu), ("libc", &manifest.libc)];
    let said: Vec<_> = lists
        .iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(key, list)| format!("{key} {}", list.join(", ")))
        .collect();
    format!("it is for {}", said.join("; "))
}

#[cfg(test)]
mod tests {
    use super::super::packument::tests::manifest;
    use super::*;

    fn member(name: &str, os: &str, cpu: &str, libc: &str) -> Manifest {
        let libc = if libc.is_empty() { String::new() } else { format!(r#","libc":["{libc}"]"#) };
        manifest(name, "1.0.0", &format!(r#"{{"os":["{os}"],"cpu":["{cpu}"]{libc}}}"#))
    }

    fn chosen(members: &[Manifest], platform: Platform) -> Option<&str> {
        best(members, platform).map(|m| m.name.as_str())
    }

    #[test]
    fn libc_named_goes_before_neutral_and_never_wrong() {
        use Platform::{X86_64Linux as Gnu, X86_64LinuxMusl as Musl};
        let both = [
            member("@b/cli-linux-x64", "linux", "x64", "glibc"),
            member("@b/cli-linux-x64-musl", "linux", "x64", "musl"),
        ];
        assert_eq!(chosen(&both, Gnu), Some("@b/cli-linux-x64"));
        assert_eq!(chosen(&both, Musl), Some("@b/cli-linux-x64-musl"));
        let by_name = [
            member("l-linux-x64-gnu", "linux", "x64", ""),
            member("l-linux-x64-musl", "linux", "x64", ""),
        ];
        assert_eq!(chosen(&by_name, Gnu), Some("l-linux-x64-gnu"));
        assert_eq!(chosen(&by_name, Musl), Some("l-linux-x64-musl"));
        let neutral = [member("@e/linux-x64", "linux", "x64", "")];
        assert_eq!(chosen(&neutral, Gnu), Some("@e/linux-x64"));
        assert_eq!(chosen(&neutral, Musl), Some("@e/linux-x64"));
        assert_eq!(chosen(&both[..1], Musl), None);
        assert_eq!(chosen(&both, Platform::Aarch64Linux), None);
    }

    #[test]
    fn helpers_for_one_system_are_no_family() {
        let watcher = manifest("fsevents", "2.3.3", r#"{"os":["darwin"]}"#);
        assert!(!fits(&watcher, Platform::Aarch64Darwin));
        assert!(allows(&watcher, Platform::Aarch64Darwin));
    }

    #[test]
    fn lists_may_exclude() {
        let m = manifest("t", "1.0.0", r#"{"os":["!win32"],"cpu":["any"]}"#);
        assert!(allows(&m, Platform::X86_64Linux));
        assert!(!allows(&m, Platform::X86_64Windows));
        assert_eq!(limits(&m), "it is for os !win32; cpu any");
    }

    #[test]
    fn likely_names_are_asked_first() {
        let parent = manifest(
            "t",
            "1.0.0",
            r#"{"optionalDependencies":{"@t/linux-x64":"1.0.0","t-linux-x86_64-musl":"=1.0.0-rc.1",
                "@t/darwin-arm64":"1.0.0","@t/darwin-universal":"1.0.0","t-win32-arm64-msvc":"1.0.0",
                "range":"^1.0.0","alias":"npm:@o/linux-x64@2.0.0","git":"github:a/b"}}"#,
        );
        let names = |list: &[(String, String)]| -> Vec<String> {
            list.iter().map(|(n, v)| format!("{n}@{v}")).collect()
        };
        let group = split(&parent, Platform::X86_64Linux);
        assert_eq!(
            names(&group.likely),
            ["@t/linux-x64@1.0.0", "@o/linux-x64@2.0.0", "t-linux-x86_64-musl@1.0.0-rc.1"]
        );
        assert_eq!(group.other.len(), 3);
        let windows = split(&parent, Platform::Aarch64Windows);
        assert_eq!(names(&windows.likely), ["t-win32-arm64-msvc@1.0.0"]);
        assert!(packages(&parent).starts_with("its platform packages are @t/darwin-arm64, "));
    }
}
