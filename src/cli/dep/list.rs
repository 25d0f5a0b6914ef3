//! `infra dep list`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON, with hashes of every platform
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let deps = ops::list::list(&session.context)?;
    if args.json {
        session.printer.json(&deps);
        return Ok(ExitCode::SUCCESS);
    }
    let style = session.printer.style();
    let mut table = Table::new(&["DEP", "VERSION", "SOURCE", "STORE", "COMMANDS", "PLATFORMS"]);
    for dep in deps {
        let here = if dep.present { style.green("yes") } else { style.yellow("no") };
        let (pinned, all) = (dep.pinned_count(), dep.platforms.len());
        table.row([
            dep.name.to_string(),
            dep.version.to_string(),
            dep.source.to_string(),
            here,
            dep.commands.join(" "),
            format!("{pinned}/{all}"),
        ]);
    }
    session.printer.data(&table.render(style));
    Ok(ExitCode::SUCCESS)
}
