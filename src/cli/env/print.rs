//! `infra env print`

use std::process::ExitCode;

use crate::base::EnvName;
use crate::cli::{Outcome, Session};
use crate::env::activate::Format;
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The environment
    pub(crate) name: Option<EnvName>,
    /// Form to print: bash, zsh, fish, json, dotenv, github or github-path
    #[arg(long, default_value = "bash", value_name = "FORM", value_parser = form)]
    pub(crate) shell: Format,
}

fn form(text: &str) -> Result<Format, String> {
    let found = Format::ALL.into_iter().find(|(name, _)| *name == text);
    let names = || Format::ALL.map(|(name, _)| name).join(", ");
    found.map(|(_, format)| format).ok_or_else(|| format!("one of {}", names()))
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = super::chosen(args.name.as_ref(), session);
    session.printer.bytes(&ops::print::print(&session.context, &name, args.shell)?);
    Ok(ExitCode::SUCCESS)
}
