//! `infra env digest`

use std::process::ExitCode;

use crate::base::EnvName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The environment
    pub(crate) name: Option<EnvName>,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = super::chosen(args.name.as_ref(), session);
    let environment = ops::environment::ensure(&session.context, &name)?;
    session.printer.line(&environment.digest.to_string());
    Ok(ExitCode::SUCCESS)
}
