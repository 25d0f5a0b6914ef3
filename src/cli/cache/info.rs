//! `infra cache info`

use std::process::ExitCode;

use super::{Outcome, Session, bytes};
use crate::ops;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache; the configured one unless given
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let info = ops::cache::info(&session.context, args.url.as_deref())?;
    if args.json {
        session.printer.json(&info);
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["CACHE", ""]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("at", info.cache);
    row("paths of", info.store_dir);
    row("priority", info.priority.to_string());
    let unknown = || "it does not say".to_owned();
    row("objects", info.objects.map_or_else(unknown, |n| n.to_string()));
    row("archives", info.bytes.map_or_else(unknown, bytes));
    session.printer.data(&table.render(session.printer.style()));
    Ok(ExitCode::SUCCESS)
}
