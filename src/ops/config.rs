//! Every setting with its origin, the ecosystems' endpoints included.

use super::Context;
use crate::base::SourceKind;
use crate::profile::Profiles;
use crate::source::deb_repositories;

/// A setting in words.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Its value; credentials are never in it.
    pub value: String,
    /// Where it came from.
    pub origin: String,
}

/// Every setting, then the base URL of every ecosystem that has one.
pub fn rows(context: &Context) -> Vec<Row> {
    let mut rows: Vec<Row> = context
        .settings()
        .rows()
        .into_iter()
        .map(|(name, value, origin)| Row {
            name: name.to_owned(),
            value,
            origin: origin.to_string(),
        })
        .collect();
    let union = Profiles::load(context.project())
        .ok()
        .and_then(|profiles| profiles.union().ok())
        .unwrap_or_default();
    let overrides = &union.sources;
    // Asking for these starts no client, but only a project that uses them wants to see them.
    let used = |kind: &SourceKind| union.requirements.values().any(|r| r.from.kind() == *kind);
    let more = [SourceKind::Aqua, SourceKind::Crate].into_iter().filter(used);
    let usual = [SourceKind::Pypi, SourceKind::Npm, SourceKind::Github, SourceKind::Go];
    for kind in usual.into_iter().chain(more) {
        let name = format!("source.{kind}.url");
        // One row for each place, in the order they are asked.
        match context.indexes(kind, overrides) {
            Ok(indexes) => rows.extend(indexes.iter().flatten().map(|endpoint| Row {
                name: name.clone(),
                value: crate::http::shown(&endpoint.base.value),
                origin: endpoint.base.origin.to_string(),
            })),
            Err(error) => {
                rows.push(Row { name, value: "-".to_owned(), origin: error.to_string() });
            }
        }
    }
    // Apt's repositories are the system's: only a project that uses them wants to see them.
    if union.requirements.values().any(|r| r.from.kind() == SourceKind::Deb) {
        let chosen = overrides.get(&SourceKind::Deb);
        let found = deb_repositories(chosen, context.environ(), context.project());
        for repository in found.unwrap_or_default() {
            let mirrors = repository.mirrors.iter().map(|(base, _)| base);
            rows.extend(std::iter::once(&repository.base).chain(mirrors).map(|base| Row {
                name: "source.deb.url".to_owned(),
                value: format!("{} {}", crate::http::shown(&base.value), repository.suite),
                origin: base.origin.to_string(),
            }));
        }
    }
    rows
}
