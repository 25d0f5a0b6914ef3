//! `infra cache …`: share objects through a binary cache.

mod gc;
mod info;
mod init;
mod key;
mod pull;
mod push;
mod serve;
mod sign;
mod verify;

use clap::Subcommand;

use super::store::{bytes, count};
use super::{Outcome, Session};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a directory, server or bucket a cache
    #[command(
        after_help = "Examples:\n  infra cache init ./cache\n  infra cache init 's3://builds/cache?endpoint=http://127.0.0.1:9000'"
    )]
    Init(init::Args),
    /// Put environments and objects into a cache, with all they refer to
    #[command(
        after_help = "Examples:\n  infra cache push\n  infra cache push --to ./cache dev test"
    )]
    Push(push::Args),
    /// Fetch the deps of environments, or objects, from a cache alone
    #[command(after_help = "Examples:\n  infra cache pull\n  infra cache pull --from ./cache dev")]
    Pull(pull::Args),
    /// Serve a cache directory, or the store itself, over HTTP
    #[command(
        after_help = "Examples:\n  infra cache serve\n  INFRA_CACHE_TOKEN=… infra cache serve ./cache --allow-push"
    )]
    Serve(serve::Args),
    /// Make and show the keys that sign
    #[command(subcommand)]
    Key(key::Command),
    /// Sign what a cache has
    #[command(after_help = "Example:\n  infra cache sign --at ./cache --key secret.key")]
    Sign(sign::Args),
    /// Fetch, unpack and hash everything a cache has
    #[command(
        after_help = "Examples:\n  infra cache verify\n  infra cache verify --at ./cache dev"
    )]
    Verify(verify::Args),
    /// Remove what the named lock files, environments and objects do not need
    #[command(
        after_help = "Example:\n  infra cache gc --at ./cache --keep dep.lock.json --keep dev --dry-run"
    )]
    Gc(gc::Args),
    /// What a cache says of itself, and how much it has
    #[command(after_help = "Example:\n  infra cache info ./cache")]
    Info(info::Args),
}

pub(super) fn run(command: Command, session: &Session) -> Outcome {
    match command {
        Command::Init(args) => init::run(&args, session),
        Command::Push(args) => push::run(&args, session),
        Command::Pull(args) => pull::run(&args, session),
        Command::Serve(args) => serve::run(&args, session),
        Command::Key(command) => key::run(&command, session),
        Command::Sign(args) => sign::run(&args, session),
        Command::Verify(args) => verify::run(&args, session),
        Command::Gc(args) => gc::run(&args, session),
        Command::Info(args) => info::run(&args, session),
    }
}
