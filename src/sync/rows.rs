//! From what a source offers to rows: each file fetched once, then read for each platform.
//!
//! The host's artifacts go through the cache and stay there; foreign ones are read from a
//! temporary file that is dropped. Invariant: a file's bytes matched the source's hash, where it
//! publishes one, before anything in it was read.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::artifact::{self, Wanted, blocking};
use super::error::{Error, Result};
use super::pin::{self, About, Found};
use super::resolve::Resolve;
use super::tour::{Stop, Tour};
use crate::base::{Algorithm, Hasher, Integrity, Platform, Task, Version};
use crate::fs::{self, Context as _, StagingDir};
use crate::lock::model::{Artifact, Pin, Proof, Row};
use crate::lock::object_name;
use crate::source::{ArtifactOffer, Commands, Location};
use crate::store;

/// One file, and the platforms it serves.
pub(super) struct Group {
    /// What is fetched: file, place and hash are the same for all platforms.
    offer: ArtifactOffer,
    /// Each platform, with its own offer.
    platforms: Vec<(Platform, ArtifactOffer)>,
}

impl Group {
    /// Adds a platform's offer to the group of its file.
    pub(super) fn add(groups: &mut Vec<Self>, platform: Platform, offer: ArtifactOffer) {
        let same = |g: &&mut Self| {
            g.offer.file == offer.file
                && g.offer.location.url == offer.location.url
                && g.offer.integrity == offer.integrity
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.platforms.push((platform, offer)),
            None => groups.push(Self { offer: offer.clone(), platforms: vec![(platform, offer)] }),
        }
    }
}

/// A file at hand. Its directory, if it is temporary, lives as long.
struct AtHand {
    path: PathBuf,
    integrity: Integrity,
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
    let task = one.context.reporter.begin(&label, group.offer.size);
    let shown = format!("`{}` {version} ({})", one.dep, names.join(", "));
    let at_hand = match fetch(one, version, group, &shown, &task).await {
        Ok(at_hand) => Arc::new(at_hand),
        // Without an index, only asking for the file tells that it was never published.
        Err(Error::Fetch { source, .. })
            if group.offer.integrity.is_none() && source.is_not_found() =>
        {
            let reason = format!("its source has no file `{}`", group.offer.file);
            let row = |(platform, _): &(Platform, _)| {
                (*platform, Row::Unavailable { reason: reason.clone() })
            };
            return Ok(group.platforms.iter().map(row).collect());
        }
        Err(error) => return Err(error),
    };
    let hash_of = |platform| one.requirement.hash_of(version, platform, &group.offer.file);
    for hash in group.platforms.iter().filter_map(|(platform, _)| hash_of(*platform)) {
        compare(hash, &at_hand, &shown, &group.offer.location.shown()).await?;
    }
    task.stage("reading");
    let mut out = Vec::new();
    for (platform, offer) in &group.platforms {
        let about = About { dep: one.dep.clone(), version: version.clone(), platform: *platform };
        let options = pin::options(
            one.dep,
            &offer.file,
            offer.format,
            offer.strip,
            &pin::named(&offer.commands),
        );
        let (commands, file) = (offer.commands.clone(), Arc::clone(&at_hand));
        let read = about.clone();
        let found =
            blocking(&shown, move || pin::from_archive(&file.path, &read, &options, &commands))
                .await;
        let found = match found {
            // Nobody said that the file is for this C library: it is another platform's.
            Err(Error::Contradiction { file, what, libc_only: true, .. })
                if one.source().guesses_libc(&one.query(), &offer.file) =>
            {
                let reason = format!("`{file}` of `{}` {what}", offer.file);
                out.push((*platform, Row::Unavailable { reason }));
                continue;
            }
            found => found?,
        };
        let artifact = Artifact {
            file: offer.file.clone(),
            size: at_hand.size,
            integrity: at_hand.integrity.clone(),
            format: offer.format,
            strip: offer.strip,
        };
        let mut proofs = offer.proofs.clone();
        if offer.integrity.is_none() && proofs.is_empty() {
            proofs.push(Proof::FirstUse);
        }
        if hash_of(*platform).is_some() {
            // It was known before the first download.
            proofs.retain(|proof| *proof != Proof::FirstUse);
            proofs.push(Proof::ProfileHash);
        }
        out.push((*platform, row(&about, Some(artifact), found, proofs)?));
    }
    Ok(out)
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
            Ok(found) => row(&about, None, found, vec![Proof::Local])?,
            Err(reason) => Row::Unavailable { reason },
        };
        out.push((platform, row));
    }
    Ok(out)
}

/// Holds a file to the hash that the profile gives.
async fn compare(hash: &Integrity, at_hand: &Arc<AtHand>, shown: &str, from: &str) -> Result<()> {
    let received = if hash.algorithm() == at_hand.integrity.algorithm() {
        at_hand.integrity.clone()
    } else {
        let (file, algorithm) = (Arc::clone(at_hand), hash.algorithm());
        blocking(shown, move || Ok(hash_file(&file.path, algorithm)?)).await?
    };
    if received == *hash {
        return Ok(());
    }
    let expected = Box::new(hash.clone());
    let (shown, from) = (shown.to_owned(), from.to_owned());
    Err(Error::NotTheHash { shown, expected, received: Box::new(received), from })
}

fn hash_file(path: &Path, algorithm: Algorithm) -> fs::Result<Integrity> {
    let mut file = fs::open(path)?;
    let mut hasher = Hasher::new(algorithm);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = file.read(&mut buffer).context("read", path)?;
        if count == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&buffer[..count]);
    }
}

fn row(
    about: &About,
    artifact: Option<Artifact>,
    found: Found,
    mut verified: Vec<Proof>,
) -> Result<Row> {
    let Found { tree, bin, needs } = found;
    let object = object_name(&tree, &about.dep, &about.version)
        .map_err(|source| Error::Name { shown: about.shown(), source })?;
    verified.sort_unstable();
    verified.dedup();
    Ok(Row::Pinned(Box::new(Pin {
        artifact,
        with: Vec::new(),
        tree,
        object,
        bin,
        needs,
        verified,
        attestations: Vec::new(),
    })))
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
) -> Result<Vec<Location>> {
    let Some((platform, offer)) = group.platforms.first() else { return Ok(Vec::new()) };
    let (source, query) = (one.source(), one.query());
    let mut found = source.locate(&query, version, *platform, &offer.file).await?;
    found.extend(source.locate_elsewhere(&query, version, *platform, &offer.file).await?);
    Ok(found)
}

async fn fetch(
    one: &Resolve<'_, '_>,
    version: &Version,
    group: &Group,
    shown: &str,
    task: &Arc<dyn Task>,
) -> Result<AtHand> {
    let context = one.context;
    let offer = &group.offer;
    let is_host = group.platforms.iter().any(|(platform, _)| *platform == context.host);
    if let Some(integrity) = &offer.integrity {
        let wanted = Wanted { integrity, size: offer.size, shown };
        let verified = if is_host {
            let locations = async { Ok(vec![offer.location.clone()]) };
            let more = Box::pin(elsewhere(one, version, group));
            Some(artifact::fetch(context, &wanted, locations, more, task).await.map_err(lied)?)
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
    let more = Box::pin(elsewhere(one, version, group));
    let mut tour = Tour::new(context.reporter, shown, vec![offer.location.clone()], more);
    let (computed, size, from) = loop {
        let Some(stop) = tour.next().await else { return Err(tour.end()) };
        let said = from_one(one, offer, &stop, &path, shown, task).await;
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
    offer: &ArtifactOffer,
    stop: &Stop,
    path: &Path,
    shown: &str,
    task: &Arc<dyn Task>,
) -> Result<(Integrity, u64)> {
    let algorithm = offer.integrity.as_ref().map_or(Algorithm::Sha256, Integrity::algorithm);
    let about = (offer.size, shown);
    let done = artifact::download(one.context, stop, path, algorithm, about, task).await?;
    let computed = artifact::hash_of(&done.hashes, algorithm);
    match &offer.integrity {
        Some(expected) if *expected != computed => Err(Error::Lied {
            shown: shown.to_owned(),
            published: Box::new(expected.clone()),
            received: Box::new(computed),
            from: stop.location.shown(),
        }),
        _ => Ok((computed, done.size)),
    }
}
