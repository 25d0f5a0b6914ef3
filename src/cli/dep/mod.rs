//! `infra dep …`: pin, fetch and inspect external binaries.

mod add;
mod audit;
mod diff;
mod key;
mod licenses;
mod list;
mod lock;
mod merge_driver;
mod outdated;
mod path;
mod remove;
mod sbom;
mod sync;
mod tree;
mod update;
mod verify;
mod why;

use clap::Subcommand;

use super::{Outcome, Session};
use crate::base::DepName;
use crate::sync::Accept;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Add a dep to a profile and pin it
    #[command(after_help = add::EXAMPLES, disable_version_flag = true)]
    Add(add::Args),
    /// Remove a dep from the profiles and the lock
    #[command(after_help = "Example:\n  infra dep remove caddy")]
    Remove(remove::Args),
    /// Move deps to the newest version their requirement allows
    #[command(
        after_help = "Examples:\n  infra dep update nats-server\n  infra dep update --major     beyond what the profiles accept"
    )]
    Update(update::Args),
    /// Show which deps could move, and how far
    #[command(after_help = "Examples:\n  infra dep outdated\n  infra dep outdated --json")]
    Outdated(outdated::Args),
    /// Pin every dep for every platform in dep.lock.json
    #[command(
        after_help = "Examples:\n  infra dep lock\n  infra dep lock --check     for CI: fail when profiles and lock disagree\n  infra dep lock --merge     after a merge left conflict markers in it"
    )]
    Lock(lock::Args),
    /// Let git merge dep.lock.json entry by entry
    #[command(subcommand)]
    MergeDriver(merge_driver::Command),
    /// Fetch what the lock pins for this host and the store lacks
    #[command(after_help = "Examples:\n  infra dep sync\n  infra dep sync --env test --dry-run")]
    Sync(sync::Args),
    /// List deps with version, source, commands and platforms
    #[command(after_help = "Examples:\n  infra dep list\n  infra dep list --json")]
    List(list::Args),
    /// Say who asks for a dep and what uses it, by file and line
    #[command(after_help = "Example:\n  infra dep why nats-server")]
    Why(why::Args),
    /// Show environments, their deps and commands, with sizes
    #[command(after_help = "Examples:\n  infra dep tree\n  infra dep tree dev --json")]
    Tree(tree::Args),
    /// Say in words what the lock changes against a git revision
    #[command(
        after_help = "Examples:\n  infra dep diff main\n  infra dep diff origin/main --markdown     for a pull request"
    )]
    Diff(diff::Args),
    /// Show which licence each dep says it has
    #[command(after_help = "Example:\n  infra dep licenses")]
    Licenses(licenses::Args),
    /// Print a bill of materials of the lock
    #[command(
        after_help = "Examples:\n  infra dep sbom > bom.cdx.json\n  SOURCE_DATE_EPOCH=0 infra dep sbom --format spdx --name shop"
    )]
    Sbom(sbom::Args),
    /// Look for known vulnerabilities in OSV data; exit 1 when there are any
    #[command(
        after_help = "Examples:\n  infra dep audit --osv ./osv\n  infra dep audit --osv PyPI.zip --osv npm.zip --json"
    )]
    Audit(audit::Args),
    /// Hash the objects of the lock again and compare
    #[command(
        after_help = "Examples:\n  infra dep verify\n  infra dep verify --provenance     who signed it, for every platform"
    )]
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
        Command::Outdated(args) => outdated::run(&args, session),
        Command::Why(args) => why::run(&args, session),
        Command::Tree(args) => tree::run(&args, session),
        Command::Diff(args) => diff::run(&args, session),
        Command::Licenses(args) => licenses::run(&args, session),
        Command::Sbom(args) => sbom::run(&args, session),
        Command::Audit(args) => audit::run(&args, session),
        Command::Lock(args) => lock::run(&args, session),
        Command::MergeDriver(command) => merge_driver::run(&command, session),
        Command::Sync(args) => sync::run(&args, session),
        Command::List(args) => list::run(&args, session),
        Command::Verify(args) => verify::run(&args, session),
        Command::Path(args) => path::run(&args, session),
        Command::Key(args) => key::run(&args, session),
    }
}

/// `--accept-signer`, with and without names.
fn accept(given: Option<&Vec<DepName>>) -> Accept {
    match given.map(Vec::as_slice) {
        None => Accept::None,
        Some([]) => Accept::All,
        Some(names) => Accept::Deps(names.iter().cloned().collect()),
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
