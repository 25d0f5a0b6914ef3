//! `infra completion SHELL`

use std::process::ExitCode;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Outcome;
use super::args::Cli;
use crate::ui::Printer;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  infra completion bash > ~/.local/share/bash-completion/completions/infra"
)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

pub(super) fn run(args: &Args, printer: &Printer) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut visible(&Cli::command()), "infra", &mut script);
    printer.data(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}

/// The tree without what is hidden: some shells' generators would offer it.
fn visible(command: &clap::Command) -> clap::Command {
    // Names live as long as the program, which ends when the script is printed.
    let name: &'static str = command.get_name().to_owned().leak();
    let shown = command.get_subcommands().filter(|sub| !sub.is_hide_set()).map(visible);
    clap::Command::new(name)
        .about(command.get_about().cloned().unwrap_or_default())
        .disable_help_subcommand(true)
        .args(command.get_arguments().cloned())
        .subcommands(shown)
}
