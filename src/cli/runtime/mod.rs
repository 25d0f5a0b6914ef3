//! `infra runtime …`: the stack in the background.

mod attach;
mod down;
mod events;
pub(super) mod lines;
mod list;
mod logs;
mod metrics;
mod reload;
mod restart;
mod signal;
mod start;
mod status;
mod stop;
mod supervise;
mod time;
mod up;
mod upgrade;
mod watch;
mod why;

use clap::Subcommand;

use super::{Outcome, Session};

pub(super) use down::Args as DownArgs;
pub(super) use watch::show_news;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the stack in the background; returns when it is ready
    #[command(after_help = "Examples:\n  infra runtime up\n  infra runtime up --env test nats")]
    Up(up::Args),
    /// Show a running stack; leaving does not stop it
    #[command(
        after_help = "Examples:\n  infra runtime attach\n  infra runtime attach --plain -n 50"
    )]
    Attach(attach::Args),
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
    /// Stop services; they stay stopped over runs until `start`
    #[command(after_help = "Example:\n  infra runtime stop @edge")]
    Stop(stop::Args),
    /// Start services that were stopped, with what they come after
    #[command(after_help = "Example:\n  infra runtime start nats")]
    Start(start::Args),
    /// Make services take up changes without a restart
    #[command(after_help = "Example:\n  infra runtime reload caddy")]
    Reload(reload::Args),
    /// Send a signal to services
    #[command(after_help = "Example:\n  infra runtime signal HUP nats")]
    Signal(signal::Args),
    /// What happened to the stack, and what happens now
    #[command(
        after_help = "Examples:\n  infra runtime events --since 10m\n  infra runtime events --follow --json"
    )]
    Events(events::Args),
    /// Why a service runs or does not, with what it waits for
    #[command(after_help = "Example:\n  infra runtime why caddy")]
    Why(why::Args),
    /// Metrics in the Prometheus text format
    #[command(after_help = "Example:\n  infra runtime metrics")]
    Metrics(metrics::Args),
    /// Apply changes of the profile or of the lock as they are made
    #[command(after_help = "Example:\n  infra runtime watch")]
    Watch(watch::Args),
    /// Replace the supervisor's program while all services go on
    #[command(
        after_help = "Examples:\n  infra runtime upgrade\n  infra runtime upgrade --program ./infra-next"
    )]
    Upgrade(upgrade::Args),
    /// The supervisor that `up` starts.
    #[command(name = crate::ops::run::SUPERVISE, hide = true)]
    Supervise(supervise::Args),
}

pub(super) fn run(command: Command, session: &Session) -> Outcome {
    match command {
        Command::Up(args) => up::run(&args, session),
        Command::Attach(args) => attach::run(&args, session),
        Command::Down(args) => down::run(&args, session),
        Command::Status(args) => status::run(&args, session),
        Command::List(args) => list::run(&args, session),
        Command::Logs(args) => logs::run(&args, session),
        Command::Restart(args) => restart::run(&args, session),
        Command::Stop(args) => stop::run(&args, session),
        Command::Start(args) => start::run(&args, session),
        Command::Reload(args) => reload::run(&args, session),
        Command::Signal(args) => signal::run(&args, session),
        Command::Events(args) => events::run(&args, session),
        Command::Why(args) => why::run(&args, session),
        Command::Metrics(args) => metrics::run(&args, session),
        Command::Watch(args) => watch::run(&args, session),
        Command::Upgrade(args) => upgrade::run(&args, session),
        Command::Supervise(args) => supervise::run(&args, session),
    }
}

/// `infra shutdown`
pub(super) fn down(args: &DownArgs, session: &Session) -> Outcome {
    down::run(args, session)
}
