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
    clap_complete::generate(args.shell, &mut Cli::command(), "infra", &mut script);
    printer.data(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
