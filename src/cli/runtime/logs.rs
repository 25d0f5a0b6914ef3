//! `infra runtime logs`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::supervise::status::Event;

use super::lines;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Services; all unless given
    pub(crate) services: Vec<String>,
    /// Go on with new lines until Ctrl-C or until the stack stops
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// Lines of each service to begin with
    #[arg(long, short = 'n', default_value_t = 100, value_name = "N")]
    pub(crate) lines: usize,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let declared = ops::run::list(&session.context, name)?;
    let names: Vec<_> = declared.into_iter().map(|s| s.name).collect();
    let prefix = lines::Prefix::new(session.printer.style(), names.iter());
    let printer = &session.printer;
    ops::run::show_logs(
        &session.context,
        name,
        &args.services,
        args.lines,
        args.follow,
        |event| match event {
            Event::Log { service, text } => printer.data(&prefix.of(&service, &text)),
            Event::Missed { count, .. } => {
                printer.warn(&format!("{count} lines are missing here; the files have them"));
            }
            _ => {}
        },
    )?;
    Ok(ExitCode::SUCCESS)
}
