//! Moving out: the lock as other tools read it. Addresses are looked up now, never stored.

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{Context, Result};
use crate::base::DepName;
use crate::exchange::export::{self, Place, Written};
use crate::lock::Row;
use crate::source::Query;
use crate::sync;

/// Places looked up at once.
const LOOKUPS: usize = 8;

/// For which tool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A DotSlash file per command.
    Dotslash,
    /// `multitool.lock.json`
    Multitool,
    /// `ARG` lines.
    DockerfileArgs,
    /// Lines for `$GITHUB_ENV`.
    GithubEnv,
}

/// The texts for some deps (all when none is named).
pub fn export(context: &Context, format: Format, names: &[DepName]) -> Result<Written> {
    let (mut lock, union) = super::lock::fresh(context)?;
    for name in names {
        super::lock::known(name, lock.deps.keys())?;
    }
    if !names.is_empty() {
        lock.deps.retain(|name, _| names.contains(name));
    }
    let lines = |name: &str, text: String| Written {
        files: vec![(name.to_owned(), text)],
        left: Vec::new(),
    };
    match format {
        Format::DockerfileArgs => {
            return Ok(lines("Dockerfile.args", export::dockerfile_args(&lock)));
        }
        Format::GithubEnv => return Ok(lines("github.env", export::github_env(&lock))),
        Format::Dotslash | Format::Multitool => {}
    }
    let places: Vec<Place> = context.with_sources(&union, async |sync| {
        let mut work = Vec::new();
        for (dep, locked) in &lock.deps {
            let Some(requirement) = union.requirements.get(dep) else { continue };
            for (platform, row) in &locked.platforms {
                let Some(pin) = Row::pin(row) else { continue };
                work.push(async move {
                    let definition = locked.definition.as_ref();
                    let query = Query { definition, ..Query::new(dep, requirement) };
                    let source = (sync.sources)(requirement.from.kind());
                    let url = match &pin.artifact {
                        Some(artifact) => source
                            .locate(&query, &locked.version, *platform, &artifact.file)
                            .await?
                            .into_iter()
                            .next()
                            .map(|location| location.url.to_string()),
                        None => None,
                    };
                    let (dep, pin) = (dep.clone(), pin.clone());
                    let url = url.unwrap_or_default();
                    Ok::<_, sync::Error>(Place { dep, platform: *platform, pin, url })
                });
            }
        }
        stream::iter(work).buffered(LOOKUPS).try_collect().await
    })?;
    Ok(match format {
        Format::Dotslash => export::dotslash(&places),
        _ => export::multitool(&places),
    })
}
