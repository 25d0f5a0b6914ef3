//! `infra store export`

use std::io::{self, BufWriter, IsTerminal as _};
use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An environment, built where needed, or an object; the one of `--env` unless given
    #[arg(value_name = "ENV|OBJECT")]
    pub(crate) name: Option<String>,
    /// Carry the project's dep.lock.json too
    #[arg(long)]
    pub(crate) lock: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let stdout = io::stdout();
    if stdout.is_terminal() {
        return Err(ops::Error::ToTerminal.into());
    }
    let env = session.context.settings().env.value.as_str();
    let name = args.name.as_deref().unwrap_or(env);
    let mut sink = BufWriter::with_capacity(1 << 18, stdout.lock());
    let objects = ops::bundle::export(&session.context, name, args.lock, &mut sink)?;
    session.printer.note(&format!("{} exported", super::count(objects, "object")));
    Ok(ExitCode::SUCCESS)
}
