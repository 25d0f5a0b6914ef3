//! `infra run`

use std::process::ExitCode;

use super::runtime::lines::Lines;
use super::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  infra run                     the default environment\n  infra run --env test\n  infra run nats pocketbase     these and what they come after"
)]
pub(crate) struct Args {
    /// Services to run, with what they come after; all unless given
    pub(crate) services: Vec<String>,
    /// Refuse to start unless every sandbox is fully held
    #[arg(long)]
    pub(crate) require_sandbox: bool,
    /// Start also what was stopped with `runtime stop`
    #[arg(long)]
    pub(crate) all: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let prepared = ops::run::prepare(&session.context, name, &args.services)?;
    if args.require_sandbox {
        ops::run::require_sandbox(&prepared)?;
    }
    session.printer.note(&format!(
        "{name}: generation {}, {}",
        prepared.environment.generation, prepared.environment.digest
    ));
    let mut lines =
        Lines::new(session.printer.clone(), prepared.environment.manifest.services.keys());
    let reset = ops::run::reset(&prepared, &args.services, args.all);
    let outcome = ops::run::foreground(prepared, reset, move |event| lines.show(&event))?;
    if outcome.down.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for service in &outcome.down {
        session.printer.warn(&format!("the required service `{service}` was not up"));
    }
    Ok(ExitCode::FAILURE)
}
