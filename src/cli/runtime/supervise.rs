//! The supervisor behind `infra runtime up`; its stderr is `<data>/logs/supervisor.log`.

use std::process::ExitCode;

use super::lines::Lines;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
#[command(after_help = "Started by: infra runtime up")]
pub(crate) struct Args {
    /// Which services.
    #[command(flatten)]
    pub(crate) select: crate::cli::run::Select,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let mut lines = Lines::new(session.printer.clone(), std::iter::empty());
    let select = args.select.selection();
    let outcome = ops::run::background(&session.context, name, &select, move |e| lines.show(e))?;
    Ok(if outcome.down.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
