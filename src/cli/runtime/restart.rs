//! `infra runtime restart`

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services or @groups; all unless given
    pub(crate) services: Vec<String>,
    /// Only what the current generation changed: restarts it, starts what is new, stops what is gone
    #[arg(long, conflicts_with = "services")]
    pub(crate) changed: bool,
    /// Status as JSON afterwards
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    if args.changed {
        let (plan, status) = ops::plan::apply(&session.context, name)?;
        if args.json {
            session.printer.json(&plan);
        } else {
            crate::cli::run::show_plan(&plan, false, session);
        }
        return Ok(super::status::verdict(&status));
    }
    let status = ops::run::restart(&session.context, name, &args.services)?;
    super::status::show(&status, args.json, session);
    Ok(super::status::verdict(&status))
}
