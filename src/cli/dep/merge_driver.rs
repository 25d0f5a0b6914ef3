//! `infra dep merge-driver …`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::merge_driver::Ran;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Let git merge dep.lock.json with this program, in this repository
    #[command(after_help = "Example:\n  infra dep merge-driver install && git add .gitattributes")]
    Install(InstallArgs),
    /// Merge three versions of the lock; git calls this
    #[command(after_help = "Example:\n  infra dep merge-driver run BASE OURS THEIRS")]
    Run(RunArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct InstallArgs {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// The common ancestor's (git's %O)
    pub(crate) base: PathBuf,
    /// Ours, where the result goes (git's %A)
    pub(crate) ours: PathBuf,
    /// Theirs (git's %B)
    pub(crate) theirs: PathBuf,
}

pub(super) fn run(command: &Command, session: &Session) -> Outcome {
    match command {
        Command::Install(args) => install(args, session),
        Command::Run(args) => merge(args, session),
    }
}

fn install(args: &InstallArgs, session: &Session) -> Outcome {
    let installed = ops::merge_driver::install(&session.context)?;
    if args.json {
        session.printer.json(&installed);
        return Ok(ExitCode::SUCCESS);
    }
    session.printer.note(&format!("git merges dep.lock.json with {}", installed.driver));
    if installed.attributes.is_some() {
        session.printer.note("added a line to .gitattributes; commit it");
    }
    session.printer.note("each clone installs it once: git keeps no programs in a repository");
    Ok(ExitCode::SUCCESS)
}

fn merge(args: &RunArgs, session: &Session) -> Outcome {
    match ops::merge_driver::run(&session.context, &args.base, &args.ours, &args.theirs)? {
        Ran::Clean => return Ok(ExitCode::SUCCESS),
        Ran::Open(deps) => {
            let names: Vec<_> = deps.iter().map(ToString::to_string).collect();
            session.printer.warn(&format!("both sides changed {}", names.join(", ")));
        }
        Ran::Lines(why) => session.printer.warn(&format!("merged line by line: {why}")),
    }
    session.printer.note("resolve the profiles, then run `infra dep lock --merge`");
    Ok(ExitCode::FAILURE)
}
