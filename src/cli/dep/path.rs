//! `infra dep path`

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
    let path = ops::list::path(&session.context, &args.name)?;
    session.printer.line(&path.display().to_string());
    Ok(ExitCode::SUCCESS)
}
