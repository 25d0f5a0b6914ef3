//! `infra dep sync`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show the steps and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let report = ops::sync::sync(&session.context, args.dry_run)?;
    if args.json {
        session.printer.json(&report);
    } else if args.dry_run {
        for step in &report.steps {
            session.printer.line(&step.to_string());
        }
    } else if report.fetched > 0 {
        session.printer.note(&format!("{} fetched, {} were there", report.fetched, report.present));
    } else {
        session.printer.note(&format!("{} deps are in the store", report.present));
    }
    Ok(ExitCode::SUCCESS)
}
