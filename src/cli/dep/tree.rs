//! `infra dep tree`

use std::process::ExitCode;

use crate::base::EnvName;
use crate::cli::store::bytes;
use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::tree::Dep;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Environments to show; all when none is named
    pub(crate) environments: Vec<EnvName>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let environments = ops::tree::tree(&session.context, &args.environments)?;
    if args.json {
        session.printer.json(&environments);
        return Ok(ExitCode::SUCCESS);
    }
    let style = session.printer.style();
    for environment in &environments {
        let (name, count) = (style.bold(environment.name.as_str()), environment.deps.len());
        let deps = if count == 1 { "1 dep".to_owned() } else { format!("{count} deps") };
        session.printer.line(&format!("{name}  {deps}, {} in the store", bytes(environment.bytes)));
        for (n, dep) in environment.deps.iter().enumerate() {
            let last = n + 1 == count;
            let (branch, stem) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            session.printer.line(&format!("{branch}{}", described(dep)));
            for (m, command) in dep.commands.iter().enumerate() {
                let branch = if m + 1 == dep.commands.len() { "└─ " } else { "├─ " };
                session.printer.line(&format!("{stem}{branch}{command}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn described(dep: &Dep) -> String {
    let version = dep.version.as_ref().map_or_else(|| "not locked".to_owned(), ToString::to_string);
    let size = match (&dep.unavailable, dep.bytes) {
        (Some(reason), _) => format!("not for this host: {reason}"),
        (None, Some(size)) => bytes(size),
        (None, None) => "not in the store".to_owned(),
    };
    format!("{} {version}  {}  {size}", dep.name, dep.source)
}
