//! Going back to an earlier generation.

use jiff::Timestamp;

use super::{Context, Result};
use crate::base::{EnvName, Platform};
use crate::env::switch::Change;
use crate::env::{Generations, Inputs};
use crate::profile;

/// Makes an earlier generation current; gives both numbers.
pub fn rollback(context: &Context, name: &EnvName, to: Option<u64>) -> Result<(u64, u64)> {
    let project = context.project();
    let files = profile::source_files(project, name)?;
    let profile = profile::Profiles::load_one(project, name)?;
    let lock = context.lock_path();
    let inputs = Inputs::collect(project, &files, &lock, &profile.etc, Platform::host())?;
    let change = Change {
        inputs: &inputs,
        now: Timestamp::now(),
        wait: context.settings().lock_timeout.value,
        reporter: context.reporter(),
    };
    let generations = Generations::new(project, name);
    let before = generations.require()?.number;
    let generation = generations.rollback(&context.store(), to, &change)?;
    Ok((before, generation.number))
}
