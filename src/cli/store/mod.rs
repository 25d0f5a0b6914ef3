//! `infra store …`: check, repair, collect, keep and hash.

mod export;
mod gc;
mod hash;
mod import;
mod info;
mod optimise;
mod pin;
mod repair;
mod roots;
mod verify;
mod why;

use clap::Subcommand;

use super::{Outcome, Session};
pub(in crate::cli) use crate::base::bytes;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Remove what no environment and no running stack uses
    #[command(
        after_help = "Examples:\n  infra store gc --dry-run\n  infra store gc --older-than 30d --artifacts\n  infra store gc --keep-generations 3"
    )]
    Gc(gc::Args),
    /// Check every object against its registration
    #[command(after_help = "Examples:\n  infra store verify\n  infra store verify --quick")]
    Verify(verify::Args),
    /// Replace damaged objects and artifacts with fetched ones
    #[command(after_help = "Example:\n  infra store repair")]
    Repair(repair::Args),
    /// Store identical files of different objects once
    #[command(
        after_help = "Examples:\n  infra store optimise --dry-run\n  infra store optimise --json"
    )]
    Optimise(optimise::Args),
    /// Show what keeps an object from being removed
    #[command(
        after_help = "Examples:\n  infra store why nats-server\n  infra store why .infra/env/dev"
    )]
    Why(why::Args),
    /// List everything that keeps objects
    #[command(after_help = "Examples:\n  infra store roots\n  infra store roots --json")]
    Roots(roots::Args),
    /// Keep an object under a name, whatever projects come and go
    #[command(after_help = "Example:\n  infra store pin dev --name release-7")]
    Pin(pin::Args),
    /// Remove a pin
    #[command(after_help = "Example:\n  infra store unpin release-7")]
    Unpin(pin::UnpinArgs),
    /// Counts, sizes, roots and free space
    #[command(after_help = "Examples:\n  infra store info\n  infra store info --json")]
    Info(info::Args),
    /// Print the tree hash of any file or directory
    #[command(
        after_help = "Examples:\n  infra store hash ./result\n  infra store hash --json ./result"
    )]
    Hash(hash::Args),
    /// Write an environment, with all it refers to, as one file to standard output
    #[command(after_help = "Example:\n  infra store export dev --lock > dev.nar")]
    Export(export::Args),
    /// Take in such a file from standard input
    #[command(after_help = "Example:\n  infra store import --lock-to dep.lock.json < dev.nar")]
    Import(import::Args),
}

pub(super) fn run(command: Command, session: &Session) -> Outcome {
    match command {
        Command::Gc(args) => gc::run(&args, session),
        Command::Verify(args) => verify::run(&args, session),
        Command::Repair(args) => repair::run(&args, session),
        Command::Optimise(args) => optimise::run(&args, session),
        Command::Why(args) => why::run(&args, session),
        Command::Roots(args) => roots::run(&args, session),
        Command::Pin(args) => pin::run(&args, session),
        Command::Unpin(args) => pin::unpin(&args, session),
        Command::Info(args) => info::run(&args, session),
        Command::Hash(args) => hash::run(&args, session),
        Command::Export(args) => export::run(&args, session),
        Command::Import(args) => import::run(&args, session),
    }
}

/// `1 object`, `2 objects`.
pub(in crate::cli) fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
