//! `infra runtime down`, `infra shutdown`

use std::process::ExitCode;
use std::time::Duration;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  infra shutdown\n  infra runtime down --stop-within 5s")]
pub(crate) struct Args {
    /// How long all of it may take, SIGKILL included; services get less time to end where needed
    #[arg(long, value_name = "DURATION", value_parser = crate::cli::run::duration)]
    pub(crate) stop_within: Option<Duration>,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    if ops::run::down(&session.context, name, args.stop_within)? {
        session.printer.note(&format!("{name} is stopped"));
    } else {
        session.printer.note(&format!("nothing is running for {name}"));
    }
    Ok(ExitCode::SUCCESS)
}
