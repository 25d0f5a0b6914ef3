//! `infra store optimise`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::store::OptimiseOptions;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Count what would be saved and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Share blocks instead of linking files, where the filesystem can
    #[arg(long)]
    pub(crate) reflink: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let options = OptimiseOptions { dry_run: args.dry_run, reflink: args.reflink };
    let report = ops::objects::optimise(&session.context, &options)?;
    if args.json {
        session.printer.json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    for object in &report.skipped {
        session.printer.note(&format!("left out {object}: it is not as registered, or in use"));
    }
    let verb = if report.dry_run { "would save" } else { "saved" };
    session.printer.note(&format!(
        "{verb} {}: {} of {} in {}; {} were shared before",
        super::bytes(report.saved_bytes),
        super::count(report.replaced, "duplicate"),
        super::count(report.files, "file"),
        super::count(report.objects, "object"),
        super::bytes(report.shared_bytes),
    ));
    Ok(ExitCode::SUCCESS)
}
