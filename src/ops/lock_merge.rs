//! Resolving a conflicted lock: what both sides agree on stays, the rest is locked anew.

use serde::Serialize;

use super::context::requirements;
use super::{Context, Result, policy};
use crate::base::DepName;
use crate::lock::merge::{entries, read_sides};
use crate::lock::{self, Change, Lock};
use crate::sync::{self, Mode};

/// What was done.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whether the file had a conflict at all.
    pub conflicted: bool,
    /// Entries that were locked anew.
    pub resolved: Vec<DepName>,
    /// What changed against our side.
    pub changes: Vec<Change>,
}

/// A report for scripts.
#[derive(Clone, Debug, Serialize)]
pub struct Shown {
    conflicted: bool,
    resolved: Vec<DepName>,
    changes: Vec<String>,
}

impl Report {
    /// As plain data.
    pub fn shown(&self) -> Shown {
        Shown {
            conflicted: self.conflicted,
            resolved: self.resolved.clone(),
            changes: self.changes.iter().map(ToString::to_string).collect(),
        }
    }
}

/// Writes a lock without a conflict. The profiles must be resolved before; the network is needed
/// only for entries that both sides changed.
pub fn merge(context: &Context) -> Result<Report> {
    let path = context.lock_path();
    let Some(sides) = read_sides(&path)? else {
        let changes = super::lock::lock(context)?;
        return Ok(Report { conflicted: false, resolved: Vec::new(), changes });
    };
    let union = context.profiles()?.union()?;
    let asked = requirements(&union);
    let ours = entries(&sides.ours, &path)?;
    let theirs = entries(&sides.theirs, &path)?;
    // A base that was itself conflicted says nothing.
    let base = sides.base.and_then(|text| entries(&text, &path).ok());
    let merged = lock::merge(base.as_ref(), &ours, &theirs, Some(&asked));
    let new = context.with_sources(&union, async |sync| {
        sync::resolve(sync, &asked, Some(&merged.lock), &Mode::Keep).await
    })?;
    policy::check(context, &new, &union)?;
    lock::write(&path, &new)?;
    let resolved = merged.open.into_keys().filter(|dep| new.deps.contains_key(dep)).collect();
    let changes = lock::diff(&Lock { deps: ours.good }, &new);
    Ok(Report { conflicted: true, resolved, changes })
}
