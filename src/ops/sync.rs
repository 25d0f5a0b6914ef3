//! Syncing: what the lock pins for this host, fetched into the store.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

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
    /// The steps in words.
    pub steps: Vec<String>,
}

/// Fetches what the lock pins for this host and the store lacks.
pub fn sync(context: &Context, dry_run: bool) -> Result<Report> {
    let (lock, union) = super::lock::fresh(context)?;
    // Unavailable rows are no error here: an environment that wants one says so itself.
    let platform = Platform::host();
    let wanted: BTreeSet<DepName> = lock
        .deps
        .iter()
        .filter(|(_, dep)| dep.platforms.get(&platform).is_some_and(|row| row.pin().is_some()))
        .map(|(name, _)| name.clone())
        .collect();
    let plan = plan(context, &lock, &union, &wanted)?;
    let present = plan.steps.iter().filter(|s| matches!(s, Step::Present { .. })).count();
    let fetched = plan.steps.len() - present;
    let steps = plan.steps.iter().map(ToString::to_string).collect();
    if !dry_run && fetched > 0 {
        run(context, &lock, &union, &plan)?;
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
    let plan = plan(context, lock, union, &wanted)?;
    if plan.steps.iter().any(|s| !matches!(s, Step::Present { .. })) {
        run(context, lock, union, &plan)?;
    }
    Ok(sync::objects(&context.store(), lock, Platform::host(), &wanted)?)
}

fn plan(
    context: &Context,
    lock: &Lock,
    union: &Union,
    wanted: &BTreeSet<DepName>,
) -> Result<Plan> {
    let store = context.store();
    Ok(sync::plan(lock, &super::context::requirements(union), wanted, Platform::host(), &store)?)
}

fn run(context: &Context, lock: &Lock, union: &Union, plan: &Plan) -> Result<()> {
    let _ = lock;
    context.with_sources(union, async |sync| sync::execute(sync, plan).await)?;
    Ok(())
}
