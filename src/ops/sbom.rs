//! A bill of materials of the lock.

use super::{Context, Error, Result, licenses};
use crate::exchange::bom::{Bom, Component, File};
use crate::exchange::{cyclonedx, spdx};
use crate::lock::{self, Row};

/// Which standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// CycloneDX 1.6, JSON.
    Cyclonedx,
    /// SPDX 2.3, JSON.
    Spdx,
}

/// The document. `name` is the project's; its directory's unless given. Licences are those of
/// trees that are in the store.
pub fn sbom(context: &Context, format: Format, name: Option<&str>) -> Result<serde_json::Value> {
    let lock = context.lock()?;
    let store = context.store();
    let directory = || context.project().file_name().map(|n| n.to_string_lossy().into_owned());
    let name = name.map(str::to_owned).or_else(directory).unwrap_or_else(|| "project".to_owned());
    let mut bom = Bom::new(name, &lock::to_bytes(&lock)?, created(context)?);
    for (name, locked) in &lock.deps {
        let files = locked.platforms.iter().filter_map(|(platform, row)| {
            let pin = Row::pin(row)?;
            let artifacts = pin.artifacts().map(|a| (a.file.clone(), a.size, a.integrity.clone()));
            Some(File { platform: *platform, artifacts: artifacts.collect(), tree: pin.tree })
        });
        bom.components.push(Component {
            name: name.clone(),
            version: locked.version.clone(),
            source: locked.source.clone(),
            build: locked.build.clone(),
            licence: licenses::of(&store, locked)?,
            files: files.collect(),
        });
    }
    Ok(match format {
        Format::Cyclonedx => cyclonedx::render(&bom),
        Format::Spdx => spdx::render(&bom),
    })
}

/// `SOURCE_DATE_EPOCH`, as the Reproducible Builds project defines it.
fn created(context: &Context) -> Result<Option<i64>> {
    let Some(text) = context.environ().get("SOURCE_DATE_EPOCH") else { return Ok(None) };
    match text.parse::<i64>() {
        Ok(seconds) if jiff::Timestamp::from_second(seconds).is_ok() => Ok(Some(seconds)),
        _ => Err(Error::BadEpoch(text.to_owned()).into()),
    }
}
