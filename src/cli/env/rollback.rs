//! `infra env rollback`

use std::process::ExitCode;

use crate::base::EnvName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The environment
    pub(crate) name: Option<EnvName>,
    /// Generation to go back to; the one before the current unless given
    #[arg(long, value_name = "GENERATION")]
    pub(crate) to: Option<u64>,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = super::chosen(args.name.as_ref(), session);
    let (from, to) = ops::rollback::rollback(&session.context, &name, args.to)?;
    session.printer.note(&format!("{name}: generation {from} → {to}"));
    Ok(ExitCode::SUCCESS)
}
