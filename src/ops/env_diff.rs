//! What two environments differ in.

use super::{Context, Result, environment};
use crate::base::EnvName;
use crate::env::diff::{self, Change};
use crate::profile::Profiles;

/// Every difference from one environment to the other, built first where needed.
pub fn diff(context: &Context, from: &EnvName, to: &EnvName) -> Result<Vec<Change>> {
    // Both names are looked at before anything is built for either.
    for name in [from, to] {
        Profiles::load_one(context.project(), name)?;
    }
    let from = environment::ensure(context, from)?;
    let to = environment::ensure(context, to)?;
    Ok(diff::diff(&from.manifest, &to.manifest))
}
