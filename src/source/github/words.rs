//! What the name of a release's file says: system, processor, C library, kind of file.
//!
//! Publishers agree on no scheme, so names are cut into words and each word is looked up. Refuses
//! nothing: what is not known counts as a word too many. Invariant: words of the project's own name
//! are never read as anything else, so that a project may be called `win` or `source`.

use std::collections::BTreeSet;

use super::table::{Word, word};
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

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
