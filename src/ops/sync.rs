//! Syncing: what the lock pins for this host, fetched into the store.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::context::requirements;
use super::{Context, Result};
use crate::base::{DepName, Platform};
use crate::lock::Lock;
use crate::profile::Union;
use crate::store::ObjectPath;
use crate::sync::{self, Plan, Step};

/// What a sync did, or would do.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Deps that were in the store.
    pub present: usize,
    /// Deps that were added (or would be).
    pub fetched: usize,
    /// What each dep needs.
    pub steps: Vec<Step>,
}

/// Fetches what the lock pins for this host and the store lacks.
pub fn sync(context: &Context, dry_run: bool) -> Result<Report> {
    let (lock, union) = super::lock::fresh(context)?;
    // What a platform cannot have is no error here: an environment that wants it says so itself.
    let platform = Platform::host();
    let wanted: BTreeSet<DepName> = lock
        .deps
        .iter()
        .filter(|(_, dep)| dep.platforms.get(&platform).is_some_and(|row| row.pin().is_some()))
        .map(|(name, _)| name.clone())
        .collect();
    let plan = sync::plan(&lock, &wanted, platform, &context.store())?;
    let present = plan.steps.iter().filter(|s| matches!(s, Step::Present { .. })).count();
    let fetched = plan.steps.len() - present;
    let steps = plan.steps.clone();
    if !dry_run && fetched > 0 {
        execute(context, &lock, &union, &plan)?;
    }
    Ok(Report { present, fetched, steps })
}

/// The objects of some deps, fetched where the store lacks them.
pub(super) fn fetch<'a>(
    context: &Context,
    lock: &Lock,
    union: &Union,
    deps: impl Iterator<Item = &'a DepName>,
) -> Result<BTreeMap<DepName, ObjectPath>> {
    let wanted: BTreeSet<DepName> = deps.cloned().collect();
    let store = context.store();
    let plan = sync::plan(lock, &wanted, Platform::host(), &store)?;
    if plan.is_done()
        && let Some(objects) = sync::objects(&store, &plan)?
    {
        return Ok(objects);
    }
    execute(context, lock, union, &plan)
}

fn execute(
    context: &Context,
    lock: &Lock,
    union: &Union,
    plan: &Plan,
) -> Result<BTreeMap<DepName, ObjectPath>> {
    let requirements = requirements(union);
    context.with_sources(union, async |sync| sync::execute(sync, lock, &requirements, plan).await)
}
