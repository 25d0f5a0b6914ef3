//! `infra dep …`: pin, fetch and inspect external binaries.

mod add;
mod key;
mod list;
mod lock;
mod path;
mod remove;
mod sync;
mod update;
mod verify;

use clap::Subcommand;

use super::{Outcome, Session};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a dep to a profile and pin it
    #[command(after_help = add::EXAMPLES, disable_version_flag = true)]
    Add(add::Args),
    /// Remove a dep from the profiles and the lock
    #[command(after_help = "Example:\n  infra dep remove caddy")]
    Remove(remove::Args),
    /// Move deps to the newest version their requirement allows
    #[command(after_help = "Examples:\n  infra dep update nats-server\n  infra dep update")]
    Update(update::Args),
    /// Pin every dep for every platform in dep.lock.json
    #[command(
        after_help = "Examples:\n  infra dep lock\n  infra dep lock --check     for CI: fail when profiles and lock disagree"
    )]
    Lock(lock::Args),
    /// Fetch what the lock pins for this host and the store lacks
    #[command(after_help = "Examples:\n  infra dep sync\n  infra dep sync --env test --dry-run")]
    Sync(sync::Args),
    /// List deps with version, source, commands and platforms
    #[command(after_help = "Examples:\n  infra dep list\n  infra dep list --json")]
    List(list::Args),
    /// Hash the objects of the lock again and compare
    #[command(after_help = "Example:\n  infra dep verify")]
    Verify(verify::Args),
    /// Print where a dep lies in the store
    #[command(after_help = "Example:\n  ls $(infra dep path nats-server)")]
    Path(path::Args),
    /// Print the cache key for CI: lock and platform, nothing else
    #[command(after_help = "Example:\n  infra dep key")]
    Key(key::Args),
}

pub(super) fn run(command: Command, session: &Session) -> Outcome {
    match command {
        Command::Add(args) => add::run(&args, session),
        Command::Remove(args) => remove::run(&args, session),
        Command::Update(args) => update::run(&args, session),
        Command::Lock(args) => lock::run(&args, session),
        Command::Sync(args) => sync::run(&args, session),
        Command::List(args) => list::run(&args, session),
        Command::Verify(args) => verify::run(&args, session),
        Command::Path(args) => path::run(&args, session),
        Command::Key(args) => key::run(&args, session),
    }
}

/// Prints the changes of a lock, or that there are none.
fn print_changes(changes: &[crate::lock::diff::Change], session: &Session) {
    for change in changes {
        session.printer.line(&change.to_string());
    }
    if changes.is_empty() {
        session.printer.note("dep.lock.json is up to date");
    }
}
