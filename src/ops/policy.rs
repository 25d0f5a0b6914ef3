//! Whether what is locked, or asked for, is what `[policy]` accepts; the place where it says so.

use super::context::requirements;
use super::{Context, Error, Result};
use crate::lock::{self, Lock, Violation};
use crate::profile::Union;

/// An error unless a lock keeps the policy.
pub(super) fn check(context: &Context, lock: &Lock, union: &Union) -> Result<()> {
    refuse(context, union, lock::violations(lock, &requirements(union), &union.policy))
}

/// An error unless every dep may come from where it is asked for from; before anything is fetched.
pub(super) fn check_sources(context: &Context, union: &Union) -> Result<()> {
    refuse(context, union, lock::forbidden(&requirements(union), &union.policy))
}

fn refuse(context: &Context, union: &Union, violations: Vec<Violation>) -> Result<()> {
    let Some(first) = violations.first() else { return Ok(()) };
    let profiles = context.profiles()?;
    let key = match first {
        Violation::Source { .. } => vec!["policy".to_owned(), "sources".to_owned()],
        Violation::Proof { by_dep: false, .. } => vec!["policy".to_owned(), "require".to_owned()],
        Violation::Proof { dep, .. } => vec!["dep".to_owned(), dep.to_string()],
    };
    let path: Vec<&str> = key.iter().map(String::as_str).collect();
    let by = match first {
        Violation::Source { .. } | Violation::Proof { by_dep: false, .. } => {
            union.policy_of.clone()
        }
        Violation::Proof { dep, .. } => profiles
            .iter()
            .find(|profile| profile.deps.contains_key(dep))
            .map(|profile| profile.name.clone()),
    };
    let excerpt = by.and_then(|name| profiles.locate(&name, &path)).map(Box::new);
    Err(Error::Policy { violations, excerpt }.into())
}
