//! Who vouches for a pin, in words, and how that differs from another pin. Pure.
//!
//! Invariant: a pin that gains proof, and keeps every signer, is no regression.

use std::collections::{BTreeMap, BTreeSet};

use super::model::Pin;
use crate::base::{Platform, Proof};

/// One kind of proof that changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shift {
    /// The kind.
    pub kind: Proof,
    /// Who signed before; empty for proofs without a signer, `None` when there was none.
    pub before: Option<Vec<String>>,
    /// Who signs now.
    pub now: Option<Vec<String>>,
}

impl Shift {
    /// Whether less vouches than before, or somebody else.
    pub fn is_weaker(&self) -> bool {
        match (&self.before, &self.now) {
            (Some(_), None) => true,
            // A second signer beside the known one is a stranger too; one of two known ones is not.
            (Some(before), Some(now)) => {
                !before.is_empty()
                    && (now.is_empty() || now.iter().any(|one| !before.contains(one)))
            }
            (None, _) => false,
        }
    }

    /// What is shown of it, in two lines.
    pub fn lines(&self) -> Vec<String> {
        let said = |when: &str, signers: &Option<Vec<String>>| match signers {
            Some(signers) => format!("{when}{}", named(self.kind, signers)),
            None => format!("{when}no {}", self.kind),
        };
        vec![said("before    ", &self.before), said("now       ", &self.now)]
    }

    /// The same in one line.
    pub fn words(&self) -> String {
        let Self { kind, before, now } = self;
        match (before, now) {
            (Some(before), Some(now)) if self.is_weaker() => {
                let (before, now) = (before.join(", "), now.join(", "));
                format!("{kind} by ANOTHER SIGNER: {before} → {now}")
            }
            (Some(before), Some(now)) => {
                format!("{kind}: {} → {}", before.join(", "), now.join(", "))
            }
            (Some(before), None) => format!("LESS PROOF: no {} any more", named(*kind, before)),
            (None, Some(now)) => format!("more proof: {}", named(*kind, now)),
            (None, None) => kind.to_string(),
        }
    }
}

fn named(kind: Proof, signers: &[String]) -> String {
    match signers {
        [] => kind.to_string(),
        signers => format!("{kind} by {}", signers.join(", ")),
    }
}

/// Who signed, of one kind; a proof of one artifact of several names it.
fn signers(pin: &Pin, kind: Proof) -> Vec<String> {
    let of_kind = pin.attestations.iter().filter(|one| one.kind == kind);
    let all: BTreeSet<String> = of_kind.map(|one| one.signer.clone()).collect();
    all.into_iter().collect()
}

/// Every kind of proof of a pin that counts, for all artifacts of it.
fn kinds(pin: &Pin) -> impl Iterator<Item = Proof> {
    // The profile's own hashes are for the versions that it names.
    pin.verified.iter().copied().filter(|kind| kind.vouches() && *kind != Proof::ProfileHash)
}

/// What changed from one pin to the next of the same platform.
pub fn shifts(before: &Pin, now: &Pin) -> Vec<Shift> {
    let all: BTreeSet<Proof> = kinds(before).chain(kinds(now)).collect();
    let of = |pin: &Pin, kind: Proof| pin.verified.contains(&kind).then(|| signers(pin, kind));
    let shift = |kind| Shift { kind, before: of(before, kind), now: of(now, kind) };
    // Without a signer on record, any will do: it says no more than before.
    let is_news = |shift: &Shift| match &shift.before {
        Some(before) if before.is_empty() => shift.now.is_none(),
        before => *before != shift.now,
    };
    all.into_iter().map(shift).filter(is_news).collect()
}

/// What changed for the worse.
pub fn regressions(before: &Pin, now: &Pin) -> Vec<Shift> {
    shifts(before, now).into_iter().filter(Shift::is_weaker).collect()
}

/// Who vouches for a pin, in words.
pub fn said(pin: &Pin) -> String {
    let all: Vec<String> =
        pin.verified.iter().map(|kind| named(*kind, &signers(pin, *kind))).collect();
    all.join(", ")
}

/// Who vouches on every platform, in words; platforms that are alike are told once.
pub fn said_of<'a>(pins: impl Iterator<Item = (Platform, &'a Pin)>) -> String {
    let mut by: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for (platform, pin) in pins {
        by.entry(said(pin)).or_default().push(platform.name());
    }
    if by.len() == 1 {
        return by.into_keys().next().unwrap_or_default();
    }
    let each: Vec<String> =
        by.into_iter().map(|(words, on)| format!("{words} ({})", on.join(", "))).collect();
    each.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Integrity;
    use crate::lock::fixture;
    use crate::lock::model::Attestation;

    fn pin(proofs: &[(Proof, Option<&str>)]) -> Pin {
        let attestation = |(kind, signer): &(Proof, Option<&str>)| {
            let signer = (*signer)?.to_owned();
            let bundle = Integrity::sha256_of(b"x");
            Some(Attestation { kind: *kind, signer, list: None, of: None, bundle })
        };
        Pin {
            verified: proofs.iter().map(|(kind, _)| *kind).collect(),
            attestations: proofs.iter().filter_map(attestation).collect(),
            ..fixture::pin("a", "1.0.0", 1, None)
        }
    }

    #[test]
    fn less_or_other_is_seen() {
        use Proof::{FirstUse, Minisign, PypiAttestation, RegistryHash};
        let hash = (RegistryHash, None);
        for (before, now, want) in [
            (vec![hash], vec![hash], vec![]),
            (vec![hash], vec![hash, (Minisign, Some("a"))], vec![]),
            (vec![(FirstUse, None)], vec![hash], vec![]),
            (vec![hash, (Minisign, Some("a"))], vec![hash], vec![Minisign]),
            (vec![hash], vec![(FirstUse, None)], vec![RegistryHash]),
            (vec![(Minisign, Some("a"))], vec![(Minisign, Some("b"))], vec![Minisign]),
            (
                vec![(PypiAttestation, Some("a"))],
                vec![(PypiAttestation, Some("a")), (PypiAttestation, Some("b"))],
                vec![PypiAttestation],
            ),
            (
                vec![(PypiAttestation, Some("a")), (PypiAttestation, Some("b"))],
                vec![(PypiAttestation, Some("a"))],
                vec![],
            ),
            // Without a signer on record, any will do.
            (vec![(Minisign, None)], vec![(Minisign, Some("a"))], vec![]),
        ] {
            let found = regressions(&pin(&before), &pin(&now));
            let kinds: Vec<_> = found.iter().map(|r| r.kind).collect();
            assert_eq!(kinds, want, "{before:?} {now:?}");
        }
        let found = regressions(&pin(&[(Minisign, Some("a"))]), &pin(&[(Minisign, Some("b"))]));
        assert_eq!(found[0].lines(), ["before    minisign by a", "now       minisign by b"]);
    }

    #[test]
    fn words() {
        use Proof::{Minisign, RegistryHash};
        let (none, a) =
            (pin(&[(RegistryHash, None)]), pin(&[(RegistryHash, None), (Minisign, Some("a"))]));
        let b = pin(&[(RegistryHash, None), (Minisign, Some("b"))]);
        let told = |before: &Pin, now: &Pin| {
            shifts(before, now).iter().map(Shift::words).collect::<Vec<_>>()
        };
        assert_eq!(told(&none, &a), ["more proof: minisign by a"]);
        assert_eq!(told(&a, &none), ["LESS PROOF: no minisign by a any more"]);
        assert_eq!(told(&a, &b), ["minisign by ANOTHER SIGNER: a → b"]);
        assert_eq!(told(&a, &a), [""; 0]);
        let of = |pins: &[(Platform, &Pin)]| said_of(pins.iter().copied());
        let (linux, darwin) = (Platform::X86_64Linux, Platform::Aarch64Darwin);
        assert_eq!(of(&[(linux, &a), (darwin, &a)]), "registry-hash, minisign by a");
        assert_eq!(
            of(&[(linux, &a), (darwin, &none)]),
            "registry-hash (aarch64-darwin); registry-hash, minisign by a (x86_64-linux)"
        );
    }
}
