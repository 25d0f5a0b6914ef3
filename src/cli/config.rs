//! `infra config print`

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;

use super::{Outcome, Session};
use crate::ops;
use crate::ui::Table;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Every setting, its value and where it comes from
    #[command(
        after_help = "Examples:\n  infra config print\n  INFRA_STORE=/srv/infra infra config print --json"
    )]
    Print(PrintArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct PrintArgs {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(command: Command, session: &Session) -> Outcome {
    let Command::Print(args) = command;
    let rows = ops::config::rows(&session.context);
    if args.json {
        let settings: Vec<_> = rows
            .iter()
            .map(|r| json!({ "name": r.name, "value": r.value, "origin": r.origin }))
            .collect();
        session.printer.json(&settings);
    } else {
        let mut table = Table::new(&["SETTING", "VALUE", "ORIGIN"]);
        for row in rows {
            table.row([row.name, row.value, row.origin]);
        }
        session.printer.data(&table.render(session.printer.style()));
    }
    Ok(ExitCode::SUCCESS)
}
