//! From what a source offers to rows: each file (of a stack all of them, in parallel) fetched once,
//! then read for each platform.
//!
//! The host's artifacts go through the cache and stay there; foreign ones are read from a
//! temporary file that is dropped. Invariant: a file's bytes matched the source's hash, where it
//! publishes one, before anything in it was read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::artifact::{self, Wanted, blocking};
use super::attest;
use super::error::{Error, Result};
use super::pin::{self, About, Found};
use super::resolve::Resolve;
use super::tour::{Stop, Tour};
use crate::archive::{Format, Note, Options};
use crate::base::{Algorithm, Integrity, Platform, Task, Version};
use crate::fs::{self, StagingDir};
use crate::lock::model::{Artifact, Attestation, Linking, Pin, Proof, Row};
use crate::lock::object_name;
use crate::source::{Commands, Location, StackOffer};
use crate::store;

/// One offer, and the platforms it serves.
pub(super) struct Group {
    /// What is fetched: files, places and hashes are the same for all platforms.
    pub(super) offer: StackOffer,
    /// Each platform, with its own offer.
    pub(super) platforms: Vec<(Platform, StackOffer)>,
}

impl Group {
    /// Adds a platform's offer to the group of its files.
    pub(super) fn add(groups: &mut Vec<Self>, platform: Platform, offer: StackOffer) {
        let same = |g: &&mut Self| {
            let (a, b) = (&g.offer.first, &offer.first);
            a.file == b.file
                && a.location.url == b.location.url
                && a.integrity == b.integrity
                && g.offer.with == offer.with
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.platforms.push((platform, offer)),
            None => groups.push(Self { offer: offer.clone(), platforms: vec![(platform, offer)] }),
        }
    }

    /// Every file to fetch, the first first.
    fn files(&self) -> Vec<Wish<'_>> {
        let StackOffer { first, with, .. } = &self.offer;
        let first = Wish {
            file: &first.file,
            location: &first.location,
            integrity: first.integrity.as_ref(),
            size: first.size,
        };
        let with = with.iter().map(|layer| Wish {
            file: &layer.file,
            location: &layer.location,
            integrity: Some(&layer.integrity),
            size: layer.size,
        });
        std::iter::once(first).chain(with).collect()
    }

    /// Bytes of all files, where every size is known.
    fn size(&self) -> Option<u64> {
        self.files().iter().map(|wish| wish.size).sum()
    }
}

/// A file that is offered.
#[derive(Clone, Copy)]
struct Wish<'a> {
    file: &'a str,
    location: &'a Location,
    integrity: Option<&'a Integrity>,
    size: Option<u64>,
}

/// Each file of an offer, and how it is unpacked: format and leading components to drop.
fn ways(offer: &StackOffer) -> impl Iterator<Item = (&str, Format, u8)> {
    let StackOffer { first, with, .. } = offer;
    std::iter::once((first.file.as_str(), first.format, first.strip))
        .chain(with.iter().map(|layer| (layer.file.as_str(), layer.format, layer.strip)))
}

/// How each file of an offer is unpacked.
fn options(one: &Resolve<'_, '_>, offer: &StackOffer) -> Vec<Options> {
    let bin = pin::named(&offer.first.commands);
    let options =
        |(file, format, strip): (&str, _, _)| pin::options(one.dep, file, format, strip, &bin);
    ways(offer).map(options).collect()
}

/// A file at hand. Its directory, if it is temporary, lives as long.
pub(super) struct AtHand {
    pub(super) path: PathBuf,
    pub(super) integrity: Integrity,
    size: u64,
    _temporary: Option<StagingDir>,
}

/// The rows of every platform of a group.
pub(super) async fn of_group(
    one: &Resolve<'_, '_>,
    version: &Version,
    group: &Group,
) -> Result<Vec<(Platform, Row)>> {
    // The semaphore is never closed.
    let _slot = one.slots.acquire().await.ok();
    let names: Vec<_> = group.platforms.iter().map(|(p, _)| p.name()).collect();
    let label = format!("{} {version} ({})", one.dep, names.join(", "));
    let task = one.context.reporter.begin(&label, group.size());
    let shown = format!("`{}` {version} ({})", one.dep, names.join(", "));
    let mut fetching = Vec::new();
    for wish in group.files() {
        fetching.push(fetch(one, group, wish, version, &shown, &task));
    }
    let jobs = one.context.jobs();
    let fetched: Result<Vec<_>> = stream::iter(fetching).buffered(jobs).try_collect().await;
    let at_hand = match fetched {
        Ok(at_hand) => Arc::new(at_hand),
        // Without an index, only asking for the file tells that it was never published.
        Err(Error::Fetch { source, .. })
            if group.offer.first.integrity.is_none() && source.is_not_found() =>
        {
            let reason = format!("its source has no file `{}`", group.offer.first.file);
            let row = |(platform, _): &(Platform, _)| {
                (*platform, Row::Unavailable { reason: reason.clone() })
            };
            return Ok(group.platforms.iter().map(row).collect());
        }
        Err(error) => return Err(error),
    };
    let first = &group.offer.first;
    let hash_of = |platform| one.requirement.hash_of(version, platform, &first.file);
    for hash in group.platforms.iter().filter_map(|(platform, _)| hash_of(*platform)) {
        compare(hash, &at_hand, &shown, &first.location.shown()).await?;
    }
    let mut each = Vec::new();
    for (wish, at_hand) in group.files().iter().zip(at_hand.iter()) {
        each.push(attest::group(one, version, group, (wish.file, at_hand), &shown, &task).await?);
    }
    let attested = attest::Of::all(group.files().iter().map(|wish| wish.file).zip(each));
    task.stage("reading");
    let mut out = Vec::new();
    let mut said = BTreeSet::new();
    for (platform, offer) in &group.platforms {
        let about = About { dep: one.dep.clone(), version: version.clone(), platform: *platform };
        let options = options(one, offer);
        let (commands, linking) = (offer.first.commands.clone(), offer.linking);
        let (files, read) = (Arc::clone(&at_hand), about.clone());
        let found = blocking(&shown, move || {
            let paths = files.iter().map(|file| file.path.clone());
            let files: Vec<_> = paths.zip(options).collect();
            pin::from_archives(&files, &read, linking, &commands)
        })
        .await;
        let found = match found {
            // Nobody said that the file is for this platform, or for this C library.
            Err(Error::Contradiction { file, what, libc_only, .. })
                if !offer.promised
                    || libc_only && one.source().guesses_libc(&one.query(), &offer.first.file) =>
            {
                let reason = format!("`{file}` of `{}` {what}", offer.first.file);
                out.push((*platform, Row::Unavailable { reason }));
                continue;
            }
            found => found?,
        };
        tell(one, &shown, &found.notes, &mut said);
        let mut artifacts =
            at_hand.iter().zip(ways(offer)).map(|(at_hand, (file, format, strip))| Artifact {
                file: file.to_owned(),
                size: at_hand.size,
                integrity: at_hand.integrity.clone(),
                format,
                strip,
            });
        let artifacts = (artifacts.next(), artifacts.collect());
        let (mut proofs, mut first) = (offer.first.proofs.clone(), attested.first.clone());
        proofs.extend(&attested.kinds);
        if offer.first.integrity.is_none() && proofs.is_empty() {
            proofs.push(Proof::FirstUse);
        }
        if hash_of(*platform).is_some() {
            // It was known before the first download.
            proofs.retain(|proof| *proof != Proof::FirstUse);
            // It is the first file's alone.
            if offer.with.is_empty() { &mut proofs } else { &mut first }.push(Proof::ProfileHash);
        }
        let mut row =
            row(&about, artifacts, offer.linking, found, proofs, attested.attestations.clone())?;
        if let Row::Pinned(pin) = &mut row {
            pin.first = first;
        }
        out.push((*platform, row));
    }
    Ok(out)
}

/// Most entries that are named in one warning.
const NAMED: usize = 20;

/// Names what an image has and its tree has not, once for each image.
fn tell(one: &Resolve<'_, '_>, shown: &str, notes: &[Note], said: &mut BTreeSet<String>) {
    if notes.is_empty() {
        return;
    }
    let mut words: Vec<String> =
        notes.iter().take(NAMED).map(|n| format!("`{}`: {}", n.entry, n.why)).collect();
    if notes.len() > NAMED {
        words.push(format!("and {} more", notes.len() - NAMED));
    }
    let text =
        format!("the tree of {shown} does not keep everything of its image: {}", words.join("; "));
    if said.insert(text.clone()) {
        one.context.reporter.warn(&text);
    }
}

/// The rows of a directory of the project; one that cannot run on a platform is not available
/// there, since nobody promised that it is.
pub(super) async fn of_directory(
    one: &Resolve<'_, '_>,
    version: &Version,
    path: &Path,
    platforms: Vec<(Platform, Commands)>,
) -> Result<Vec<(Platform, Row)>> {
    let _slot = one.slots.acquire().await.ok();
    let task = one.context.reporter.begin(&format!("{} {version}", one.dep), None);
    task.stage("reading");
    let directory = one.context.project.join(path);
    let store = one.context.store.clone();
    let (dep, at) = (one.dep.clone(), version.clone());
    let found = blocking(&format!("`{}`", one.dep), move || {
        pin::from_directory(&store, &directory, &dep, &at, &platforms)
    })
    .await?;
    let mut out = Vec::new();
    for (platform, found) in found {
        let about = About { dep: one.dep.clone(), version: version.clone(), platform };
        let row = match found {
            Ok(found) => {
                row(&about, (None, Vec::new()), None, found, vec![Proof::Local], Vec::new())?
            }
            Err(reason) => Row::Unavailable { reason },
        };
        out.push((platform, row));
    }
    Ok(out)
}

/// Holds the first file to the hash that the profile gives.
async fn compare(
    hash: &Integrity,
    at_hand: &Arc<Vec<AtHand>>,
    shown: &str,
    from: &str,
) -> Result<()> {
    let Some(first) = at_hand.first() else { return Ok(()) };
    let received = if hash.algorithm() == first.integrity.algorithm() {
        first.integrity.clone()
    } else {
        let (file, algorithm) = (first.path.clone(), hash.algorithm());
        blocking(shown, move || Ok(fs::hash_file(&file, algorithm)?.0)).await?
    };
    if received == *hash {
        return Ok(());
    }
    let expected = Box::new(hash.clone());
    let (shown, from) = (shown.to_owned(), from.to_owned());
    Err(Error::NotTheHash { shown, expected, received: Box::new(received), from })
}

pub(super) fn row(
    about: &About,
    (artifact, with): (Option<Artifact>, Vec<Artifact>),
    linking: Option<Linking>,
    found: Found,
    mut verified: Vec<Proof>,
    attestations: Vec<Attestation>,
) -> Result<Row> {
    let Found { tree, bin, needs, notes: _ } = found;
    let object = object_name(&tree, &about.dep, &about.version)
        .map_err(|source| Error::Name { shown: about.shown(), source })?;
    verified.sort_unstable();
    verified.dedup();
    Ok(Row::Pinned(Box::new(Pin {
        artifact,
        with,
        linking,
        tree,
        object,
        bin,
        needs,
        verified,
        first: Vec::new(),
        attestations,
    })))
}

/// Where a file lies: as offered, or of several asked anew, since credentials for the last may have
/// run out while the first were fetched.
async fn locations(
    one: &Resolve<'_, '_>,
    group: &Group,
    wish: Wish<'_>,
    version: &Version,
) -> Result<Vec<Location>> {
    match group.platforms.first() {
        Some((platform, offer)) if !offer.with.is_empty() => {
            let mut found =
                one.source().locate(&one.query(), version, *platform, wish.file).await?;
            // The place that the index named comes first; others are where it may lie, too.
            found.sort_by_key(|location| location.url != wish.location.url);
            Ok(found)
        }
        _ => Ok(vec![wish.location.clone()]),
    }
}

/// While locking, it is the index that was wrong, and nothing is locked yet.
fn lied(error: Error) -> Error {
    match error {
        Error::Store(inner) => match *inner {
            store::Error::ArtifactMismatch { shown, expected, received, from } => Error::Lied {
                shown,
                published: Box::new(expected),
                received: Box::new(received),
                from,
            },
            other => Error::Store(Box::new(other)),
        },
        other => other,
    }
}

/// Every other place that may have an offered file.
async fn elsewhere(
    one: &Resolve<'_, '_>,
    version: &Version,
    group: &Group,
    wish: Wish<'_>,
) -> Result<Vec<Location>> {
    let Some((platform, _)) = group.platforms.first() else { return Ok(Vec::new()) };
    let (source, query) = (one.source(), one.query());
    let mut found = source.locate(&query, version, *platform, wish.file).await?;
    found.extend(source.locate_elsewhere(&query, version, *platform, wish.file).await?);
    Ok(found)
}

async fn fetch(
    one: &Resolve<'_, '_>,
    group: &Group,
    wish: Wish<'_>,
    version: &Version,
    shown: &str,
    task: &Arc<dyn Task>,
) -> Result<AtHand> {
    let context = one.context;
    let is_host = group.platforms.iter().any(|(platform, _)| *platform == context.host);
    if let Some(integrity) = wish.integrity {
        let wanted = Wanted { integrity, size: wish.size, shown };
        let verified = if is_host {
            let known = locations(one, group, wish, version);
            let more = Box::pin(elsewhere(one, version, group, wish));
            Some(artifact::fetch(context, &wanted, known, more, task).await.map_err(lied)?)
        } else {
            artifact::cached(context, integrity, shown).await?
        };
        if let Some(verified) = verified {
            return Ok(AtHand {
                path: verified.path().to_owned(),
                integrity: verified.integrity().clone(),
                size: verified.size(),
                _temporary: None,
            });
        }
    }
    let temporary = StagingDir::new_in(&context.store.temp_dir()?, "artifact")?;
    let path = temporary.path().join("file");
    task.stage("downloading");
    let known = locations(one, group, wish, version).await?;
    let more = Box::pin(elsewhere(one, version, group, wish));
    let mut tour = Tour::new(context.reporter, shown, known, more);
    let (computed, size, from) = loop {
        let Some(stop) = tour.next().await else { return Err(tour.end()) };
        let said = from_one(one, wish, &stop, &path, shown, task).await;
        if let Some((computed, size)) = tour.heard(&stop, said)? {
            break (computed, size, stop.location.shown());
        }
        // Nothing of one place's file may become part of another's.
        fs::remove_file_if_exists(&path)?;
    };
    if is_host {
        let artifacts = context.store.artifacts().clone();
        let (file, hash, name) = (path.clone(), computed.clone(), shown.to_owned());
        let verified =
            blocking(shown, move || Ok(artifacts.admit(&file, &hash, &hash, &name, &from)?))
                .await?;
        return Ok(AtHand {
            path: verified.path().to_owned(),
            integrity: computed,
            size: verified.size(),
            _temporary: None,
        });
    }
    Ok(AtHand { path, integrity: computed, size, _temporary: Some(temporary) })
}

/// A file and its hash, which is the one that the index publishes if it does.
async fn from_one(
    one: &Resolve<'_, '_>,
    wish: Wish<'_>,
    stop: &Stop,
    path: &Path,
    shown: &str,
    task: &Arc<dyn Task>,
) -> Result<(Integrity, u64)> {
    let algorithm = wish.integrity.map_or(Algorithm::Sha256, Integrity::algorithm);
    let about = (wish.size, shown);
    let done = artifact::download(one.context, stop, path, algorithm, about, task).await?;
    let computed = artifact::hash_of(&done.hashes, algorithm);
    match wish.integrity {
        Some(expected) if *expected != computed => Err(Error::Lied {
            shown: shown.to_owned(),
            published: Box::new(expected.clone()),
            received: Box::new(computed),
            from: stop.location.shown(),
        }),
        _ => Ok((computed, done.size)),
    }
}
