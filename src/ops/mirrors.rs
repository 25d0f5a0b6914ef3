//! Whether the places that the project's sources are served at answer, and how soon.
//!
//! Each is asked once, all at the same time, and none is waited for longer than [`LIMIT`]. Refuses
//! to ask anything when there is to be no network. Invariant: an answer of any status counts, since
//! only reading a package would tell more.

use std::time::Duration;

use futures_util::future::join_all;

use super::doctor::Finding;
use super::{Context, Result};
use crate::base::SourceKind;
use crate::config::ecosystem::Endpoint;
use crate::http;
use crate::profile::Union;
use crate::source::deb_repositories;

/// Longest time for one place.
const LIMIT: Duration = Duration::from_secs(3);

/// A place, and what it is for.
struct Asked {
    kind: SourceKind,
    endpoint: Endpoint,
    /// Places with the same number stand in for one another.
    index: usize,
}

/// What every place of the used sources did.
pub(super) fn examine(context: &Context, union: &Union, findings: &mut Vec<Finding>) {
    if context.settings().offline.value {
        return;
    }
    let places = places(context, union);
    let Ok(answers) = ask(context, &places) else { return };
    for (place, answer) in places.iter().zip(&answers) {
        let url = http::shown(&place.endpoint.base.value);
        let kind = place.kind;
        findings.push(match answer {
            Ok(took) => {
                Finding::good("mirror", format!("{kind}: {url} answers in {} ms", took.as_millis()))
            }
            Err(error) => {
                let found = format!("{kind}: {error}");
                let same = |other: &Asked| other.kind == kind && other.index == place.index;
                let stood_in =
                    places.iter().zip(&answers).any(|(other, a)| same(other) && a.is_ok());
                if stood_in {
                    Finding::note("mirror", found, "another place of this source stands in for it")
                } else {
                    Finding::wrong(
                        "mirror",
                        found,
                        format!("check the network, or name another `url` in `[source.{kind}]`"),
                    )
                }
            }
        });
    }
}

fn places(context: &Context, union: &Union) -> Vec<Asked> {
    let mut out = Vec::new();
    let used = |kind| union.requirements.values().any(|r| r.from.kind() == kind);
    for kind in [SourceKind::Pypi, SourceKind::Npm, SourceKind::Github, SourceKind::Url] {
        // What cannot be found is a finding of its own.
        let Some(indexes) = used(kind).then(|| context.indexes(kind, &union.sources).ok()) else {
            continue;
        };
        for (index, mirrors) in indexes.into_iter().flatten().enumerate() {
            out.extend(mirrors.into_iter().map(|endpoint| Asked { kind, endpoint, index }));
        }
    }
    if used(SourceKind::Deb) {
        let chosen = union.sources.get(&SourceKind::Deb);
        let found = deb_repositories(chosen, context.environ(), context.project());
        for (index, repository) in found.unwrap_or_default().into_iter().enumerate() {
            let first = (repository.base, repository.authorization);
            for (base, authorization) in std::iter::once(first).chain(repository.mirrors) {
                let endpoint = Endpoint { base, authorization, ca: None, identity: None };
                let kind = SourceKind::Deb;
                // Suites of one mirror are one place.
                let same = |a: &Asked| a.endpoint.base.value == endpoint.base.value;
                if !out.iter().any(same) {
                    out.push(Asked { kind, endpoint, index });
                }
            }
        }
    }
    out
}

fn ask(
    context: &Context,
    places: &[Asked],
) -> Result<Vec<std::result::Result<Duration, http::Error>>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let client = context.client()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(super::Error::Runtime)?;
    let mut questions = Vec::new();
    for place in places {
        let client = client.clone();
        if let Some(identity) = &place.endpoint.identity {
            client.identify(&place.endpoint.base.value, identity.clone());
        }
        let request = http::Get {
            url: place.endpoint.base.value.clone(),
            accept: None,
            authorization: place.endpoint.authorization.clone(),
        };
        questions.push(async move { client.answers(&request, LIMIT).await });
    }
    Ok(runtime.block_on(join_all(questions)))
}
