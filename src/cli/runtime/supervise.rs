//! The supervisor behind `infra runtime up`; its stderr is `<data>/logs/supervisor.log`.

use std::process::ExitCode;

use super::lines::Lines;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
#[command(after_help = "Started by: infra runtime up")]
pub(crate) struct Args {
    /// Services to run
    pub(crate) services: Vec<String>,
    /// Start also what was stopped
    #[arg(long)]
    pub(crate) all: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let mut lines = Lines::new(session.printer.clone(), std::iter::empty());
    let show = move |e: &crate::supervise::status::Event| lines.show(e);
    let outcome = ops::run::background(&session.context, name, &args.services, args.all, show)?;
    Ok(if outcome.down.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
