//! Rust's names for platforms, and expressions over them.
//!
//! Owns which targets serve a platform: the one it is named after first, then those whose programs
//! run on it as they are. Emulation is none. Reference: rustc's platform support; the Cargo book,
//! "Platform specific dependencies". Invariant: a target has one value of each kind.

use crate::base::{Arch, Libc, Os, Platform};

/// A target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// `x86_64-unknown-linux-gnu`
    pub(super) name: &'static str,
    /// `x86_64`, `aarch64`, `universal`
    pub(super) arch: &'static str,
    /// `unknown`, `apple`, `pc`
    pub(super) vendor: &'static str,
    /// `linux`, `macos`, `windows`
    pub(super) os: &'static str,
    /// `gnu`, `musl`, `msvc`, `gnullvm`; nothing on macOS.
    pub(super) env: &'static str,
}

macro_rules! targets {
    ($($name:literal: $arch:literal, $vendor:literal, $os:literal, $env:literal;)*) => {
        [$(Target { name: $name, arch: $arch, vendor: $vendor, os: $os, env: $env }),*]
    };
}

const ALL: [Target; 14] = targets! {
    "x86_64-unknown-linux-gnu": "x86_64", "unknown", "linux", "gnu";
    "x86_64-unknown-linux-musl": "x86_64", "unknown", "linux", "musl";
    "aarch64-unknown-linux-gnu": "aarch64", "unknown", "linux", "gnu";
    "aarch64-unknown-linux-musl": "aarch64", "unknown", "linux", "musl";
    "x86_64-apple-darwin": "x86_64", "apple", "macos", "";
    "aarch64-apple-darwin": "aarch64", "apple", "macos", "";
    "universal-apple-darwin": "universal", "apple", "macos", "";
    "universal2-apple-darwin": "universal", "apple", "macos", "";
    "x86_64-pc-windows-msvc": "x86_64", "pc", "windows", "msvc";
    "x86_64-pc-windows-gnu": "x86_64", "pc", "windows", "gnu";
    "x86_64-pc-windows-gnullvm": "x86_64", "pc", "windows", "gnullvm";
    "aarch64-pc-windows-msvc": "aarch64", "pc", "windows", "msvc";
    "aarch64-pc-windows-gnullvm": "aarch64", "pc", "windows", "gnullvm";
    "aarch64-pc-windows-gnu": "aarch64", "pc", "windows", "gnu";
};

impl Target {
    /// Every target whose programs run on a platform, best first. A program for musl is static as a
    /// rule and runs on either C library; what is not is refused by its bytes.
    pub(super) fn of(platform: Platform) -> Vec<Self> {
        let arch = match platform.arch() {
            Arch::X86_64 => "x86_64",
            Arch::Aarch64 => "aarch64",
        };
        let (os, envs): (_, &[&str]) = match (platform.os(), platform.libc()) {
            (Os::Linux, Some(Libc::Musl)) => ("linux", &["musl"]),
            (Os::Linux, _) => ("linux", &["gnu", "musl"]),
            (Os::Darwin, _) => ("macos", &[""]),
            (Os::Windows, _) => ("windows", &["msvc", "gnu", "gnullvm"]),
        };
        let arches = [arch, "universal"];
        let order = |target: &Self| {
            let arch = arches.iter().position(|arch| *arch == target.arch)?;
            let env = envs.iter().position(|env| *env == target.env)?;
            (target.os == os).then_some((arch, env))
        };
        let mut found: Vec<_> = ALL.iter().filter_map(|t| Some((order(t)?, *t))).collect();
        found.sort_by_key(|(order, _)| *order);
        found.into_iter().map(|(_, target)| target).collect()
    }

    /// Whether it is Windows.
    pub(super) fn is_windows(self) -> bool {
        self.os == "windows"
    }

    /// Whether a key of `overrides` that begins with `cfg(` is about it.
    ///
    /// # Errors
    /// What in it is not understood.
    pub(super) fn meets(self, cfg: &str) -> Result<bool, String> {
        let inner = cfg.trim().strip_prefix("cfg(").and_then(|rest| rest.strip_suffix(')'));
        let inner = inner.ok_or("it is no `cfg(…)`")?;
        let mut reader = Reader { rest: inner.trim_start(), target: self, depth: 0 };
        let answer = reader.one()?;
        if reader.rest.is_empty() { Ok(answer) } else { Err("something follows".to_owned()) }
    }
}

struct Reader<'a> {
    rest: &'a str,
    target: Target,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn takes(&mut self, sign: char) -> bool {
        match self.rest.strip_prefix(sign) {
            Some(rest) => {
                self.rest = rest.trim_start();
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> Result<&'a str, String> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if word.is_empty() {
            return Err("a name is missing".to_owned());
        }
        self.rest = rest.trim_start();
        Ok(word)
    }

    fn one(&mut self) -> Result<bool, String> {
        self.depth += 1;
        if self.depth > 32 {
            return Err("it is nested too deeply".to_owned());
        }
        let word = self.word()?;
        let answer = if self.takes('(') {
            let mut all = Vec::new();
            while !self.takes(')') {
                all.push(self.one()?);
                if !self.takes(',') && !self.rest.starts_with(')') {
                    return Err("a `)` is missing".to_owned());
                }
            }
            match (word, all.as_slice()) {
                ("all", all) => all.iter().all(|one| *one),
                ("any", all) => all.iter().any(|one| *one),
                ("not", [one]) => !one,
                _ => return Err(format!("`{word}(…)` is not known")),
            }
        } else if self.takes('=') {
            let text = self.rest.strip_prefix('"').and_then(|rest| rest.split_once('"'));
            let (value, rest) = text.ok_or("a text is missing")?;
            self.rest = rest.trim_start();
            let Target { arch, vendor, os, env, .. } = self.target;
            let family = if os == "windows" { "windows" } else { "unix" };
            let own = match word {
                "target_os" => os,
                "target_arch" => arch,
                "target_env" => env,
                "target_vendor" => vendor,
                "target_family" => family,
                _ => return Err(format!("`{word}` is not known")),
            };
            own == value
        } else {
            match word {
                "unix" => !self.target.is_windows(),
                "windows" => self.target.is_windows(),
                _ => return Err(format!("`{word}` is not known")),
            }
        };
        self.depth -= 1;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn targets_of_platforms() {
        let names = |platform| Target::of(platform).into_iter().map(|t| t.name).collect::<Vec<_>>();
        assert_eq!(
            names(Platform::X86_64Linux),
            ["x86_64-unknown-linux-gnu", "x86_64-unknown-linux-musl"]
        );
        assert_eq!(names(Platform::Aarch64LinuxMusl), ["aarch64-unknown-linux-musl"]);
        assert_eq!(
            names(Platform::Aarch64Darwin),
            ["aarch64-apple-darwin", "universal-apple-darwin", "universal2-apple-darwin"]
        );
        assert_eq!(
            names(Platform::X86_64Windows),
            ["x86_64-pc-windows-msvc", "x86_64-pc-windows-gnu", "x86_64-pc-windows-gnullvm"]
        );
        // No target says another system or processor than its platform's.
        for platform in Platform::ALL {
            assert!(!Target::of(platform).is_empty(), "{platform}");
        }
    }

    #[test]
    fn cfg() {
        let linux = Target::of(Platform::X86_64Linux)[0];
        for (text, want) in [
            ("cfg(unix)", true),
            ("cfg( windows )", false),
            ("cfg(target_os = \"linux\")", true),
            ("cfg(all(target_arch=\"x86_64\", not(target_env = \"musl\")))", true),
            ("cfg(any(windows, target_vendor = \"apple\",))", false),
            ("cfg(target_family = \"unix\")", true),
            ("cfg(all())", true),
        ] {
            assert_eq!(linux.meets(text), Ok(want), "{text}");
        }
        for text in [
            "unix",
            "cfg(linux)",
            "cfg(target_abi = \"x\")",
            "cfg(not(unix, unix))",
            "cfg(unix) x",
            "cfg(all(unix)",
            "cfg(unix unix)",
            "cfg(target_os = linux)",
            "cfg()",
        ] {
            assert!(linux.meets(text).is_err(), "{text}");
        }
        assert!(linux.meets(&format!("cfg({}", "not(".repeat(5000))).is_err());
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,30}", t in "cfg\\((all\\(|any\\(|not\\(|unix|,|\\)| |target_os ?= ?\"linux\"){0,10}\\)") {
            let linux = Target::of(Platform::X86_64Linux)[0];
            let _ = (linux.meets(&s), linux.meets(&t));
        }
    }
}
