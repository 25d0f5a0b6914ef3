//! `infra runtime …`: the stack in the background.

mod down;
pub(super) mod lines;
mod list;
mod logs;
mod restart;
mod status;
mod supervise;
mod time;
mod up;

use clap::Subcommand;

use super::{Outcome, Session};

pub(super) use down::Args as DownArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the stack in the background; returns when it is ready
    #[command(after_help = "Examples:\n  infra runtime up\n  infra runtime up --env test nats")]
    Up(up::Args),
    /// Stop the background stack in order
    #[command(after_help = "Example:\n  infra runtime down")]
    Down(down::Args),
    /// State of every service; fails when a required one is down
    #[command(after_help = "Examples:\n  infra runtime status\n  infra runtime status --json")]
    Status(status::Args),
    /// Services that the environment declares
    #[command(
        after_help = "Examples:\n  infra runtime list\n  infra runtime list --env prod --json"
    )]
    List(list::Args),
    /// Lines of services' logs
    #[command(
        after_help = "Examples:\n  infra runtime logs nats\n  infra runtime logs --follow\n  infra runtime logs --since 10m --grep \"error|panic\"\n  infra runtime logs --service nats,web --stream stderr --json"
    )]
    Logs(logs::Args),
    /// Restart services and wait until they are up again
    #[command(after_help = "Examples:\n  infra runtime restart nats\n  infra runtime restart")]
    Restart(restart::Args),
    /// The supervisor that `up` starts.
    #[command(name = crate::ops::run::SUPERVISE, hide = true)]
    Supervise(supervise::Args),
}

pub(super) fn run(command: Command, session: &Session) -> Outcome {
    match command {
        Command::Up(args) => up::run(&args, session),
        Command::Down(args) => down::run(&args, session),
        Command::Status(args) => status::run(&args, session),
        Command::List(args) => list::run(&args, session),
        Command::Logs(args) => logs::run(&args, session),
        Command::Restart(args) => restart::run(&args, session),
        Command::Supervise(args) => supervise::run(&args, session),
    }
}

/// `infra shutdown`
pub(super) fn down(args: &DownArgs, session: &Session) -> Outcome {
    down::run(args, session)
}
