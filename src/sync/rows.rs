//! From what a source offers to rows: each file fetched once, then read for each platform.
//!
//! The host's artifacts go through the cache and stay there; foreign ones are read from a
//! temporary file that is dropped. Invariant: a file's bytes matched the source's hash, where it
//! publishes one, before anything in it was read.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::artifact::{self, Wanted, blocking};
use super::error::{Error, Result};
use super::pin::{self, About, Found};
use super::resolve::Resolve;
use crate::base::{Algorithm, Integrity, Platform, Task, Version};
use crate::fs::StagingDir;
use crate::lock::model::{Artifact, Pin, Proof, Row};
use crate::lock::object_name;
use crate::source::{ArtifactOffer, Commands};
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
    let at_hand = match fetch(one, group, &shown, &task).await {
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
            // Whoever described it spoke of several platforms at once.
            Err(Error::Contradiction { file, what, .. }) if !one.source().is_sure(*platform) => {
                let reason = format!("`{file}` {what}");
                out.push((*platform, Row::Unavailable { reason }));
                continue;
            }
            other => other?,
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

async fn fetch(
    one: &Resolve<'_, '_>,
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
            Some(artifact::fetch(context, &wanted, locations, task).await.map_err(lied)?)
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
    let algorithm = offer.integrity.as_ref().map_or(Algorithm::Sha256, Integrity::algorithm);
    task.stage("downloading");
    let done = context
        .fetch
        .fetch(&offer.location, &path, &[algorithm], offer.size, task.as_ref())
        .await
        .map_err(|source| Error::Fetch {
            shown: shown.to_owned(),
            attempts: Vec::new(),
            source: Box::new(source),
        })?;
    let computed = artifact::hash_of(&done.hashes, algorithm);
    if let Some(expected) = &offer.integrity
        && *expected != computed
    {
        return Err(Error::Lied {
            shown: shown.to_owned(),
            published: Box::new(expected.clone()),
            received: Box::new(computed),
            from: offer.location.shown(),
        });
    }
    if is_host {
        let artifacts = context.store.artifacts().clone();
        let (file, hash) = (path.clone(), computed.clone());
        let (name, from) = (shown.to_owned(), offer.location.shown());
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
    Ok(AtHand { path, integrity: computed, size: done.size, _temporary: Some(temporary) })
}
