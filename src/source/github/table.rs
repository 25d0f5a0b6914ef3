//! The words that publishers use, and what each says.
//!
//! A closed list: a word that is missing here only counts as one too many. Invariant: every word is
//! lower-case, and no word says two things.

use super::words::{Library, Machine, System};
use crate::base::{Arch, Os};

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

/// What one word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// Of the project's own name.
    Own,
    /// A system.
    System(System),
    /// A distribution: Linux, but not any.
    Distribution,
    /// A processor.
    Machine(Machine),
    /// A hint at a processor.
    Vague(Machine),
    /// x86-64 of a level that not every processor has.
    Level,
    /// A C library.
    Library(Library),
    /// System and word size in one: `linux64`.
    Sized(Os, Machine),
    /// System and processor in one: `darwinarm64`.
    Both(Os, Machine),
    /// A number, or a version.
    Number,
    /// Goes with another file, or is no program.
    Side,
    /// Says nothing.
    Neutral,
    /// Not known.
    Unknown,
}

/// Looks a lower-case word up.
pub(super) fn word(text: &str) -> Word {
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
