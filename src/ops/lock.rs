//! Locking: from what the profiles ask for to what every platform gets.

use std::collections::BTreeSet;

use super::context::requirements;
use super::{Context, Error, Result, policy};
use crate::base::{DepName, Platform, suggest};
use crate::lock::{self, Change, Lock};
use crate::profile::Union;
use crate::sync::{self, Accept, Mode};

/// Pins every dep for every platform, keeping what is pinned and still wanted; says what changed.
pub fn lock(context: &Context) -> Result<Vec<Change>> {
    accepting(context, Accept::None)
}

/// [`lock()`], where the proof of some deps may change.
pub fn accepting(context: &Context, accept: Accept) -> Result<Vec<Change>> {
    relock(context, &Mode::Keep, accept)
}

/// Moves the named deps (all when none is named) to the newest version their requirement allows.
pub fn update(context: &Context, names: &[DepName], accept: Accept) -> Result<Vec<Change>> {
    let union = context.profiles()?.union()?;
    for name in names {
        known(name, union.requirements.keys())?;
    }
    let mode = match names {
        [] => Mode::UpdateAll,
        names => Mode::Update(names.iter().cloned().collect::<BTreeSet<_>>()),
    };
    relock(context, &mode, accept)
}

/// Fails when profiles and lock disagree, with every reason.
pub fn check(context: &Context) -> Result<()> {
    fresh(context).map(drop)
}

/// The CI cache key of a platform.
pub fn key(context: &Context, platform: Platform) -> Result<String> {
    Ok(lock::cache_key(&context.lock()?, platform)?)
}

/// The lock, and what the profiles ask for, when they agree.
pub(super) fn fresh(context: &Context) -> Result<(Lock, Union)> {
    let union = context.profiles()?.union()?;
    let lock = context.lock()?;
    let reasons = lock::stale(&lock, &requirements(&union));
    if !reasons.is_empty() {
        return Err(Error::Stale(reasons).into());
    }
    policy::check(context, &lock, &union)?;
    Ok((lock, union))
}

/// An error with the nearest right name unless `name` is one of `names`.
pub(super) fn known<'a>(
    name: &DepName,
    names: impl Iterator<Item = &'a DepName> + Clone,
) -> Result<()> {
    if names.clone().any(|n| n == name) {
        return Ok(());
    }
    let nearest = suggest::nearest(name.as_str(), names.map(DepName::as_str)).map(str::to_owned);
    Err(Error::UnknownDep { name: name.clone(), nearest }.into())
}

fn relock(context: &Context, mode: &Mode, accept: Accept) -> Result<Vec<Change>> {
    let union = context.profiles()?.union()?;
    let path = context.lock_path();
    let old = lock::read_if_exists(&path)?;
    let wanted = requirements(&union);
    if let Accept::Deps(names) = &accept {
        for name in names {
            known(name, union.requirements.keys())?;
        }
    }
    policy::check_sources(context, &union)?;
    let new = context.with_rules(&union, accept, async |sync| {
        sync::resolve(sync, &wanted, old.as_ref(), mode).await
    })?;
    policy::check(context, &new, &union)?;
    lock::write(&path, &new)?;
    Ok(lock::diff(&old.unwrap_or_default(), &new))
}
