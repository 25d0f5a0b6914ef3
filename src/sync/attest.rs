//! Who signed an artifact: asked of its source, verified, kept.
//!
//! 1. When locking, the source is asked once for each file, for every platform's file.
//! 2. What it has must all hold; one that does not refuses the lock.
//! 3. A source that cannot be asked is an error only where something depends on the answer: what
//!    the policy asks for, or what the locked version has.
//! 4. Evidence is written to the store when all of a lock is accepted.
//! 5. Of several artifacts of a pin each is asked for: a kind that not all have counts for none.
//!
//! Invariant: an attestation of a row was verified against the row's own hash.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::artifact::blocking;
use super::context::Context;
use super::error::{Error, Result};
use super::execute::shown as shown_of;
use super::resolve::Resolve;
use super::rows::{AtHand, Group};
use crate::base::{
    Algorithm, DepName, Integrity, Platform, Proof, SourceKind, Task, Version, chain,
};
use crate::fs;
use crate::lock::model::{Artifact, Attestation, LockedDep, Pin, Row};
use crate::profile::model::Requirement;
use crate::provenance::{self, Content, Evidence, Subject, Trust, Verified};
use crate::source::{Asked, Query};

/// Evidence that is to be kept, by its hash.
#[derive(Default)]
pub(super) struct Kept(Mutex<BTreeMap<Integrity, Vec<u8>>>);

impl Kept {
    fn add(&self, evidence: &Evidence) -> Integrity {
        let digest = evidence.digest();
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.entry(digest.clone()).or_insert_with(|| evidence.to_bytes());
        digest
    }

    /// Writes all of it to the store.
    pub(super) async fn write(self, context: &Context<'_>) -> Result<()> {
        let all = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return Ok(());
        }
        let store = context.store.clone();
        blocking("keeping evidence", move || {
            for bytes in all.values() {
                store.keep_evidence(bytes)?;
            }
            Ok(())
        })
        .await
    }
}

/// What was found of several artifacts of a pin.
#[derive(Default)]
pub(super) struct Of {
    /// The kinds that every artifact has.
    pub(super) kinds: Vec<Proof>,
    /// The kinds that the first has, and not all.
    pub(super) first: Vec<Proof>,
    /// All of them; each says which artifact it is about where there are several.
    pub(super) attestations: Vec<Attestation>,
}

impl Of {
    /// Puts together what was found of each file.
    pub(super) fn all<'a>(each: impl Iterator<Item = (&'a str, Vec<Attestation>)>) -> Self {
        let each: Vec<(&str, Vec<Attestation>)> = each.collect();
        let has = |found: &[Attestation], kind| found.iter().any(|one| one.kind == kind);
        let all: BTreeSet<Proof> =
            each.iter().flat_map(|(_, f)| f.iter().map(|a| a.kind)).collect();
        let (kinds, some): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|kind| each.iter().all(|(_, found)| has(found, *kind)));
        let on_first = |kind: &Proof| each.first().is_some_and(|(_, found)| has(found, *kind));
        let several = each.len() > 1;
        let named = |(file, found): (&str, Vec<Attestation>)| {
            let of = several.then(|| file.to_owned());
            found.into_iter().map(move |one| Attestation { of: of.clone(), ..one })
        };
        Self {
            kinds,
            first: some.into_iter().filter(on_first).collect(),
            attestations: each.into_iter().flat_map(named).collect(),
        }
    }
}

/// The attestations of a file that is at hand, verified.
pub(super) async fn group(
    one: &Resolve<'_, '_>,
    version: &Version,
    group: &Group,
    (file, at_hand): (&str, &AtHand),
    shown: &str,
    task: &Arc<dyn Task>,
) -> Result<Vec<Attestation>> {
    let Some((platform, _)) = group.platforms.first() else { return Ok(Vec::new()) };
    task.stage("asking who signed it");
    let mut digests = vec![at_hand.integrity.clone()];
    let by_sha256 = matches!(one.requirement.from.kind(), SourceKind::Github | SourceKind::Aqua);
    if by_sha256 && at_hand.integrity.algorithm() != Algorithm::Sha256 {
        let path = at_hand.path.clone();
        digests
            .push(blocking(shown, move || Ok(fs::hash_file(&path, Algorithm::Sha256)?.0)).await?);
    }
    let work = Work { file: file.to_owned(), digests, content: Some(at_hand.path.clone()) };
    let depends = || wanted(one, group);
    Ok(ask(one, version, *platform, &work, depends, shown).await?.unwrap_or_default())
}

/// What a source has of who signed a file, verified; `None` when it cannot be asked, and nothing
/// `depends` on the answer.
pub(super) async fn ask(
    one: &Resolve<'_, '_>,
    version: &Version,
    platform: Platform,
    work: &Work,
    depends: impl Fn() -> Vec<Proof>,
    shown: &str,
) -> Result<Option<Vec<Attestation>>> {
    if !provenance::ENABLED || one.requirement.from.kind() == SourceKind::Path {
        return Ok(None);
    }
    let (query, trust) = (one.query(), one.context.rules.trust.as_ref());
    let Work { file, digests, content } = work;
    let asked = Asked { query: &query, version, platform, file, digests, trust };
    let found = match one.source().evidence(&asked).await {
        Ok(found) => found,
        Err(e) if e.is_unreachable() => {
            let wanted = depends();
            if !wanted.is_empty() {
                let (shown, source) = (shown.to_owned(), Box::new(e));
                return Err(Error::ProofUnreachable { shown, wanted, source });
            }
            let why = chain(&e);
            let said = format!("{shown}: nobody could be asked who signed it: {why}");
            one.context.reporter.warn(&said);
            return Ok(None);
        }
        Err(e) => return Err(e.into()),
    };
    let (mut out, mut unseen) = (BTreeMap::new(), BTreeSet::new());
    for evidence in found {
        let kind = evidence.kind();
        let (verified, evidence) = work.clone().verify(one.context, evidence, shown).await?;
        let Verified { kind, signer, list } = match verified {
            // It is over bytes that are not here: what was verified when they were is all there is.
            Err(provenance::Error::NeedsContent) if content.is_none() => {
                let old = one.old.and_then(|old| old.platforms.get(&platform)).and_then(Row::pin);
                let all = old.map(|pin| pin.attestations.as_slice()).unwrap_or_default();
                unseen.extend(all.iter().filter(|a| a.kind == kind && a.list.is_none()).cloned());
                continue;
            }
            verified => verified.map_err(|source| Error::Proof {
                shown: shown.to_owned(),
                file: file.clone(),
                kind,
                source: Box::new(source),
            })?,
        };
        // Several statements of one signer say the same; the first by hash is kept.
        let digest = evidence.digest();
        let entry =
            out.entry((kind, signer, list)).or_insert_with(|| (digest.clone(), evidence.clone()));
        if digest < entry.0 {
            *entry = (digest, evidence);
        }
    }
    let attestation = |((kind, signer, list), (_, evidence))| {
        let bundle = one.kept.add(&evidence);
        Attestation { kind, signer, list, of: None, bundle }
    };
    Ok(Some(out.into_iter().map(attestation).chain(unseen).collect()))
}

/// What depends on the answer: signed proof that the policy asks for, or that the locked rows have.
fn wanted(one: &Resolve<'_, '_>, group: &Group) -> Vec<Proof> {
    let required = one.required().into_iter();
    let mut wanted: BTreeSet<Proof> = required.filter(|proof| proof.is_signed()).collect();
    for (platform, _) in &group.platforms {
        let row = one.old.and_then(|old| old.platforms.get(platform));
        let pin = row.and_then(Row::pin);
        wanted.extend(pin.iter().flat_map(|pin| &pin.attestations).map(|a| a.kind));
    }
    if one.context.rules.accept.covers(one.dep) {
        wanted.retain(|proof| one.required().contains(proof));
    }
    wanted.into_iter().collect()
}

/// What a verification needs to know of the artifact.
#[derive(Clone)]
pub(super) struct Work {
    pub(super) file: String,
    pub(super) digests: Vec<Integrity>,
    pub(super) content: Option<PathBuf>,
}

impl Work {
    /// On a thread of its own: it may hash all of a file.
    async fn verify(
        self,
        context: &Context<'_>,
        evidence: Evidence,
        shown: &str,
    ) -> Result<(provenance::Result<Verified>, Evidence)> {
        let trust = Arc::clone(&context.rules.trust);
        blocking(shown, move || Ok((self.check(&evidence, &trust), evidence))).await
    }

    fn check(&self, evidence: &Evidence, trust: &Trust) -> provenance::Result<Verified> {
        let content = self.content.as_deref();
        let mut digests = self.digests.clone();
        if let (Some(wanted), Some(path)) = (evidence.algorithm(), content)
            && digests.iter().all(|digest| digest.algorithm() != wanted)
        {
            digests.push(fs::hash_file(path, wanted)?.0);
        }
        let content = content.map(Content::File);
        let subject = Subject { file: &self.file, digests: &digests, content };
        provenance::verify(evidence, &subject, trust)
    }
}

/// What verifying a locked attestation again came to.
#[derive(Debug)]
pub enum Again {
    /// It holds, from the evidence that was kept.
    Holds,
    /// It holds; the evidence was not here and was asked for again.
    Fetched,
    /// It cannot be verified without the artifact's bytes, which are not here.
    NeedsContent,
    /// The evidence is not here, and the network is not to be used.
    NotHere,
    /// The evidence is not here, and its source has none any more (or cannot be asked: why).
    Gone(Option<String>),
    /// It does not hold.
    Refused(Box<provenance::Error>),
    /// The evidence that was kept was changed on disk.
    Changed(Box<crate::store::Error>),
    /// It holds, and says something else than the lock.
    Differs(Verified),
}

/// Verifies a locked attestation again: from what was kept, else from what the source has.
pub async fn verify_again(
    context: &Context<'_>,
    dep: &DepName,
    locked: &LockedDep,
    requirement: &Requirement,
    (platform, pin): (Platform, &Pin),
    attestation: &Attestation,
) -> Result<Again> {
    let is_meant = |one: &&Artifact| attestation.of.as_ref().is_none_or(|of| *of == one.file);
    let Some(artifact) = pin.artifacts().find(is_meant) else { return Ok(Again::NeedsContent) };
    let shown = shown_of(dep, locked.version.as_str(), platform);
    let digests = vec![artifact.integrity.clone()];
    let cached = super::artifact::cached(context, &artifact.integrity, &shown).await;
    let content = cached.ok().flatten().map(|verified| verified.path().to_owned());
    let work =
        || Work { file: artifact.file.clone(), digests: digests.clone(), content: content.clone() };
    let same = |verified: &Verified| {
        let Verified { kind, signer, list } = verified;
        (*kind, signer, list) == (attestation.kind, &attestation.signer, &attestation.list)
    };
    match context.store.evidence(&attestation.bundle) {
        Ok(Some(bytes)) => {
            let evidence = match Evidence::from_bytes(&bytes) {
                Ok(evidence) => evidence,
                Err(e) => return Ok(Again::Refused(Box::new(e))),
            };
            let (found, _) = work().verify(context, evidence, &shown).await?;
            return Ok(match found {
                Ok(verified) if same(&verified) => Again::Holds,
                Ok(verified) => Again::Differs(verified),
                Err(provenance::Error::NeedsContent) => Again::NeedsContent,
                Err(e) => Again::Refused(Box::new(e)),
            });
        }
        Ok(None) if context.offline => return Ok(Again::NotHere),
        Ok(None) => {}
        Err(e @ crate::store::Error::EvidenceChanged { .. }) => {
            return Ok(Again::Changed(Box::new(e)));
        }
        Err(e) => return Err(e.into()),
    }
    let definition = locked.definition.as_ref();
    let query = Query { definition, ..Query::new(dep, requirement) };
    let file = &artifact.file;
    let (version, trust) = (&locked.version, context.rules.trust.as_ref());
    let asked = Asked { query: &query, version, platform, file, digests: &digests, trust };
    let found = match (context.sources)(locked.source.kind()).evidence(&asked).await {
        Ok(found) => found,
        Err(e) => return Ok(Again::Gone(Some(chain(&e)))),
    };
    let mut worst = Again::Gone(None);
    for evidence in found.into_iter().filter(|e| e.kind() == attestation.kind) {
        let is_locked = evidence.digest() == attestation.bundle;
        let (verified, evidence) = work().verify(context, evidence, &shown).await?;
        match verified {
            Ok(verified) if same(&verified) => {
                context.store.keep_evidence(&evidence.to_bytes())?;
                return Ok(Again::Fetched);
            }
            Ok(verified) => worst = Again::Differs(verified),
            Err(provenance::Error::NeedsContent) if is_locked => {
                context.store.keep_evidence(&evidence.to_bytes())?;
                return Ok(Again::NeedsContent);
            }
            Err(provenance::Error::NeedsContent) => worst = Again::NeedsContent,
            Err(e) => worst = Again::Refused(Box::new(e)),
        }
    }
    Ok(worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_that_not_all_have_counts_for_none() {
        let one = |kind, signer: &str| Attestation {
            kind,
            signer: signer.to_owned(),
            list: None,
            of: None,
            bundle: Integrity::sha256_of(signer.as_bytes()),
        };
        use Proof::{Cosign, Minisign, PypiAttestation};
        let single = Of::all([("a", vec![one(Minisign, "m")])].into_iter());
        assert_eq!((single.kinds, single.first), (vec![Minisign], vec![]));
        assert_eq!(single.attestations[0].of, None);
        let found = Of::all(
            [
                ("a", vec![one(Minisign, "m"), one(Cosign, "c")]),
                ("b", vec![one(Minisign, "m"), one(PypiAttestation, "p")]),
            ]
            .into_iter(),
        );
        assert_eq!((found.kinds, found.first), (vec![Minisign], vec![Cosign]));
        let told: Vec<_> =
            found.attestations.iter().map(|a| (a.of.as_deref().unwrap_or("-"), a.kind)).collect();
        assert_eq!(told, [("a", Minisign), ("a", Cosign), ("b", Minisign), ("b", PypiAttestation)]);
        let bare = Of::all(std::iter::empty());
        assert!(bare.kinds.is_empty() && bare.attestations.is_empty());
    }
}
