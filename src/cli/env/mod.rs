//! `infra env …`: build, enter and compare environments.

mod build;
mod diff;
mod digest;
mod enter;
mod exec;
mod list;
mod print;
mod rollback;

use clap::Subcommand;

use super::{Outcome, Session};
use crate::base::EnvName;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build an environment and make it the current generation
    #[command(after_help = "Example:\n  infra env build test")]
    Build(build::Args),
    /// List environments with generation and digest
    #[command(after_help = "Examples:\n  infra env list\n  infra env list --generations --json")]
    List(list::Args),
    /// Start your shell inside an environment; `exit` leaves it
    #[command(after_help = "Examples:\n  infra env enter test\n  infra env enter test --pure")]
    Enter(enter::Args),
    /// Run one command inside an environment
    #[command(
        after_help = "Examples:\n  infra env exec test -- nats-server --version\n  infra env exec dev --pure -- pocketbase --help"
    )]
    Exec(exec::Args),
    /// Print an environment's variables for a shell or a program
    #[command(
        after_help = "Examples:\n  eval \"$(infra env print dev --shell bash)\"\n  infra env print test --shell json\n  infra env print test --shell github >> $GITHUB_ENV\n  infra env print test --shell github-path >> $GITHUB_PATH"
    )]
    Print(print::Args),
    /// Compare two environments
    #[command(after_help = "Example:\n  infra env diff dev prod")]
    Diff(diff::Args),
    /// Print an environment's digest: equal digests mean equal bytes
    #[command(after_help = "Example:\n  infra env digest prod")]
    Digest(digest::Args),
    /// Go back to an earlier generation
    #[command(after_help = "Examples:\n  infra env rollback dev\n  infra env rollback dev --to 3")]
    Rollback(rollback::Args),
}

pub(super) fn run(command: Command, session: &Session) -> Outcome {
    match command {
        Command::Build(args) => build::run(&args, session),
        Command::List(args) => list::run(&args, session),
        Command::Enter(args) => enter::run(&args, session),
        Command::Exec(args) => exec::run(&args, session),
        Command::Print(args) => print::run(&args, session),
        Command::Diff(args) => diff::run(&args, session),
        Command::Digest(args) => digest::run(&args, session),
        Command::Rollback(args) => rollback::run(&args, session),
    }
}

/// The environment a command was given, or the one that settings choose.
fn chosen(given: Option<&EnvName>, session: &Session) -> EnvName {
    given.unwrap_or(&session.context.settings().env.value).clone()
}
