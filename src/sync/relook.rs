//! Rows that an update leaves as they are: who vouches for them now.
//!
//! Refuses nothing that [`super::attest`] does not. Invariant: a row keeps the proof that it was
//! locked with, since its evidence is kept; what it gains is added, and what its source no longer
//! has is only told.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::artifact;
use super::attest::{self, Of, Work};
use super::error::Result;
use super::execute::shown;
use super::resolve::Resolve;
use crate::base::{Platform, Proof, Version};
use crate::lock::model::{Attestation, Pin, Row};
use crate::provenance;
use crate::source::StackOffer;

/// Files that are asked about at once.
const AT_ONCE: usize = 8;

/// Rows that stay, with the proof that an update finds.
pub(super) async fn rows(
    one: &Resolve<'_, '_>,
    version: &Version,
    staying: Vec<(Platform, Row, StackOffer)>,
) -> Result<Vec<(Platform, Row)>> {
    let mut work = Vec::new();
    for (platform, row, offer) in staying {
        work.push(async move {
            let row = match row {
                Row::Pinned(pin) if one.update && provenance::ENABLED => {
                    Row::Pinned(Box::new(again(one, version, platform, *pin, &offer).await?))
                }
                row => row,
            };
            Ok::<_, super::Error>((platform, row))
        });
    }
    stream::iter(work).buffered(AT_ONCE).try_collect().await
}

async fn again(
    one: &Resolve<'_, '_>,
    version: &Version,
    platform: Platform,
    mut pin: Pin,
    offer: &StackOffer,
) -> Result<Pin> {
    let shown = shown(one.dep, version.as_str(), platform);
    let mut each = Vec::new();
    let artifacts: Vec<_> = pin.artifacts().cloned().collect();
    for artifact in artifacts {
        let cached = artifact::cached(one.context, &artifact.integrity, &shown).await;
        let content = cached.ok().flatten().map(|verified| verified.path().to_owned());
        let digests = vec![artifact.integrity.clone()];
        let work = Work { file: artifact.file.clone(), digests, content };
        // It has the evidence that it was locked with: nothing new depends on the answer.
        match attest::ask(one, version, platform, &work, Vec::new, &shown).await? {
            Some(found) => each.push((artifact.file.clone(), found)),
            None => return Ok(pin),
        }
    }
    let found = Of::all(each.iter().map(|(file, found)| (file.as_str(), found.clone())));
    let gone = withdrawn(&pin, &found, &offer.first.proofs);
    if !gone.is_empty() {
        one.context.reporter.warn(&format!(
            "{shown}: its source no longer has {}; what was verified when it was locked is kept",
            gone.join(", ")
        ));
    }
    let Of { kinds, first, attestations } = found;
    let is_new = |new: &Attestation| {
        let same = |old: &Attestation| {
            (old.kind, &old.signer, &old.list, &old.of)
                == (new.kind, &new.signer, &new.list, &new.of)
        };
        !pin.attestations.iter().any(same)
    };
    let new: Vec<Attestation> = attestations.into_iter().filter(is_new).collect();
    pin.attestations.extend(new);
    pin.attestations.sort();
    add(&mut pin.verified, kinds.into_iter().chain(offer.first.proofs.iter().copied()));
    if pin.verified.iter().any(|proof| proof.vouches()) {
        pin.verified.retain(|proof| proof.vouches());
    }
    let verified = pin.verified.clone();
    add(&mut pin.first, first.into_iter());
    pin.first.retain(|proof| !verified.contains(proof));
    Ok(pin)
}

fn add(all: &mut Vec<Proof>, more: impl Iterator<Item = Proof>) {
    all.extend(more);
    all.sort_unstable();
    all.dedup();
}

/// What a pin was locked with, and its source has no more.
fn withdrawn(pin: &Pin, found: &Of, offered: &[Proof]) -> Vec<String> {
    let mut out = Vec::new();
    for proof in &pin.verified {
        let is_there = match proof {
            proof if proof.is_signed() => continue,
            // The profile's word, not the source's.
            Proof::ProfileHash | Proof::FirstUse | Proof::Local => true,
            proof => offered.contains(proof),
        };
        if !is_there {
            out.push(format!("its {proof}"));
        }
    }
    for old in &pin.attestations {
        let same = |new: &Attestation| new.kind == old.kind && new.of == old.of;
        let is_there = found.attestations.iter().any(same);
        if !is_there {
            out.push(format!("the {} by {}", old.kind, old.signer));
        }
    }
    out
}
