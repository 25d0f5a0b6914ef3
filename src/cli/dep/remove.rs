//! `infra dep remove`

use std::process::ExitCode;

use crate::base::DepName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The dep
    pub(crate) name: DepName,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let removed = ops::remove::remove(&session.context, &args.name)?;
    for file in &removed.files {
        session.printer.note(&format!("removed {} from {}", args.name, file.display()));
    }
    super::print_changes(&removed.changes, session);
    Ok(ExitCode::SUCCESS)
}
