//! `infra dep key`

use std::process::ExitCode;

use crate::base::Platform;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Platform to key for; this host's unless given
    #[arg(long)]
    pub(crate) platform: Option<Platform>,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let platform = args.platform.unwrap_or(Platform::host());
    session.printer.line(&ops::lock::key(&session.context, platform)?);
    Ok(ExitCode::SUCCESS)
}
