//! What sources publish for the deps of the profiles. Needs the network.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::{Context, Result};
use crate::base::{DepName, Version};
use crate::profile::Union;
use crate::source::{Candidate, Query};
use crate::sync;

/// Index documents looked up at once; they are small.
const LOOKUPS: usize = 8;

/// Every version that is published of some deps (all when none is named).
pub(super) fn published(
    context: &Context,
    union: &Union,
    names: &[DepName],
) -> Result<BTreeMap<DepName, Vec<Candidate>>> {
    for name in names {
        super::lock::known(name, union.requirements.keys())?;
    }
    let bar = context.reporter().begin("asking for versions", None);
    context.with_sources(union, async |sync| {
        let mut work = Vec::new();
        for (dep, requirement) in &union.requirements {
            if !names.is_empty() && !names.contains(dep) {
                continue;
            }
            let bar = &bar;
            work.push(async move {
                let query = Query::new(dep, requirement);
                let source = (sync.sources)(requirement.from.kind());
                let found = source.versions(&query).await?;
                bar.stage(dep.as_str());
                Ok::<_, sync::Error>((dep.clone(), found))
            });
        }
        stream::iter(work).buffer_unordered(LOOKUPS).try_collect().await
    })
}

/// The newest version at all: withdrawn ones never count, pre-releases only when there is nothing
/// else or `current` is one.
pub(super) fn newest<'a>(
    candidates: &'a [Candidate],
    current: Option<&Version>,
) -> Option<&'a Version> {
    let all = || candidates.iter().filter(|c| !c.yanked).map(|c| &c.version);
    let early = current.is_some_and(Version::is_prerelease);
    let stable = all().filter(|v| early || !v.is_prerelease()).max();
    stable.or_else(|| all().max())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn newest_skips_withdrawn_and_early_ones() {
        let list: Vec<_> = ["1.0", "2.0", "3.0rc1", "4.0"]
            .iter()
            .map(|v| Candidate {
                yanked: *v == "4.0",
                ..Candidate::new(v.parse().expect("version"))
            })
            .collect();
        let text = |current: Option<&str>| {
            let current: Option<Version> = current.map(|c| c.parse().expect("version"));
            newest(&list, current.as_ref()).map(ToString::to_string)
        };
        assert_eq!(text(Some("1.0")).as_deref(), Some("2.0"));
        assert_eq!(text(Some("3.0b1")).as_deref(), Some("3.0rc1"));
        assert_eq!(newest(&list[2..3], None).map(ToString::to_string).as_deref(), Some("3.0rc1"));
        assert_eq!(newest(&[], None), None);
    }
}
