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
use crate::base::{Algorithm, Diagnose as _, Integrity, Kind, Task};
use crate::fs;
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

/// Fetches an artifact into the cache. `locations` is called when it is not cached.
pub(super) async fn fetch(
    context: &Context<'_>,
    wanted: &Wanted<'_>,
    locations: impl Future<Output = Result<Vec<Location>>>,
    task: &Arc<dyn Task>,
) -> Result<Verified> {
    if let Some(found) = cached(context, wanted.integrity, wanted.shown).await? {
        return Ok(found);
    }
    let locations = locations.await?;
    let partial = context.store.artifacts().partial(wanted.integrity)?;
    let _lock = lock(context, wanted, task).await?;
    match cached(context, wanted.integrity, wanted.shown).await? {
        Some(found) => Ok(found),
        None => from_any(context, wanted, &locations, &partial, task).await,
    }
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

async fn from_any(
    context: &Context<'_>,
    wanted: &Wanted<'_>,
    locations: &[Location],
    partial: &Path,
    task: &Arc<dyn Task>,
) -> Result<Verified> {
    let mut failures: Vec<(String, Error)> = Vec::new();
    for (index, location) in locations.iter().enumerate() {
        match from_one(context, wanted, location, partial, task).await {
            Ok(found) => return Ok(found),
            Err(e) if !is_of_location(&e) => return Err(e),
            Err(e) => {
                if index + 1 < locations.len() {
                    context.reporter.warn(&format!("{}: {}", location.shown(), chain(&e)));
                }
                failures.push((location.shown(), e));
            }
        }
    }
    Err(worst(wanted.shown, failures))
}

/// Whether another location may do better: a full disk is no fault of a server.
fn is_of_location(error: &Error) -> bool {
    matches!(error, Error::Fetch { .. }) || error.kind() == Kind::Integrity
}

/// The error to show for several: a lie only when all lied, else the last that failed otherwise.
fn worst(shown: &str, mut failures: Vec<(String, Error)>) -> Error {
    let last = failures.iter().rposition(|(_, e)| e.kind() != Kind::Integrity);
    let index = last.unwrap_or(failures.len().saturating_sub(1));
    if failures.is_empty() {
        return Error::NoLocation { shown: shown.to_owned() };
    }
    let (_, error) = failures.remove(index);
    match error {
        Error::Fetch { shown, source, .. } => {
            let attempts =
                failures.iter().map(|(from, e)| format!("{from}: {}", chain(e))).collect();
            Error::Fetch { shown, attempts, source }
        }
        other => other,
    }
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // What the system said may be in the message already, without its number.
        let plain = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        if !out.to_lowercase().ends_with(&plain) {
            out.push_str(": ");
            out.push_str(&text);
        }
        source = cause.source();
    }
    out
}

async fn from_one(
    context: &Context<'_>,
    wanted: &Wanted<'_>,
    location: &Location,
    partial: &Path,
    task: &Arc<dyn Task>,
) -> Result<Verified> {
    let mut resumed = fs::lstat_if_exists(partial)?.is_some_and(|meta| meta.len() > 0);
    loop {
        task.stage("downloading");
        let algorithm = wanted.integrity.algorithm();
        let done = context
            .fetch
            .fetch(location, partial, &[algorithm], wanted.size, task.as_ref())
            .await
            .map_err(|source| Error::Fetch {
                shown: wanted.shown.to_owned(),
                attempts: Vec::new(),
                source: Box::new(source),
            })?;
        let computed = hash_of(&done.hashes, algorithm);
        let artifacts = context.store.artifacts().clone();
        let (file, expected) = (partial.to_owned(), wanted.integrity.clone());
        let (shown, from) = (wanted.shown.to_owned(), location.shown());
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
