//! `infra env exec`

use std::ffi::OsString;

use crate::base::EnvName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The environment; the default one when the first word is `--`
    pub(crate) name: Option<EnvName>,
    /// Only the environment's commands on PATH, nothing of the host's
    #[arg(long)]
    pub(crate) pure: bool,
    /// Command and arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = super::chosen(args.name.as_ref(), session);
    // Returns only when the command could not be started: it takes this process's place.
    Err(ops::exec::replace(&session.context, &name, args.pure, &args.command))
}
