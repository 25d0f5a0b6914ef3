//! What a run would change, and changing it.

use super::environment;
use super::select::Selection;
use super::{Context, Error, Result, run, stack};
use crate::base::EnvName;
use crate::env::ports::InUse;
use crate::supervise::control::Client;
use crate::supervise::plan::{self, Plan};
use crate::supervise::status::StackStatus;

/// What would start, stop, restart and stay, against the running stack or against none. Fetches
/// what is missing, and changes neither the running stack nor the current generation.
pub fn plan(context: &Context, name: &EnvName, select: &Selection) -> Result<Plan> {
    let environment = environment::preview(context, name)?;
    let stack = stack::assemble(context, &environment, select, InUse::Keep)?;
    let wanted = plan::wanted(&stack);
    match Client::connect(&stack.data)? {
        Some(mut client) => Ok(client.plan(Some(wanted))?),
        None => Ok(plan::compare(None, &wanted)),
    }
}

/// Makes the running stack be what the environment's current generation asks for, and waits until
/// what was started is up or will not be.
pub fn apply(context: &Context, name: &EnvName) -> Result<(Plan, StackStatus)> {
    let mut client = run::require(context, name)?;
    let plan = client.apply()?;
    for _ in 0..12_000 {
        let status =
            client.status().map_err(|e| match Client::connect(&stack_data(context, name)) {
                Ok(None) => crate::base::Problem::from(Error::Ended(name.clone())),
                _ => e.into(),
            })?;
        let stops = |s: &crate::supervise::status::ServiceStatus| {
            plan.with(plan::Step::Stop).any(|n| *n == s.name)
        };
        if status.services.iter().all(|s| status.has_settled(s) && !stops(s)) {
            return Ok((plan, status));
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let status = client.status()?;
    Ok((plan, status))
}

fn stack_data(context: &Context, name: &EnvName) -> std::path::PathBuf {
    run::data_dir(context, name).unwrap_or_default()
}
