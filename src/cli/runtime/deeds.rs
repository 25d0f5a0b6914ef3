//! `infra runtime start`, `infra runtime stop`, `infra runtime signal`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::control::Deed;

#[derive(Debug, clap::Args)]
pub(crate) struct StartArgs {
    /// Services or @groups; all unless given
    pub(crate) services: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct StopArgs {
    /// Services or @groups
    #[arg(required = true)]
    pub(crate) services: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct SignalArgs {
    /// TERM, INT, QUIT, HUP, USR1, USR2 or KILL
    pub(crate) signal: String,
    /// Services or @groups
    #[arg(required = true)]
    pub(crate) services: Vec<String>,
}

pub(super) fn start(args: &StartArgs, session: &Session) -> Outcome {
    ask(&args.services, Deed::Start, "starting", session)
}

pub(super) fn stop(args: &StopArgs, session: &Session) -> Outcome {
    ask(&args.services, Deed::Stop, "stopping", session)
}

pub(super) fn signal(args: &SignalArgs, session: &Session) -> Outcome {
    ask(&args.services, Deed::Signal(&args.signal), "signalled", session)
}

fn ask(services: &[String], deed: Deed<'_>, word: &str, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let found = ops::control::ask(&session.context, name, services, deed)?;
    let names: Vec<&str> = found.iter().map(|n| n.as_str()).collect();
    session.printer.note(&match names.as_slice() {
        [] => "nothing to do".to_owned(),
        names => format!("{word} {}", names.join(", ")),
    });
    Ok(ExitCode::SUCCESS)
}
