//! One artifact into the cache: from the cache, else from the first location that tells the truth.
//!
//! 1. A cached file of the hash is the answer.
//! 2. One process downloads an artifact at a time; whoever waited looks into the cache again.
//! 3. Locations are tried in order. One that fails or lies is warned of when another is left.
//! 4. A part that an earlier try left may be of other bytes: a mismatch after resuming starts over.
//!
//! Invariant: only bytes of the expected hash get into the cache.

use std::path::Path;
use std::sync::Arc;

use super::context::Context;
use super::error::{Error, Result};
use super::tour::{Elsewhere, Stop, Tour};
use crate::base::{Algorithm, Diagnose as _, Integrity, Kind, Task};
use crate::fs;
use crate::http::Downloaded;
use crate::source::Location;
use crate::store::{ArtifactLock, Verified};

/// Runs blocking work on its own thread.
pub(super) async fn blocking<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(source) => Err(Error::Worker { doing: doing.to_owned(), source }),
    }
}

/// What is to be fetched.
pub(super) struct Wanted<'a> {
    /// What its bytes must hash to.
    pub(super) integrity: &'a Integrity,
    /// Its size in bytes, where it is known.
    pub(super) size: Option<u64>,
    /// Dep, version and platform, for messages.
    pub(super) shown: &'a str,
}

/// The cached artifact, if there is one.
pub(super) async fn cached(
    context: &Context<'_>,
    integrity: &Integrity,
    shown: &str,
) -> Result<Option<Verified>> {
    let (artifacts, integrity) = (context.store.artifacts().clone(), integrity.clone());
    let name = shown.to_owned();
    blocking(shown, move || Ok(artifacts.get(&integrity, &name)?)).await
}

/// Fetches an artifact into the cache. `locations` is called when it is not cached, `elsewhere` when
/// none of them served it.
pub(super) async fn fetch<'a>(
    context: &'a Context<'_>,
    wanted: &'a Wanted<'_>,
    locations: impl Future<Output = Result<Vec<Location>>>,
    elsewhere: Elsewhere<'a>,
    task: &Arc<dyn Task>,
) -> Result<Verified> {
    if let Some(found) = cached(context, wanted.integrity, wanted.shown).await? {
        return Ok(found);
    }
    let locations = locations.await?;
    let partial = context.store.artifacts().partial(wanted.integrity)?;
    let _lock = lock(context, wanted, task).await?;
    if let Some(found) = cached(context, wanted.integrity, wanted.shown).await? {
        return Ok(found);
    }
    let mut tour = Tour::new(context.reporter, wanted.shown, locations, elsewhere);
    while let Some(stop) = tour.next().await {
        let said = from_one(context, wanted, &stop, &partial, task).await;
        if let Some(found) = tour.heard(&stop, said)? {
            return Ok(found);
        }
    }
    Err(tour.end())
}

/// Downloads from one place.
pub(super) async fn download(
    context: &Context<'_>,
    stop: &Stop,
    file: &Path,
    algorithm: Algorithm,
    wanted: (Option<u64>, &str),
    task: &Arc<dyn Task>,
) -> Result<Downloaded> {
    let (size, shown) = wanted;
    let (location, algorithms) = (&stop.location, [algorithm]);
    let task = task.as_ref();
    let done = match stop.last {
        true => context.fetch.fetch(location, file, &algorithms, size, task).await,
        false => context.fetch.fetch_or_pass(location, file, &algorithms, size, task).await,
    };
    done.map_err(|source| Error::Fetch {
        shown: shown.to_owned(),
        attempts: Vec::new(),
        source: Box::new(source),
    })
}

async fn lock(
    context: &Context<'_>,
    wanted: &Wanted<'_>,
    task: &Arc<dyn Task>,
) -> Result<ArtifactLock> {
    let (artifacts, integrity) = (context.store.artifacts().clone(), wanted.integrity.clone());
    let (shown, task) = (wanted.shown.to_owned(), Arc::clone(task));
    blocking(wanted.shown, move || Ok(artifacts.lock(&integrity, &shown, task.as_ref())?)).await
}

async fn from_one(
    context: &Context<'_>,
    wanted: &Wanted<'_>,
    stop: &Stop,
    partial: &Path,
    task: &Arc<dyn Task>,
) -> Result<Verified> {
    let mut resumed = fs::lstat_if_exists(partial)?.is_some_and(|meta| meta.len() > 0);
    loop {
        task.stage("downloading");
        let algorithm = wanted.integrity.algorithm();
        let about = (wanted.size, wanted.shown);
        let done = download(context, stop, partial, algorithm, about, task).await?;
        let computed = hash_of(&done.hashes, algorithm);
        let artifacts = context.store.artifacts().clone();
        let (file, expected) = (partial.to_owned(), wanted.integrity.clone());
        let (shown, from) = (wanted.shown.to_owned(), stop.location.shown());
        let admitted = blocking(wanted.shown, move || {
            Ok(artifacts.admit(&file, &computed, &expected, &shown, &from)?)
        })
        .await;
        match admitted {
            Err(e) if resumed && e.kind() == Kind::Integrity => {
                fs::remove_file_if_exists(partial)?;
                resumed = false;
            }
            other => return other,
        }
    }
}

/// The hash of an algorithm. A client that hashes otherwise than asked proves nothing about the
/// bytes, so the hash of nothing stands for it and matches no artifact.
pub(super) fn hash_of(hashes: &[Integrity], algorithm: Algorithm) -> Integrity {
    let found = hashes.iter().find(|hash| hash.algorithm() == algorithm);
    found.cloned().unwrap_or_else(|| Integrity::sha256_of(b""))
}
