//! `infra env diff`

use std::process::ExitCode;

use crate::base::EnvName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// One environment
    pub(crate) from: EnvName,
    /// The other
    pub(crate) to: EnvName,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let changes = ops::env_diff::diff(&session.context, &args.from, &args.to)?;
    if args.json {
        session.printer.json(&changes);
    } else {
        for change in &changes {
            session.printer.line(&change.to_string());
        }
        if changes.is_empty() {
            session.printer.note(&format!("{} and {} are the same", args.from, args.to));
        }
    }
    Ok(ExitCode::SUCCESS)
}
