//! `infra store verify`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Compare inodes, sizes and times only; hash what differs
    #[arg(long)]
    pub(crate) quick: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let checked = ops::verify::store(&session.context, args.quick)?;
    if args.json {
        session.printer.json(&checked);
    } else {
        session.printer.note(&format!(
            "{} and {} are as registered ({})",
            super::count(checked.objects, "object"),
            super::count(checked.artifacts, "artifact"),
            super::bytes(checked.bytes)
        ));
    }
    Ok(ExitCode::SUCCESS)
}
