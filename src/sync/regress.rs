//! Whether a new pin is vouched for by less than the one it replaces, or by somebody else. Pure.
//!
//! Invariant: a pin that gains proof, and keeps every signer, is no regression.

use std::collections::BTreeSet;

use crate::base::Proof;
use crate::lock::model::Pin;

/// One kind of proof that changed for the worse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regression {
    /// The kind.
    pub kind: Proof,
    /// Who signed before; empty for proofs without a signer.
    pub before: Vec<String>,
    /// Who signs now; `None` when nobody does.
    pub now: Option<Vec<String>>,
}

impl Regression {
    /// What is shown of it.
    pub(super) fn lines(&self) -> Vec<String> {
        let said = |signers: &[String]| match signers {
            [] => String::new(),
            signers => format!(" by {}", signers.join(", ")),
        };
        let Self { kind, before, now } = self;
        vec![
            format!("before    {kind}{}", said(before)),
            match now {
                Some(signers) => format!("now       {kind}{}", said(signers)),
                None => format!("now       no {kind}"),
            },
        ]
    }
}

/// What changed for the worse from one pin to the next of the same platform.
pub(super) fn regressions(before: &Pin, now: &Pin) -> Vec<Regression> {
    let signers = |pin: &Pin, kind: Proof| -> BTreeSet<String> {
        let of_kind = pin.attestations.iter().filter(|a| a.kind == kind);
        of_kind.map(|a| a.signer.clone()).collect()
    };
    let mut out = Vec::new();
    // The profile's own hashes are for the versions that it names.
    let lasts = |kind: &Proof| kind.vouches() && *kind != Proof::ProfileHash;
    for kind in before.verified.iter().copied().filter(lasts) {
        let was = signers(before, kind);
        if !now.verified.contains(&kind) {
            let before = was.into_iter().collect();
            out.push(Regression { kind, before, now: None });
            continue;
        }
        let is = signers(now, kind);
        // A second signer beside the known one is a stranger too; one of two known ones is not.
        if !was.is_empty() && (is.is_empty() || !is.is_subset(&was)) {
            let (before, now) = (was.into_iter().collect(), is.into_iter().collect());
            out.push(Regression { kind, before, now: Some(now) });
        }
    }
    out
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
            Some(Attestation { kind: *kind, signer, bundle: Integrity::sha256_of(b"x") })
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
}
