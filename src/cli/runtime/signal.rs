//! `infra runtime signal`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// TERM, INT, QUIT, HUP, USR1, USR2 or KILL
    pub(crate) signal: String,
    /// Services or @groups
    #[arg(required = true)]
    pub(crate) services: Vec<String>,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let found = ops::run::signal(&session.context, name, &args.services, &args.signal)?;
    let names: Vec<&str> = found.iter().map(|n| n.as_str()).collect();
    session.printer.note(&format!("signalled {}", names.join(", ")));
    Ok(ExitCode::SUCCESS)
}
