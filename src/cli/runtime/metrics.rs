//! `infra runtime metrics`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(super) fn run(_args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    session.printer.data(&ops::control::metrics(&session.context, name)?);
    Ok(ExitCode::SUCCESS)
}
