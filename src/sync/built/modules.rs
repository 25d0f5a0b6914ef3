//! The modules that a lock's sums name: kept, else fetched from the first proxy that tells the
//! truth.
//!
//! Invariant: a file is kept under its name only after the sum over its bytes was the lock's.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::super::artifact::blocking;
use super::super::context::Context;
use super::super::error::{Error, ModuleSums, Result};
use crate::base::{Platform, Task, Version, chain};
use crate::build::{Line, proxy};
use crate::fs;
use crate::source::{Location, Query};

/// Whose modules they are.
#[derive(Clone, Copy)]
pub(in crate::sync) struct Whose<'a> {
    /// The dep, as its source is asked.
    pub(in crate::sync) query: Query<'a>,
    /// Its version.
    pub(in crate::sync) version: &'a Version,
    /// The platform it is built for.
    pub(in crate::sync) platform: Platform,
    /// Dep, version and platform, for messages.
    pub(in crate::sync) shown: &'a str,
}

/// Brings every module of `lines` into the cache directory.
pub(in crate::sync) async fn fetch(
    context: &Context<'_>,
    whose: &Whose<'_>,
    lines: &[Line],
    cache: &Path,
    task: &Arc<dyn Task>,
) -> Result<()> {
    let missing = missing(lines, cache, whose.shown).await?;
    if missing.is_empty() {
        return Ok(());
    }
    if context.offline {
        return Err(Error::OfflineModules {
            shown: whose.shown.to_owned(),
            missing: missing.iter().map(Line::about).collect(),
        });
    }
    task.stage("fetching modules");
    let partial = cache.join("partial");
    fs::create_dir_all(&partial)?;
    let mut work = Vec::new();
    for line in &missing {
        let partial = &partial;
        work.push(async move { one(context, whose, line, cache, partial, task).await });
    }
    stream::iter(work).buffer_unordered(context.jobs()).try_collect().await
}

/// The lines whose file is not kept, or whose kept file is another one.
async fn missing(lines: &[Line], cache: &Path, shown: &str) -> Result<Vec<Line>> {
    let (lines, cache) = (lines.to_vec(), cache.to_owned());
    blocking(shown, move || {
        let mut missing = Vec::new();
        for line in lines {
            if proxy::kept(&cache, &line)?.is_none() {
                missing.push(line);
            }
        }
        Ok(missing)
    })
    .await
}

async fn one(
    context: &Context<'_>,
    whose: &Whose<'_>,
    line: &Line,
    cache: &Path,
    partial: &Path,
    task: &Arc<dyn Task>,
) -> Result<()> {
    let source = (context.sources)(whose.query.requirement.from.kind());
    let file = line.file();
    let locations = source.locate(&whose.query, whose.version, whose.platform, &file).await?;
    let mut first = None;
    for (index, location) in locations.iter().enumerate() {
        match from_one(context, whose, line, location, cache, partial, task).await {
            Ok(()) => return Ok(()),
            Err(e) => {
                if index + 1 < locations.len() {
                    let said = chain(&e);
                    context.reporter.warn(&format!("{}: {said}", location.shown()));
                }
                // That one lied matters more than that another does not answer.
                let lied = matches!(e, Error::ModuleMismatch(_));
                if first.is_none() || lied {
                    first = Some(e);
                }
            }
        }
    }
    Err(first.unwrap_or_else(|| Error::NoLocation { shown: whose.shown.to_owned() }))
}

async fn from_one(
    context: &Context<'_>,
    whose: &Whose<'_>,
    line: &Line,
    location: &Location,
    cache: &Path,
    partial: &Path,
    task: &Arc<dyn Task>,
) -> Result<()> {
    let staging = fs::StagingDir::new_in(partial, "module")?;
    let target = staging.path().join("file");
    match local(location) {
        Some(path) => {
            fs::copy(&path, &target)?;
        }
        None => {
            context.fetch.fetch(location, &target, &[], None, task.as_ref()).await.map_err(
                |source| Error::Fetch {
                    shown: format!("module {}, which {} needs", line.about(), whose.shown),
                    attempts: Vec::new(),
                    source: Box::new(source),
                },
            )?;
        }
    }
    let (cache, line, from) = (cache.to_owned(), line.clone(), location.shown());
    let shown = whose.shown.to_owned();
    blocking(whose.shown, move || {
        // Moved into the closure, so that it lives until the file is kept.
        let staging = staging;
        match proxy::keep(&cache, &line, &staging.path().join("file"))? {
            Ok(_) => Ok(()),
            Err(received) => Err(Error::ModuleMismatch(Box::new(ModuleSums {
                shown,
                about: line.about(),
                expected: line.sum,
                received,
                from,
            }))),
        }
    })
    .await
}

/// The path behind a `file://` location.
fn local(location: &Location) -> Option<PathBuf> {
    (location.url.scheme() == "file").then(|| location.url.to_file_path().ok()).flatten()
}
