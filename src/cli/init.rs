//! `infra init`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  infra init              in the current directory\n  infra init ./service && cd service && infra dep lock && infra run"
)]
pub(crate) struct Args {
    /// Directory of the project; created if it is not there
    #[arg(default_value = ".")]
    pub(crate) dir: PathBuf,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let report = ops::init::init(&session.context, &args.dir)?;
    for path in &report.written {
        session.printer.note(&format!("wrote {path}"));
    }
    session
        .printer
        .note("next: `infra dep lock` pins every binary, then `infra run` starts the stack");
    Ok(ExitCode::SUCCESS)
}
