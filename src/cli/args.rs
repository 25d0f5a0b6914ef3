//! The tree of subcommands and the flags that all of them take.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::base::EnvName;
use crate::ui::Printer;

use super::{
    cache, completion, config, dep, doctor, env, export, import, init, run, runtime, store,
};

/// Reproducible project runtimes: pinned binaries, a content-addressed store, supervised services.
#[derive(Debug, Parser)]
#[command(
    name = "infra",
    version,
    disable_help_subcommand = true,
    after_help = "Start here:\n  infra init           write profiles for a new project\n  infra run            fetch what is missing and run the stack\n  infra doctor         what is wrong with this host"
)]
pub(crate) struct Cli {
    /// Flags of every subcommand.
    #[command(flatten)]
    pub(crate) global: Global,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// Flags of every subcommand.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Directory of the store [env: INFRA_STORE]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) store: Option<PathBuf>,
    /// Project directory; the nearest one upwards with `profiles/` [env: INFRA_PROJECT]
    #[arg(long, short = 'C', global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) project: Option<PathBuf>,
    /// Environment to use: the name of a profile [env: INFRA_ENV] [default: dev]
    #[arg(long, short = 'e', global = true, value_name = "NAME", help_heading = "Global options")]
    pub(crate) env: Option<EnvName>,
    /// Touch no network; fail with a list of what is missing [env: INFRA_OFFLINE]
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) offline: bool,
    /// Downloads and unpackings at once [env: INFRA_JOBS]
    #[arg(long, short = 'j', global = true, value_name = "N", value_parser = jobs, help_heading = "Global options")]
    pub(crate) jobs: Option<usize>,
    /// Binary cache to ask before sources; may be repeated [env: INFRA_CACHE]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub(crate) cache: Vec<String>,
    /// No notes and no progress; warnings and errors only
    #[arg(long, short = 'q', global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write a profile set for a new project
    Init(init::Args),
    /// Pin, fetch and inspect external binaries
    #[command(subcommand)]
    Dep(dep::Command),
    /// Build, enter and compare environments
    #[command(subcommand)]
    Env(env::Command),
    /// Run the stack in the foreground until Ctrl-C
    Run(run::Args),
    /// Run the stack in the background and look after it
    #[command(subcommand)]
    Runtime(runtime::Command),
    /// Stop the background stack (the same as `runtime down`)
    Shutdown(runtime::DownArgs),
    /// Look after the store: check, repair, collect
    #[command(subcommand)]
    Store(store::Command),
    /// Share objects through a binary cache
    #[command(subcommand)]
    Cache(cache::Command),
    /// Say what is wrong with this host and project
    Doctor(doctor::Args),
    /// Read another tool's files: what maps to a dep, and what does not
    Import(import::Args),
    /// Write the lock for another tool
    Export(export::Args),
    /// Show settings
    #[command(subcommand)]
    Config(config::Command),
    /// Print a completion script for a shell
    Completion(completion::Args),
}

/// The range is the settings' business.
fn jobs(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "a whole number from 1 to 256".to_owned())
}

/// Help for `infra` alone: what it is and the one command to type next.
pub(crate) fn no_command(printer: &Printer) -> ExitCode {
    use clap::CommandFactory as _;
    printer.data(&Cli::command().render_help().to_string());
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_tree_is_consistent() {
        super::Cli::command().debug_assert();
    }

    #[test]
    fn every_leaf_has_an_example() {
        fn walk(command: &clap::Command, path: &str, lacking: &mut Vec<String>) {
            let path = format!("{path} {}", command.get_name());
            let mut leaf = true;
            for sub in command.get_subcommands() {
                if !sub.is_hide_set() {
                    leaf = false;
                    walk(sub, &path, lacking);
                }
            }
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            if leaf && !help.contains("infra ") {
                lacking.push(path);
            }
        }
        let mut lacking = Vec::new();
        walk(&super::Cli::command(), "", &mut lacking);
        assert!(lacking.is_empty(), "no example in the help of: {lacking:?}");
    }
}
