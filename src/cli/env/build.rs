//! `infra env build`

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
    session.printer.line(&environment.object.path().display().to_string());
    session.printer.note(&format!(
        "{name} is generation {} with digest {}",
        environment.generation, environment.digest
    ));
    Ok(ExitCode::SUCCESS)
}
