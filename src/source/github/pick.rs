//! Which file of a release a platform gets.
//!
//! A file fits when its name says system and processor of the platform and nothing that
//! contradicts it. Among those that fit, the better claim wins: processor, C library, fewest words
//! that mean nothing here, archive format. Equal claims are never decided by chance. Invariant: the
//! answer depends on the set of names, not their order.

use std::collections::BTreeSet;

use super::pattern::Pattern;
use super::words::{self, Library, Machine, Said, System};
use crate::archive::Format;
use crate::base::{Arch, Libc, Os, Platform};

/// How many names a reason lists.
const LISTED: usize = 6;

/// What is asked for.
pub(super) struct Wanted<'a> {
    /// The platform.
    pub(super) platform: Platform,
    /// The version, which names often hold.
    pub(super) version: &'a str,
    /// Words of the project's own name.
    pub(super) own: &'a BTreeSet<String>,
    /// What the profile says of the name.
    pub(super) pattern: Option<&'a Pattern>,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pick<'a> {
    /// This file.
    One(&'a str),
    /// Several that are equally good.
    Several(Vec<&'a str>),
    /// None; why.
    None(String),
}

/// How well a name says the processor; greater is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Spoken {
    /// Not at all.
    Silent,
    /// All that the system has.
    Universal,
    /// By a hint (`intel`).
    Vaguely,
    /// By its name.
    Exactly,
}

/// How good a claim is; greater is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    machine: Spoken,
    library: u8,
    plain: std::cmp::Reverse<usize>,
    /// `None` when it cannot be unpacked.
    format: Option<u8>,
}

/// Picks a file.
pub(super) fn pick<'a>(wanted: &Wanted<'_>, names: &[&'a str]) -> Pick<'a> {
    let mut names: Vec<&'a str> = names.to_vec();
    names.sort_unstable();
    let read = |name: &&'a str| (*name, words::read(name, wanted.version, wanted.own));
    let mut all: Vec<(&'a str, Said)> = match wanted.pattern {
        Some(pattern) => names.iter().filter(|name| pattern.matches(name)).map(read).collect(),
        None => names.iter().map(read).collect(),
    };
    if wanted.pattern.is_some() && all.is_empty() {
        return Pick::None(reason("no file of the release matches `asset`", &names));
    }
    // A pattern may mean what we would pass over, such as a script.
    if wanted.pattern.is_none() || all.iter().any(|(_, said)| !said.is_side) {
        all.retain(|(_, said)| !said.is_side);
    }
    // A desktop program in one file, which wants FUSE to run: only who names it means it.
    let mut images: Vec<&str> = Vec::new();
    if wanted.pattern.is_none() {
        let is_image = |name: &str| name.to_ascii_lowercase().ends_with(".appimage");
        let fits =
            |(name, said): &&(&'a str, Said)| is_image(name) && claim(name, said, wanted).is_some();
        images = all.iter().filter(fits).map(|(name, _)| *name).collect();
        all.retain(|(name, _)| !is_image(name));
    }
    let fitting: Vec<_> =
        all.iter().filter_map(|(name, said)| Some((*name, claim(name, said, wanted)?))).collect();
    if fitting.is_empty() && !images.is_empty() {
        let what = "the files for this platform are AppImages, taken only when `asset` names one";
        return Pick::None(reason(what, &images));
    }
    if fitting.is_empty() {
        let all: Vec<_> = all.iter().map(|(name, _)| *name).collect();
        return Pick::None(reason("no file of the release is for this platform", &all));
    }
    let claims = |readable: bool| {
        let claims = fitting.iter().map(|(_, claim)| *claim);
        claims.filter(move |claim| claim.format.is_some() == readable)
    };
    // A file that hardly says what it is for (a desktop program, often) is no substitute for one
    // that says it exactly.
    let exact = claims(false).any(|claim| claim.machine == Spoken::Exactly);
    let worse = |claim: &Claim| matches!(claim.machine, Spoken::Silent | Spoken::Vaguely);
    let best = claims(true).max().filter(|best| !(exact && worse(best)));
    let Some(best) = best else {
        let unread = fitting.iter().filter(|(_, claim)| claim.format.is_none());
        let all: Vec<_> = unread.map(|(name, _)| *name).collect();
        let what = "the files for this platform are in formats that are not supported";
        return Pick::None(reason(what, &all));
    };
    let equal = fitting.iter().filter(|(_, claim)| *claim == best);
    let equal: Vec<_> = equal.map(|(name, _)| *name).collect();
    match equal[..] {
        [one] => Pick::One(one),
        _ => Pick::Several(equal),
    }
}

fn reason(what: &str, names: &[&str]) -> String {
    let listed = names.iter().take(LISTED).map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => what.to_owned(),
        n if n > LISTED => format!("{what}; there are {listed} and {} more", n - LISTED),
        _ => format!("{what}; there are {listed}"),
    }
}

/// `None` when the file does not fit.
fn claim(name: &str, said: &Said, wanted: &Wanted<'_>) -> Option<Claim> {
    let platform = wanted.platform;
    let by_pattern = wanted.pattern.is_some();
    let system = System::Of(platform.os());
    // Where the profile names the file, its words need only not speak of another platform.
    match (said.systems.contains(&system), said.systems.len()) {
        (true, 1) => {}
        (true, _) | (false, 0) if by_pattern => {}
        _ => return None,
    }
    let machine = machine(&said.machines, said.is_vague, platform, by_pattern)?;
    let library = library(&said.libraries, platform)?;
    let plain = std::cmp::Reverse(said.extras);
    let format = Format::of_name(name).map(|format| rank(format, platform.os()));
    Some(Claim { machine, library, plain, format })
}

fn machine(
    said: &BTreeSet<Machine>,
    is_vague: bool,
    platform: Platform,
    by_pattern: bool,
) -> Option<Spoken> {
    let own = Machine::Of(platform.arch());
    let is_mac = platform.os() == Os::Darwin;
    let universal = is_mac
        && (said.contains(&Machine::Universal)
            || (said.contains(&Machine::Of(Arch::X86_64))
                && said.contains(&Machine::Of(Arch::Aarch64))));
    match said.len() {
        1 if said.contains(&own) => Some(if is_vague { Spoken::Vaguely } else { Spoken::Exactly }),
        _ if universal && !said.contains(&Machine::Other) => Some(Spoken::Universal),
        // Words such as `all` only mean something on macOS.
        0 => (by_pattern || platform.arch() == Arch::X86_64).then_some(Spoken::Silent),
        1 if said.contains(&Machine::Universal) => {
            (by_pattern || platform.arch() == Arch::X86_64).then_some(Spoken::Silent)
        }
        _ if by_pattern && said.contains(&own) => Some(Spoken::Silent),
        _ => None,
    }
}

/// A program for musl is nearly always static, and then runs on glibc too; the other way round it
/// never does.
fn library(said: &BTreeSet<Library>, platform: Platform) -> Option<u8> {
    let has = |library| said.contains(&library);
    Some(match platform.libc() {
        None => 0,
        Some(Libc::Glibc) if has(Library::Gnu) => 3,
        Some(Libc::Glibc) if has(Library::Musl) => 1,
        Some(Libc::Glibc) => 2,
        Some(Libc::Musl) if has(Library::Musl) => 3,
        Some(Libc::Musl) if has(Library::Static) => 2,
        Some(Libc::Musl) if has(Library::Gnu) => return None,
        Some(Libc::Musl) => 1,
    })
}

fn rank(format: Format, os: Os) -> u8 {
    match (format, os) {
        (Format::Zip, Os::Windows) | (Format::TarGz, Os::Linux | Os::Darwin) => 4,
        (Format::Zip | Format::TarGz, _) => 3,
        (Format::Tar, _) => 1,
        (Format::File, _) => 0,
        #[allow(
            unreachable_patterns,
            reason = "further archive formats rank below the common ones"
        )]
        _ => 2,
    }
}

#[cfg(test)]
#[path = "pick_tests.rs"]
mod tests;
