//! `infra dep update`

use std::process::ExitCode;

use crate::base::DepName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Deps to move; all when none is named
    pub(crate) names: Vec<DepName>,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let changes = ops::lock::update(&session.context, &args.names)?;
    super::print_changes(&changes, session);
    Ok(ExitCode::SUCCESS)
}
