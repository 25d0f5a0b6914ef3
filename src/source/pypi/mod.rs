//! Python wheels from a simple index (PEP 503 in HTML, PEP 691 in JSON).
//!
//! Owns which wheel a platform gets. Refuses source distributions: what is not built yet cannot be
//! pinned. Invariant: `locate` and `offer` read the same index document, so a file is found under
//! the name it was locked with wherever the index moves it.

mod html;
mod index;
mod json;
mod names;
mod select;
mod tags;
mod wheel;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;

use self::index::{File, Index};
use super::access::{self, Access};
use super::memo::Memo;
use super::mirrors::{self, Place};
use super::{
    ArtifactOffer, Asked, Candidate, Commands, Error, Location, Offer, Query, Result, Source,
    signed,
};
use crate::archive::Format;
use crate::base::{Platform, SourceKind, Version};
use crate::config::ecosystem::Endpoint;
use crate::lock::model::Proof;
use crate::provenance::{self, Evidence};

/// JSON if the index speaks it, HTML else (PEP 691, "Version + format selection").
const ACCEPT: &str = "application/vnd.pypi.simple.v1+json, \
                      application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1";

/// What a file's provenance object is asked for as (PEP 740).
const PROVENANCE: &str = "application/vnd.pypi.integrity.v1+json, application/json;q=0.5";

/// The source.
pub(super) struct Pypi {
    access: Arc<Access>,
    projects: Memo<String, Project>,
}

/// A project's page, and the place that has it.
struct Project {
    endpoint: Endpoint,
    index: Index,
}

impl Project {
    /// Where a file lies; an index may list it at several places.
    fn locate(&self, file: &str) -> Vec<Location> {
        let files = self.index.files.iter().filter(|f| f.name == file);
        files.map(|f| access::located(&self.endpoint, f.url.clone())).collect()
    }
}

impl Pypi {
    pub(super) fn new(access: Arc<Access>) -> Self {
        Self { access, projects: Memo::new() }
    }

    async fn project(&self, query: &Query<'_>) -> Result<Arc<Project>> {
        if !names::is_name(query.package()) {
            return Err(Error::PackageName { subject: query.subject() });
        }
        let fetch = async {
            let indexes = self.access.indexes(query, None).await?;
            if let Some(found) = self.access.first(&indexes, |place| self.at(query, place)).await? {
                return Ok(found);
            }
            let url = mirrors::shown(&indexes, |e| page(e, query).shown());
            Err(Error::UnknownPackage { subject: query.subject(), url })
        };
        self.projects.get(names::normalise(query.package()), fetch).await
    }

    /// A place's page of the project; `None` when it has none.
    async fn at(&self, query: &Query<'_>, place: Place<'_>) -> Result<Option<Project>> {
        let at = page(place.endpoint, query);
        let page = self.access.page_of(place.last, query, &at, Some(ACCEPT)).await?;
        let Some(page) = page else { return Ok(None) };
        let wanted = names::normalise(query.package());
        let parsed = Index::parse(&page.body, &at.url).and_then(|index| match &index.name {
            Some(name) if names::normalise(name) != wanted => Err(format!("it is of `{name}`")),
            _ => Ok(index),
        });
        let index = parsed.map_err(|why| {
            self.access.forget_as(&at, Some(ACCEPT));
            Error::Malformed { subject: query.subject(), url: at.shown(), why }
        })?;
        Ok(Some(Project { endpoint: place.endpoint.clone(), index }))
    }
}

/// The address of a project's page.
fn page(endpoint: &Endpoint, query: &Query<'_>) -> Location {
    // The slash at the end is part of the address (PEP 503).
    let path = format!("{}/", names::normalise(query.package()));
    access::located(endpoint, access::below(&endpoint.base.value, &path))
}

#[async_trait]
impl Source for Pypi {
    fn kind(&self) -> SourceKind {
        SourceKind::Pypi
    }

    async fn versions(&self, query: &Query<'_>) -> Result<Vec<Candidate>> {
        let project = self.project(query).await?;
        Ok(candidates(&project.index, &names::normalise(query.package())))
    }

    async fn offer(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
    ) -> Result<Offer> {
        let project = self.project(query).await?;
        let files = files_of(&project.index, &names::normalise(query.package()), version);
        if files.is_empty() {
            return Err(query.version_gone(version));
        }
        let file = match select::select(&files, platform) {
            Ok(file) => file,
            Err(reason) => return Ok(Offer::Unavailable { reason }),
        };
        Ok(Offer::Artifact(Box::new(ArtifactOffer {
            file: file.name.clone(),
            location: access::located(&project.endpoint, file.url.clone()),
            proofs: file.integrity.iter().map(|_| Proof::RegistryHash).collect(),
            integrity: file.integrity.clone(),
            size: file.size,
            format: Format::Zip,
            strip: query.strip(0),
            commands: query.commands(Commands::Wheel),
        })))
    }

    async fn locate(
        &self,
        query: &Query<'_>,
        version: &Version,
        platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let project = self.project(query).await?;
        let mut found = project.locate(file);
        if found.is_empty() {
            // A mirror may lag behind. The hash is in the lock, so that any index may serve it.
            found = self.locate_elsewhere(query, version, platform, file).await?;
        }
        if found.is_empty() {
            return Err(query.file_gone(version, file));
        }
        Ok(found)
    }

    async fn locate_elsewhere(
        &self,
        query: &Query<'_>,
        _version: &Version,
        _platform: Platform,
        file: &str,
    ) -> Result<Vec<Location>> {
        let project = self.project(query).await?;
        let indexes = self.access.indexes(query, None).await?;
        let mut out = Vec::new();
        for place in mirrors::others(&indexes, &project.endpoint) {
            let said = self.at(query, place).await;
            let there = self.access.tolerated(place, said)?;
            out.extend(there.iter().flat_map(|project| project.locate(file)));
        }
        Ok(out)
    }

    async fn evidence(&self, asked: &Asked<'_>) -> Result<Vec<Evidence>> {
        let project = self.project(asked.query).await?;
        let Project { endpoint, index } = project.as_ref();
        let file = index.files.iter().find(|f| f.name == asked.file);
        let Some(url) = file.and_then(|f| f.provenance.clone()) else { return Ok(Vec::new()) };
        let at = access::located(endpoint, url);
        let Some(body) = self.access.get(asked.query, &at, Some(PROVENANCE)).await? else {
            return Ok(Vec::new());
        };
        provenance::pypi(&body).map_err(|e| signed::refused(asked.query, &at, e))
    }

    async fn published(
        &self,
        query: &Query<'_>,
        version: &Version,
    ) -> Result<Option<jiff::Timestamp>> {
        let project = self.project(query).await?;
        Ok(published(&files_of(&project.index, &names::normalise(query.package()), version)))
    }
}

/// When the last file of a version was uploaded: one that was added to an old version is young.
fn published(files: &[&File]) -> Option<jiff::Timestamp> {
    let times: Option<Vec<_>> = files.iter().map(|file| file.uploaded).collect();
    times?.into_iter().max()
}

/// Every version that has files; withdrawn when all of them are (PEP 592). The index's own list may
/// hold versions without any (PEP 700), so it only lends its spelling.
fn candidates(index: &Index, project: &str) -> Vec<Candidate> {
    let spelled: BTreeMap<_, _> =
        index.versions.iter().map(|text| (names::version_key(text), text)).collect();
    let mut found: BTreeMap<names::VersionKey, Candidate> = BTreeMap::new();
    for file in &index.files {
        let Some(text) = names::version_of_file(&file.name, project) else { continue };
        let key = names::version_key(&text);
        let listed = spelled.get(&key).and_then(|text| text.parse().ok());
        let Some(version) = listed.or_else(|| text.parse().ok()) else { continue };
        found
            .entry(key)
            .and_modify(|candidate| candidate.yanked &= file.yanked)
            .or_insert(Candidate { yanked: file.yanked, ..Candidate::new(version) });
    }
    found.into_values().collect()
}

fn files_of<'a>(index: &'a Index, project: &str, version: &Version) -> Vec<&'a File> {
    let wanted = names::version_key(version.as_str());
    index
        .files
        .iter()
        .filter(|file| {
            names::version_of_file(&file.name, project)
                .is_some_and(|text| names::version_key(&text) == wanted)
        })
        .collect()
}

/// For `fuzz/`: a wheel's name.
pub(super) fn fuzz_wheel(name: &str) {
    if let Some(wheel) = wheel::WheelName::parse(name) {
        for tag in &wheel.platforms {
            for platform in Platform::ALL {
                let _ = tags::rank(tag, platform);
            }
        }
    }
}

/// For `fuzz/`: a page of an index.
pub(super) fn fuzz_index(page: &[u8]) {
    if let Ok(at) = "http://mirror.invalid/simple/x/".parse() {
        let _ = index::Index::parse(page, &at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(json: &str) -> Index {
        let base = "http://mirror.invalid/simple/tool/".parse().expect("url");
        Index::parse(json.as_bytes(), &base).expect("index")
    }

    #[test]
    fn versions_come_from_list_and_file_names() {
        let index = index(
            r#"{"meta":{"api-version":"1.1"},"name":"tool_bin","versions":["1.0","2.0","odd version"],"files":[
            {"filename":"tool_bin-1.0.0-py3-none-any.whl","url":"a","hashes":{}},
            {"filename":"tool_bin-1.5-py3-none-any.whl","url":"b","hashes":{},"yanked":"broken"},
            {"filename":"tool-bin-1.5.tar.gz","url":"c","hashes":{},"yanked":true},
            {"filename":"tool-bin-1.6.tar.gz","url":"d","hashes":{},"yanked":false},
            {"filename":"other-9.0.tar.gz","url":"e","hashes":{}}]}"#,
        );
        let found: Vec<_> = candidates(&index, "tool-bin")
            .into_iter()
            .map(|c| (c.version.to_string(), c.yanked))
            .collect();
        let want = [("1.0", false), ("1.5", true), ("1.6", false)];
        assert_eq!(found, want.map(|(v, y)| (v.to_owned(), y)));
        let files = files_of(&index, "tool-bin", &"1.0".parse().expect("version"));
        assert_eq!(files.len(), 1, "1.0 and 1.0.0 are one version");
    }
}
