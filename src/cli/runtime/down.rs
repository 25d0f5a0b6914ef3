//! `infra runtime down`, `infra shutdown`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  infra shutdown")]
pub(crate) struct Args {}

pub(super) fn run(_args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    if ops::run::down(&session.context, name)? {
        session.printer.note(&format!("{name} is stopped"));
    } else {
        session.printer.note(&format!("nothing is running for {name}"));
    }
    Ok(ExitCode::SUCCESS)
}
