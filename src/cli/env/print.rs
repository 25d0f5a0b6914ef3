//! `infra env print`

use std::process::ExitCode;

use crate::base::EnvName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The environment
    pub name: Option<EnvName>,
    /// Form to print: bash, zsh, fish, json, github or dotenv
    #[arg(long, default_value = "bash", value_name = "FORM")]
    pub shell: crate::env::shell::Form,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = super::chosen(args.name.as_ref(), session);
    session.printer.data(&ops::print::print(&session.context, &name, args.shell)?);
    Ok(ExitCode::SUCCESS)
}
