//! Known vulnerabilities in what the lock has, from OSV data that the caller names.

use std::path::Path;

use serde::Serialize;
use url::Url;

use super::{Context, Result};
use crate::base::{DepName, SourceRef, Version};
use crate::config::ecosystem;
use crate::exchange::osv::{self, Hit, Record};
use crate::exchange::purl;
use crate::fs;
use crate::source::Location;
use crate::sync;

/// A vulnerability in a dep.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The dep.
    pub name: DepName,
    /// Its version.
    pub version: Version,
    /// Where it comes from.
    pub source: SourceRef,
    /// The vulnerability.
    pub id: String,
    /// Other names of it.
    pub aliases: Vec<String>,
    /// One line about it.
    pub summary: Option<String>,
    /// How bad it is.
    pub severity: Option<String>,
    /// The first later version without it.
    pub fixed: Option<String>,
}

impl Finding {
    fn is_also(&self, record: &Record) -> bool {
        let mut theirs = record.aliases.iter().chain([&record.id]);
        theirs.any(|name| *name == self.id || self.aliases.contains(name))
    }

    /// Takes what another record says of the same vulnerability.
    fn learn(&mut self, record: &Record, hit: Hit) {
        for name in record.aliases.iter().chain([&record.id]) {
            if *name != self.id && !self.aliases.contains(name) {
                self.aliases.push(name.clone());
            }
        }
        self.summary = self.summary.take().or_else(|| record.summary.clone());
        self.severity = self.severity.take().or(hit.severity);
        self.fixed = self.fixed.take().or(hit.fixed);
    }
}

/// What was looked at and found.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Deps of the lock.
    pub deps: usize,
    /// Deps that no vulnerability data can name: their source has no packages with public names.
    pub unnamed: Vec<DepName>,
    /// Records read.
    pub records: usize,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Looks every dep up in OSV data: files, directories and URLs of JSON or zip files.
pub fn audit(context: &Context, data: &[String]) -> Result<Report> {
    let lock = context.lock()?;
    let mut records = Vec::new();
    for place in data {
        records.extend(load(context, place)?);
    }
    // One record may be in several of the places.
    records.sort_by(|a, b| a.id.cmp(&b.id));
    records.dedup_by(|a, b| a.id == b.id);
    let mut findings: Vec<Finding> = Vec::new();
    let mut unnamed = Vec::new();
    for (name, locked) in &lock.deps {
        let identity =
            purl::identity_of(name, &locked.source, locked.build.as_ref(), &locked.version);
        if identity.purl.starts_with("pkg:generic/") {
            unnamed.push(name.clone());
        }
        let first = findings.len();
        for record in &records {
            let Some(hit) = record.matches(&identity, &locked.version) else { continue };
            // Several databases have the same vulnerability under names of their own.
            if let Some(same) = findings[first..].iter_mut().find(|f| f.is_also(record)) {
                same.learn(record, hit);
                continue;
            }
            findings.push(Finding {
                severity: hit.severity,
                name: name.clone(),
                version: locked.version.clone(),
                source: locked.source.clone(),
                id: record.id.clone(),
                aliases: record.aliases.clone(),
                summary: record.summary.clone(),
                fixed: hit.fixed,
            });
        }
    }
    Ok(Report { deps: lock.deps.len(), unnamed, records: records.len(), findings })
}

fn load(context: &Context, place: &str) -> Result<Vec<Record>> {
    if let Some(url) = Url::parse(place).ok().filter(|u| matches!(u.scheme(), "http" | "https")) {
        return download(context, url);
    }
    let path = fs::canonicalize(&context.cwd().join(place))?;
    let is_dir = fs::lstat(&path)?.is_dir();
    Ok(if is_dir { osv::read_directory(&path)? } else { osv::read(&path)? })
}

fn download(context: &Context, url: Url) -> Result<Vec<Record>> {
    let store = context.store();
    let staging = fs::StagingDir::new_in(&store.temp_dir()?, "osv")?;
    let file = staging.path().join("data");
    let authorization = ecosystem::netrc_authorization(context.environ(), &url)?;
    let location = Location { url, authorization, accept: None };
    let task = context.reporter().begin("vulnerability data", None);
    let union = context.profiles()?.union()?;
    context.with_sources(&union, async |sync| {
        Ok::<_, sync::Error>(sync.fetch.fetch(&location, &file, &[], None, task.as_ref()).await)
    })??;
    read_named(&file, &location.shown())
}

/// Reads a downloaded file; errors name where it came from.
fn read_named(file: &Path, shown: &str) -> Result<Vec<Record>> {
    match osv::read(file) {
        Err(crate::exchange::Error::Malformed { format, why, .. }) => {
            Err(crate::exchange::Error::Malformed { path: shown.into(), format, why }.into())
        }
        other => Ok(other?),
    }
}
