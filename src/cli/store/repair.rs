//! `infra store repair`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let repaired = ops::verify::repair(&session.context)?;
    if args.json {
        session.printer.json(&repaired);
        return Ok(ExitCode::SUCCESS);
    }
    for line in &repaired.damaged {
        session.printer.note(&format!("damaged   {line}"));
    }
    for name in &repaired.restored {
        session.printer.line(&format!("restored  {name}"));
    }
    for name in &repaired.removed {
        session.printer.line(&format!("removed   {name}  (nothing in this project pins it)"));
    }
    if repaired.damaged.is_empty() {
        session.printer.note("nothing is damaged");
    }
    Ok(ExitCode::SUCCESS)
}
