//! Which version a requirement gets, when a policy says how old it must be.
//!
//! Indexes are asked for dates only where a policy needs them, newest version first. Invariant:
//! a version of a source that has dates is never chosen without one, while an age is asked for.

use std::time::Duration;

use jiff::Timestamp;

use super::context::Context;
use super::error::{Error, Result};
use crate::base::{SourceKind, Version};
use crate::source::{self, Query};

/// The newest version that the query's requirement and the policy accept.
pub async fn choose_version(context: &Context<'_>, query: &Query<'_>) -> Result<Version> {
    let kind = query.requirement.from.kind();
    let source = (context.sources)(kind);
    let mut candidates = source.versions(query).await?;
    let minimum = context.rules.policy.age_of(query.dep).filter(|_| has_dates(kind));
    let Some(minimum) = minimum else {
        return Ok(source::choose_version(query, &candidates)?);
    };
    let now = Timestamp::now();
    let mut young = Vec::new();
    loop {
        let version = match source::choose_version(query, &candidates) {
            Ok(version) => version,
            Err(e) if young.is_empty() => return Err(e.into()),
            Err(_) => {
                return Err(Error::TooYoung {
                    dep: query.dep.clone(),
                    wanted: query.requirement.version.to_string(),
                    minimum: words(minimum),
                    young,
                });
            }
        };
        let Some(published) = source.published(query, &version).await? else {
            return Err(Error::NoDate { dep: query.dep.clone(), version });
        };
        let age = now.duration_since(published).unsigned_abs();
        if published <= now && age >= minimum {
            return Ok(version);
        }
        // Each round takes one away, so this ends.
        candidates.retain(|candidate| candidate.version != version);
        young.push((version, published.to_string()));
    }
}

/// Whether a kind of source says when its versions were published.
fn has_dates(kind: SourceKind) -> bool {
    match kind {
        SourceKind::Pypi
        | SourceKind::Npm
        | SourceKind::Github
        | SourceKind::Aqua
        | SourceKind::Go
        | SourceKind::Crate => true,
        SourceKind::Deb | SourceKind::Oci | SourceKind::Url | SourceKind::Path => false,
    }
}

/// `3 days`
fn words(age: Duration) -> String {
    let hours = age.as_secs() / 3600;
    let (number, unit) =
        if hours.is_multiple_of(24) { (hours / 24, "day") } else { (hours, "hour") };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_in_words() {
        let shown = |hours: u64| words(Duration::from_secs(hours * 3600));
        assert_eq!(
            [shown(72), shown(24), shown(1), shown(36)],
            ["3 days", "1 day", "1 hour", "36 hours"]
        );
    }
}
