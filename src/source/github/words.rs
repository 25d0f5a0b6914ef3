//! What the name of a release's file says: system, processor, C library, kind of file.
//!
//! Publishers agree on no scheme, so names are cut into words and each word is looked up. Refuses
//! nothing: what is not known counts as a word too many. Invariant: words of the project's own name
//! are never read as anything else, so that a project may be called `win` or `source`.

use std::collections::BTreeSet;

use crate::base::{Arch, Os};

/// A system that a name mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum System {
    /// One that we know.
    Of(Os),
    /// Another.
    Other,
}

/// A processor that a name mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Machine {
    /// One that we know.
    Of(Arch),
    /// All that a system has (macOS).
    Universal,
    /// Another.
    Other,
}

/// A C library that a name mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Library {
    /// GNU libc.
    Gnu,
    /// musl.
    Musl,
    /// None is needed.
    Static,
}

/// What a name says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Systems.
    pub(super) systems: BTreeSet<System>,
    /// Processors.
    pub(super) machines: BTreeSet<Machine>,
    /// The processor is only hinted at (`intel`, `64bit`).
    pub(super) is_vague: bool,
    /// C libraries.
    pub(super) libraries: BTreeSet<Library>,
    /// It goes with another file or is no program: checksum, signature, sources, system package.
    pub(super) is_side: bool,
    /// Words that mean nothing here: the fewer, the plainer the build.
    pub(super) extras: usize,
}

/// Endings of archives and programs, longest first.
pub(super) const ENDINGS: [&str; 17] = [
    ".tar.zst",
    ".tar.bz2",
    ".appimage",
    ".tar.gz",
    ".tar.xz",
    ".tzst",
    ".tbz2",
    ".tgz",
    ".txz",
    ".tbz",
    ".tar",
    ".zip",
    ".zst",
    ".bz2",
    ".exe",
    ".7z",
    ".gz",
];

/// Endings of what is no program in a form that can be unpacked.
const SIDE: &[&str] = &[
    "sha256",
    "sha256sum",
    "sha256sums",
    "sha512",
    "sha512sum",
    "sha1",
    "md5",
    "b3",
    "blake3",
    "digest",
    "sig",
    "asc",
    "gpg",
    "minisig",
    "pem",
    "crt",
    "cert",
    "pub",
    "sbom",
    "json",
    "jsonl",
    "sigstore",
    "bundle",
    "intoto",
    "att",
    "txt",
    "md",
    "yml",
    "yaml",
    "toml",
    "xml",
    "html",
    "pdf",
    "csv",
    "deb",
    "rpm",
    "apk",
    "pkg",
    "msi",
    "msix",
    "dmg",
    "flatpak",
    "snap",
    "vsix",
    "whl",
    "gem",
    "jar",
    "nupkg",
    "xpi",
    "crx",
    "aab",
    "ipa",
    "d",
    "pdb",
    "debug",
    "dbg",
    "sym",
    "map",
    "zsync",
    "torrent",
    "patch",
    "diff",
    "ps1",
    "sh",
    "bash",
    "fish",
    "zsh",
    "nu",
    "1",
    "so",
    "dll",
    "dylib",
    "a",
    "lib",
    "h",
    "wasm",
    "blockmap",
    "proto",
    "rb",
    "lua",
    "vim",
];

/// Words of files that go with another or are no program.
const SIDE_WORDS: &[&str] = &[
    "src",
    "source",
    "sources",
    "sbom",
    "checksum",
    "checksums",
    "sha256sum",
    "sha256sums",
    "sha512sum",
    "sha512sums",
    "shasums",
    "debug",
    "dbg",
    "dbgsym",
    "debuginfo",
    "symbols",
    "pdb",
    "docs",
    "doc",
    "man",
    "manpages",
    "completion",
    "completions",
    "installer",
    "setup",
    "headers",
    "devel",
    "vendor",
    "vendored",
    "testdata",
    "attestation",
    "provenance",
    "spdx",
    "cyclonedx",
    "buildable",
];

/// Words that say nothing about which build it is.
const NEUTRAL: &[&str] =
    &["unknown", "pc", "none", "msvc", "release", "bin", "binary", "binaries", "bit", "eabi"];

/// Reads a file's name; `own` are the lower-case words of the project's name.
pub(super) fn read(name: &str, version: &str, own: &BTreeSet<String>) -> Said {
    let mut said = Said::default();
    let lower = name.to_ascii_lowercase();
    let version = version.to_ascii_lowercase();
    let stem = match ENDINGS.iter().find(|ending| lower.ends_with(*ending)) {
        Some(ending) => {
            if *ending == ".exe" {
                said.systems.insert(System::Of(Os::Windows));
            } else if *ending == ".appimage" {
                said.systems.insert(System::Of(Os::Linux));
                said.extras += 1;
            }
            &lower[..lower.len() - ending.len()]
        }
        None => {
            let ending = lower.rsplit_once('.').map(|(_, ending)| ending);
            said.is_side = ending.is_some_and(|ending| SIDE.contains(&ending));
            &lower
        }
    };
    // A version without a dot is a bare number, and might be part of a word.
    let stem = if version.contains('.') { stem.replace(&version, "-") } else { stem.to_owned() };
    let mut before = Word::Unknown;
    for text in cut(&stem, own) {
        let word = if own.contains(text.as_str()) { Word::Own } else { word(&text) };
        said.add(&text, word, before);
        before = word;
    }
    // Where nothing else names the processor, `win32` means 32 bits; beside one it is the system.
    if said.machines.is_empty() && stem.contains("win32") {
        said.machines.insert(Machine::Other);
    }
    said
}

/// The words of a project's name, as [`read`] wants them.
pub(super) fn own<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for name in names {
        let name = name.to_ascii_lowercase();
        all.extend(pieces(&name).map(str::to_owned));
        all.insert(name);
    }
    all
}

fn pieces(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|piece| !piece.is_empty())
}

/// Words of a stem. The two words of `x86_64` are one, unless they are the project's own.
fn cut(stem: &str, own: &BTreeSet<String>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for piece in pieces(stem) {
        match (words.last_mut(), piece) {
            (Some(last), piece)
                if last == "x86"
                    && (piece == "64" || piece.starts_with("64v"))
                    && !own.contains("x86") =>
            {
                last.push('_');
                last.push_str(piece);
            }
            // `arm-64` and `arm_64`.
            (Some(last), "64") if last == "arm" => last.push_str("64"),
            _ => words.push(piece.to_owned()),
        }
    }
    words
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Own,
    System(System),
    /// A distribution: Linux, but not any.
    Distribution,
    Machine(Machine),
    /// A hint at a processor.
    Vague(Machine),
    /// x86-64 of a level that not every processor has.
    Level,
    Library(Library),
    /// System and word size in one: `linux64`.
    Sized(Os, Machine),
    /// System and processor in one: `darwinarm64`.
    Both(Os, Machine),
    Number,
    Side,
    Neutral,
    Unknown,
}

impl Said {
    fn add(&mut self, text: &str, word: Word, before: Word) {
        match word {
            Word::System(system) => {
                self.systems.insert(system);
            }
            Word::Distribution => {
                self.systems.insert(System::Of(Os::Linux));
                self.extras += 1;
            }
            Word::Machine(machine) => {
                self.machines.insert(machine);
            }
            Word::Vague(machine) => {
                self.is_vague = true;
                self.machines.insert(machine);
            }
            Word::Level => {
                self.machines.insert(Machine::Of(Arch::X86_64));
                self.extras += 1;
            }
            Word::Library(library) => {
                self.libraries.insert(library);
                if text == "alpine" || text.starts_with("musllinux") {
                    self.systems.insert(System::Of(Os::Linux));
                }
            }
            Word::Sized(os, machine) => {
                self.systems.insert(System::Of(os));
                self.is_vague = true;
                self.machines.insert(machine);
            }
            Word::Both(os, machine) => {
                self.systems.insert(System::Of(os));
                self.machines.insert(machine);
            }
            Word::Number => match (before, text) {
                // `x86_64_v3`: processors of some years ago do not run it.
                (Word::Machine(Machine::Of(Arch::X86_64)), "v2" | "v3" | "v4") => self.extras += 1,
                (Word::System(_), "64") => {
                    self.is_vague = true;
                    self.machines.insert(Machine::Of(Arch::X86_64));
                }
                (Word::System(_), "32") => {
                    self.machines.insert(Machine::Other);
                }
                _ => {}
            },
            Word::Side => self.is_side = true,
            Word::Unknown => self.extras += 1,
            Word::Own | Word::Neutral => {}
        }
    }
}

fn word(text: &str) -> Word {
    if let Some(found) = system(text).map(Word::System).or_else(|| machine(text)) {
        return found;
    }
    let digits = text.strip_prefix('v').unwrap_or(text);
    if digits.bytes().all(|b| b.is_ascii_digit()) {
        return Word::Number;
    }
    if let Some(library) = library(text) {
        return library;
    }
    if SIDE_WORDS.contains(&text) {
        return Word::Side;
    }
    if NEUTRAL.contains(&text) {
        return Word::Neutral;
    }
    if ["ubuntu", "debian", "fedora", "centos", "rhel", "amazonlinux"]
        .iter()
        .any(|d| text.starts_with(d))
    {
        return Word::Distribution;
    }
    glued(text).unwrap_or(Word::Unknown)
}

fn system(text: &str) -> Option<System> {
    Some(match text {
        "linux" | "linuxgnu" | "manylinux" => System::Of(Os::Linux),
        "darwin" | "macos" | "macosx" | "mac" | "osx" | "apple" => System::Of(Os::Darwin),
        "windows" | "win" | "win32" | "mingw" => System::Of(Os::Windows),
        "android" | "ios" | "plan9" | "solaris" | "illumos" | "sunos" | "aix" | "haiku"
        | "wasi" | "wasip1" | "wasm" | "js" | "cygwin" | "tvos" | "watchos" => System::Other,
        _ if ["freebsd", "openbsd", "netbsd", "dragonfly", "androideabi"]
            .iter()
            .any(|s| text.starts_with(s)) =>
        {
            System::Other
        }
        _ => return None,
    })
}

fn machine(text: &str) -> Option<Word> {
    const X86_64: Machine = Machine::Of(Arch::X86_64);
    const AARCH64: Machine = Machine::Of(Arch::Aarch64);
    Some(match text {
        "x86_64" | "x8664" | "amd64" | "x64" | "x86_64v1" | "x86_64_v1" | "amd64v1" => {
            Word::Machine(X86_64)
        }
        "x86_64v2" | "x86_64v3" | "x86_64v4" | "amd64v2" | "amd64v3" | "amd64v4" => Word::Level,
        "intel" | "64bit" => Word::Vague(X86_64),
        "aarch64" | "arm64" | "arm64v8" | "armv8" | "armv8a" => Word::Machine(AARCH64),
        "silicon" | "applesilicon" | "m1" => Word::Vague(AARCH64),
        "universal" | "universal2" | "all" | "fat" => Word::Machine(Machine::Universal),
        "x86" | "386" | "i386" | "i486" | "i586" | "i686" | "ia32" | "32bit" | "s390x"
        | "wasm32" | "x32" | "arm" => Word::Machine(Machine::Other),
        _ if [
            "arm", "gnueabi", "musleabi", "riscv", "ppc", "powerpc", "mips", "loong", "sparc",
        ]
        .iter()
        .any(|s| text.starts_with(s)) =>
        {
            Word::Machine(Machine::Other)
        }
        _ => return None,
    })
}

fn library(text: &str) -> Option<Word> {
    Some(Word::Library(match text {
        "gnu" => Library::Gnu,
        "musl" | "alpine" => Library::Musl,
        "static" => Library::Static,
        _ if text.starts_with("glibc") => Library::Gnu,
        _ if text.starts_with("musllinux") => Library::Musl,
        _ => return None,
    }))
}

/// Two words without anything between them.
fn glued(text: &str) -> Option<Word> {
    let systems = [
        ("linux", Os::Linux),
        ("darwin", Os::Darwin),
        ("macosx", Os::Darwin),
        ("macos", Os::Darwin),
        ("osx", Os::Darwin),
        ("mac", Os::Darwin),
        ("windows", Os::Windows),
        ("win", Os::Windows),
    ];
    systems.into_iter().find_map(|(name, os)| {
        let rest = text.strip_prefix(name)?;
        match (rest, machine(rest)) {
            ("64", _) => Some(Word::Sized(os, Machine::Of(Arch::X86_64))),
            ("32", _) => Some(Word::Both(os, Machine::Other)),
            // macOS is followed by its own versions: `macos11`.
            _ if os == Os::Darwin && rest.bytes().all(|b| b.is_ascii_digit()) => {
                Some(Word::System(System::Of(os)))
            }
            (_, Some(Word::Machine(machine) | Word::Vague(machine))) => {
                Some(Word::Both(os, machine))
            }
            _ => None,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(name: &str) -> Said {
        read(name, "1.2.3", &own(["tool", "some-tool"]))
    }

    fn short(name: &str) -> String {
        let Said { systems, machines, is_vague, libraries, is_side, extras } = said(name);
        let list = |debug: String| debug.trim_matches(['{', '}']).to_owned();
        format!(
            "{}|{}|{}{}{}{}",
            list(format!("{systems:?}")),
            list(format!("{machines:?}")),
            list(format!("{libraries:?}")),
            if is_vague { " vague" } else { "" },
            if is_side { " side" } else { "" },
            if extras > 0 { format!(" +{extras}") } else { String::new() },
        )
    }

    #[test]
    fn reads_names() {
        for (name, want) in [
            ("tool_1.2.3_linux_amd64.tar.gz", "Of(Linux)|Of(X86_64)|"),
            ("tool-v1.2.3-x86_64-unknown-linux-musl.tar.gz", "Of(Linux)|Of(X86_64)|Musl"),
            ("tool-aarch64-apple-darwin.zip", "Of(Darwin)|Of(Aarch64)|"),
            ("tool-x86_64-pc-windows-gnu.zip", "Of(Windows)|Of(X86_64)|Gnu"),
            ("tool-win32-x64.zip", "Of(Windows)|Of(X86_64)|"),
            ("tool-win32.zip", "Of(Windows)|Other|"),
            ("tool-win64.exe", "Of(Windows)|Of(X86_64)| vague"),
            ("tool-linux64", "Of(Linux)|Of(X86_64)| vague"),
            ("tool-linux-64.zip", "Of(Linux)|Of(X86_64)| vague"),
            ("tool-linux-32.zip", "Of(Linux)|Other|"),
            ("tool.Linux-x86_64", "Of(Linux)|Of(X86_64)|"),
            ("tool-macosarm64.zip", "Of(Darwin)|Of(Aarch64)|"),
            ("tool-macos11-arm64.zip", "Of(Darwin)|Of(Aarch64)|"),
            ("tool-darwin-universal2.tgz", "Of(Darwin)|Universal|"),
            ("tool-linux-armv7.tar.gz", "Of(Linux)|Other|"),
            ("tool-linux-arm.tar.gz", "Of(Linux)|Other|"),
            ("tool-linux-arm-64.tar.gz", "Of(Linux)|Of(Aarch64)|"),
            ("tool-arm-unknown-linux-gnueabihf.tgz", "Of(Linux)|Other|"),
            ("tool-linux-x86.tar.gz", "Of(Linux)|Other|"),
            ("tool-linux-386.tar.gz", "Of(Linux)|Other|"),
            ("tool-linux-x86-64.tar.gz", "Of(Linux)|Of(X86_64)|"),
            ("tool-linux-x86_64_v3.tar.gz", "Of(Linux)|Of(X86_64)| +1"),
            ("tool-linux-x86_64v3.tar.gz", "Of(Linux)|Of(X86_64)| +1"),
            ("tool-linux-amd64v1.tar.gz", "Of(Linux)|Of(X86_64)|"),
            ("tool-aarch64-linux-android.tgz", "Of(Linux), Other|Of(Aarch64)|"),
            ("tool-freebsd14-amd64.tgz", "Other|Of(X86_64)|"),
            ("tool-ubuntu-22.04-x64.zip", "Of(Linux)|Of(X86_64)| +1"),
            ("tool-alpine-x64.zip", "Of(Linux)|Of(X86_64)|Musl"),
            ("tool-x86_64.AppImage", "Of(Linux)|Of(X86_64)| +1"),
            ("tool_extended_linux-amd64.tar.gz", "Of(Linux)|Of(X86_64)| +1"),
            ("tool_linux_amd64.tar.gz.sha256", "Of(Linux)|Of(X86_64)| side +3"),
            ("tool_linux_amd64.deb", "Of(Linux)|Of(X86_64)| side +1"),
            ("tool_1.2.3_checksums.txt", "|| side +1"),
            ("tool-1.2.3-src.tar.gz", "|| side"),
            ("some-tool", "||"),
        ] {
            assert_eq!(short(name), want, "{name}");
        }
    }

    #[test]
    fn a_name_of_its_own_says_nothing() {
        let own = own(["win-src-x86", "all"]);
        let said = read("win-src-x86-all-linux-arm64.zip", "1.0", &own);
        assert_eq!(said.systems, [System::Of(Os::Linux)].into());
        assert_eq!(said.machines, [Machine::Of(Arch::Aarch64)].into());
        assert!(!said.is_side);
        assert_eq!(said.extras, 0);
    }

    proptest! {
        #[test]
        fn never_panics(s in "\\PC{0,60}", t in "([-_. ]|linux|x86|64|win32|v3|arm|1|tool|ä){0,12}") {
            let _ = (said(&s), said(&t));
        }
        #[test]
        fn order_and_case_do_not_matter(
            os in prop::sample::select(vec!["linux", "Linux", "LINUX"]),
            arch in prop::sample::select(vec!["amd64", "x86_64", "X64"]),
            between in prop::sample::select(vec!["-", "_", "."]),
        ) {
            let (a, b) = (format!("tool{between}{os}{between}{arch}.zip"), format!("{arch}{between}tool-1.2.3{between}{os}.zip"));
            prop_assert_eq!(said(&a), said(&b));
        }
    }
}
