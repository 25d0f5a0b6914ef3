//! What two environments differ in.

use super::{Context, Result, environment};
use crate::base::EnvName;
use crate::env::diff::{self, Change};

/// Every difference from one environment to the other, built first where needed.
pub fn diff(context: &Context, from: &EnvName, to: &EnvName) -> Result<Vec<Change>> {
    let from = environment::ensure(context, from)?;
    let to = environment::ensure(context, to)?;
    Ok(diff::diff(&from.manifest, &to.manifest))
}
