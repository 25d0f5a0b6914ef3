//! Which deps could move, and how far. Changes nothing.

use serde::Serialize;

use super::{Context, Result, versions};
use crate::base::{DepName, SourceRef, Version, VersionReq};
use crate::lock::{self, Lock};
use crate::source::{Query, choose_version};

/// A dep and the versions it has, may have and could have.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name.
    pub name: DepName,
    /// Where it comes from.
    pub source: SourceRef,
    /// What the profiles accept.
    pub requirement: VersionReq,
    /// What the lock has.
    pub current: Option<Version>,
    /// The newest version that the requirement accepts.
    pub in_range: Option<Version>,
    /// The newest version at all.
    pub newest: Option<Version>,
    /// Where it stands.
    pub state: State,
    /// Whether its publisher withdrew what the lock has. It goes on being fetched, as long as its
    /// source serves it.
    pub yanked: bool,
}

/// Where a dep stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing newer is published.
    Current,
    /// `dep update` moves it.
    Update,
    /// Only `dep update --major` moves it.
    Major,
    /// The lock does not have it.
    NotLocked,
}

/// Every dep of the profiles, or those named.
pub fn outdated(context: &Context, names: &[DepName]) -> Result<Vec<Row>> {
    let union = context.profiles()?.union()?;
    let lock = lock::read_if_exists(&context.lock_path())?.unwrap_or_default();
    let published = versions::published(context, &union, names)?;
    let mut rows = Vec::new();
    for (name, candidates) in published {
        let Some(requirement) = union.requirements.get(&name) else { continue };
        let current = locked(&lock, &name);
        let query = Query::new(&name, requirement);
        let in_range = choose_version(&query, &candidates).ok();
        let newest = versions::newest(&candidates, current.as_ref()).cloned();
        let yanked = current.as_ref().is_some_and(|current| {
            candidates.iter().any(|c| c.yanked && c.version.cmp_meaning(current).is_eq())
        });
        let state = state(current.as_ref(), in_range.as_ref(), newest.as_ref());
        let (source, requirement) = (requirement.from.clone(), requirement.version.clone());
        rows.push(Row { source, requirement, current, in_range, newest, state, yanked, name });
    }
    Ok(rows)
}

fn locked(lock: &Lock, name: &DepName) -> Option<Version> {
    lock.deps.get(name).map(|dep| dep.version.clone())
}

fn state(current: Option<&Version>, in_range: Option<&Version>, newest: Option<&Version>) -> State {
    let Some(current) = current else { return State::NotLocked };
    let above =
        |other: Option<&Version>| other.is_some_and(|other| other.cmp_meaning(current).is_gt());
    if above(in_range) {
        State::Update
    } else if above(newest) {
        State::Major
    } else {
        State::Current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states() {
        let v = |text: &str| text.parse::<Version>().expect("version");
        let of = |a: &str, b: &str, c: &str| state(Some(&v(a)), Some(&v(b)), Some(&v(c)));
        assert_eq!(of("1.0", "1.0.0", "1.0"), State::Current);
        assert_eq!(of("1.0", "1.1", "2.0"), State::Update);
        assert_eq!(of("1.0", "1.0", "2.0"), State::Major);
        assert_eq!(state(None, None, None), State::NotLocked);
    }
}
