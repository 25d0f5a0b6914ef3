//! `infra runtime upgrade`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::supervise::status::{Upgrade, UpgradeOutcome};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The program that takes over; the one that lies where the running one was started from unless
    /// given
    #[arg(long, value_name = "PATH")]
    pub(crate) program: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let upgrade = ops::run::upgrade(&session.context, name, args.program.as_deref())?;
    if args.json {
        session.printer.json(&upgrade);
    } else if upgrade.outcome == UpgradeOutcome::Done {
        session.printer.note(&format!("{name}: {}", words(&upgrade)));
    }
    if upgrade.outcome == UpgradeOutcome::Done {
        return Ok(ExitCode::SUCCESS);
    }
    session.printer.warn(&words(&upgrade));
    Ok(ExitCode::FAILURE)
}

/// What became of an upgrade, in one line.
pub(super) fn words(upgrade: &Upgrade) -> String {
    let Upgrade { from, to, program, outcome, why, .. } = upgrade;
    let program = program.display();
    match outcome {
        UpgradeOutcome::UnderWay => {
            format!("the supervisor's program is being replaced: {from} → {to} (`{program}`)")
        }
        UpgradeOutcome::Done => {
            format!("the supervisor's program was replaced: {from} → {to} (`{program}`)")
        }
        UpgradeOutcome::Failed => format!(
            "the supervisor's program was not replaced, {from} goes on: {}",
            why.as_deref().unwrap_or("no reason is known")
        ),
    }
}
