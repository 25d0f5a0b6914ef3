//! `infra runtime list`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let services = ops::run::list(&session.context, name)?;
    if args.json {
        session.printer.json(&services);
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["SERVICE", "STATE", "REQUIRED", "AFTER", "PORTS", "COMMAND"]);
    for service in services {
        table.row([
            service.name.to_string(),
            service.state,
            if service.required { "yes" } else { "no" }.to_owned(),
            service.after.join(" "),
            service.ports.join(" "),
            service.command.split(' ').take(2).collect::<Vec<_>>().join(" "),
        ]);
    }
    session.printer.data(&table.render(session.printer.style()));
    Ok(ExitCode::SUCCESS)
}
