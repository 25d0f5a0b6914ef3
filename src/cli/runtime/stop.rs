//! `infra runtime stop`

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services or @groups
    #[arg(required = true)]
    pub(crate) services: Vec<String>,
    /// Status as JSON afterwards
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let status = ops::run::stop(&session.context, name, &args.services)?;
    super::status::show(&status, args.json, session);
    Ok(std::process::ExitCode::SUCCESS)
}
