//! `infra env enter`

use crate::base::EnvName;
use crate::cli::{Outcome, Session, exit};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The environment
    pub(crate) name: Option<EnvName>,
    /// Only the environment's commands on PATH, nothing of the host's
    #[arg(long)]
    pub(crate) pure: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = super::chosen(args.name.as_ref(), session);
    let entry = ops::enter::prepare(&session.context, &name, args.pure)?;
    session.printer.note(&format!(
        "entering {name} (generation {}, {}); `exit` leaves it",
        entry.generation, entry.digest
    ));
    Ok(exit::of_child(ops::enter::run(entry)?))
}
