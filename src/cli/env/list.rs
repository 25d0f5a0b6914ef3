//! `infra env list`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Every generation, not only the current one
    #[arg(long)]
    pub(crate) generations: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let rows = ops::env_list::list(&session.context, args.generations)?;
    if args.json {
        session.printer.json(&rows);
        return Ok(ExitCode::SUCCESS);
    }
    let style = session.printer.style();
    let mut table = Table::new(&["ENVIRONMENT", "GENERATION", "STATE", "DIGEST", "BUILT"]);
    for row in rows {
        table.row([
            row.name.to_string(),
            row.generation.map(|g| g.to_string()).unwrap_or_else(|| "-".into()),
            if row.current { style.green("current") } else { row.state.to_owned() },
            row.digest.unwrap_or_else(|| "-".into()),
            row.built.unwrap_or_else(|| "-".into()),
        ]);
    }
    session.printer.data(&table.render(style));
    Ok(ExitCode::SUCCESS)
}
