//! `infra dep verify`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

pub(super) fn run(_args: &Args, session: &Session) -> Outcome {
    let verified = ops::verify::deps(&session.context)?;
    for object in &verified {
        session.printer.line(&format!("{}  {}", object.tree, object.name));
    }
    session.printer.note(&format!("{} objects match dep.lock.json", verified.len()));
    Ok(ExitCode::SUCCESS)
}
