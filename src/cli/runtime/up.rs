//! `infra runtime up`

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::run::Up;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Which services.
    #[command(flatten)]
    pub(crate) select: crate::cli::run::Select,
    /// Status as JSON once it is up
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let (select, full) = (args.select.selection(), args.select.require_sandbox);
    let status = match ops::run::up(&session.context, name, &select, full)? {
        Up::Started(status) => {
            session.printer.note(&format!("{name} is up (supervisor pid {})", status.supervisor));
            status
        }
        Up::Running(status) => {
            session
                .printer
                .note(&format!("{name} is already running (supervisor pid {})", status.supervisor));
            status
        }
    };
    super::status::show(&status, args.json, session);
    Ok(super::status::verdict(&status))
}
