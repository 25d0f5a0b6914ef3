//! Platform tags, and how well one fits a platform.
//!
//! References: PEP 513, 571, 599, 600 (manylinux), PEP 656 (musllinux), PyPA "Platform
//! compatibility tags" (macOS, Windows). Invariant: a tag that is not understood fits nothing.

use crate::base::{Arch, Libc, Os, Platform};

/// How well a tag fits; the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    class: Class,
    /// The oldest C library or macOS that it promises to run on: the lower, the more hosts.
    baseline: (u32, u32),
    /// A universal binary where a native one would be smaller.
    universal: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Made for this platform.
    Native,
    /// Made for this processor on Linux, with no promise about the C library.
    AnyLinux,
    /// Made for every platform.
    Anywhere,
}

/// How a platform tag fits a platform; `None` when it does not.
pub(super) fn rank(tag: &str, platform: Platform) -> Option<Rank> {
    let rank = |class, baseline, universal| Some(Rank { class, baseline, universal });
    if tag == "any" {
        return rank(Class::Anywhere, (0, 0), false);
    }
    let arch = |text: &str| text == word(platform);
    match platform.os() {
        Os::Windows => {
            let arch = match platform.arch() {
                Arch::X86_64 => "amd64",
                Arch::Aarch64 => "arm64",
            };
            (tag.strip_prefix("win_")? == arch)
                .then(|| rank(Class::Native, (0, 0), false))
                .flatten()
        }
        Os::Darwin => {
            let (version, rest) = versioned(tag.strip_prefix("macosx_")?)?;
            match rest {
                "universal2" => rank(Class::Native, version, true),
                rest if arch(rest) => rank(Class::Native, version, false),
                _ => None,
            }
        }
        Os::Linux => {
            if let Some(rest) = tag.strip_prefix("linux_") {
                // Not allowed on the public index; private ones have it.
                return (arch(rest) && platform.libc() == Some(Libc::Glibc))
                    .then(|| rank(Class::AnyLinux, (0, 0), false))
                    .flatten();
            }
            let (libc, version, rest) = linux(tag)?;
            (Some(libc) == platform.libc() && arch(rest))
                .then(|| rank(Class::Native, version, false))
                .flatten()
        }
    }
}

fn word(platform: Platform) -> &'static str {
    match (platform.arch(), platform.os()) {
        (Arch::X86_64, _) => "x86_64",
        (Arch::Aarch64, Os::Darwin) => "arm64",
        (Arch::Aarch64, _) => "aarch64",
    }
}

/// C library, its least version and the processor of a Linux tag.
fn linux(tag: &str) -> Option<(Libc, (u32, u32), &str)> {
    // The names that came before PEP 600, with the glibc they stand for.
    for (prefix, version) in
        [("manylinux1_", (2, 5)), ("manylinux2010_", (2, 12)), ("manylinux2014_", (2, 17))]
    {
        if let Some(rest) = tag.strip_prefix(prefix) {
            return Some((Libc::Glibc, version, rest));
        }
    }
    let (libc, rest) = match tag.strip_prefix("manylinux_") {
        Some(rest) => (Libc::Glibc, rest),
        None => (Libc::Musl, tag.strip_prefix("musllinux_")?),
    };
    let (version, rest) = versioned(rest)?;
    Some((libc, version, rest))
}

/// `2_28_x86_64` → `(2, 28)` and `x86_64`.
fn versioned(text: &str) -> Option<((u32, u32), &str)> {
    let mut parts = text.splitn(3, '_');
    let (major, minor, rest) = (parts.next()?, parts.next()?, parts.next()?);
    Some(((major.parse().ok()?, minor.parse().ok()?), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The platforms that a tag fits.
    fn fits(tag: &str) -> Vec<&'static str> {
        Platform::ALL.into_iter().filter(|p| rank(tag, *p).is_some()).map(Platform::name).collect()
    }

    #[test]
    fn each_tag_fits_its_platforms() {
        let all: Vec<_> = Platform::ALL.iter().map(|p| p.name()).collect();
        for (tag, want) in [
            ("any", &all[..]),
            ("manylinux1_x86_64", &["x86_64-linux"]),
            ("manylinux2010_x86_64", &["x86_64-linux"]),
            ("manylinux2014_aarch64", &["aarch64-linux"]),
            ("manylinux_2_28_x86_64", &["x86_64-linux"]),
            ("linux_aarch64", &["aarch64-linux"]),
            ("musllinux_1_2_x86_64", &["x86_64-linux-musl"]),
            ("musllinux_1_1_aarch64", &["aarch64-linux-musl"]),
            ("macosx_10_12_x86_64", &["x86_64-darwin"]),
            ("macosx_11_0_arm64", &["aarch64-darwin"]),
            ("macosx_10_9_universal2", &["aarch64-darwin", "x86_64-darwin"]),
            ("win_amd64", &["x86_64-windows"]),
            ("win_arm64", &["aarch64-windows"]),
            ("win32", &[]),
            ("manylinux_2_x86_64", &[]),
            ("manylinux_2_17_armv7l", &[]),
            ("manylinux2014_i686", &[]),
            ("macosx_11_0_aarch64", &[]),
            ("manylinux_2_-1_x86_64", &[]),
            ("", &[]),
        ] {
            assert_eq!(fits(tag), want, "{tag}");
        }
    }

    #[test]
    fn better_tags_rank_lower() {
        use Platform::{Aarch64Darwin, X86_64Linux, X86_64LinuxMusl};
        for (platform, best_first) in [
            (
                X86_64Linux,
                &[
                    "manylinux1_x86_64",
                    "manylinux2010_x86_64",
                    "manylinux2014_x86_64",
                    "manylinux_2_28_x86_64",
                    "linux_x86_64",
                    "any",
                ][..],
            ),
            (X86_64LinuxMusl, &["musllinux_1_1_x86_64", "musllinux_1_2_x86_64", "any"]),
            (
                Aarch64Darwin,
                &["macosx_10_9_universal2", "macosx_11_0_arm64", "macosx_11_0_universal2", "any"],
            ),
        ] {
            let ranks: Vec<_> =
                best_first.iter().map(|t| rank(t, platform).expect("it fits")).collect();
            assert!(ranks.is_sorted_by(|a, b| a < b), "{platform}: {ranks:?}");
        }
        let same = |a, b| assert_eq!(rank(a, X86_64Linux), rank(b, X86_64Linux));
        same("manylinux2014_x86_64", "manylinux_2_17_x86_64");
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,30}", t in "(manylinux|musllinux|macosx)_[0-9_]{0,12}[a-z0-9_]{0,10}") {
            for platform in Platform::ALL {
                let _ = rank(&s, platform);
                let _ = rank(&t, platform);
            }
        }
    }
}
