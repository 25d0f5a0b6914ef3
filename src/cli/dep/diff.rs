//! `infra dep diff`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::dep_diff::markdown;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Branch, tag or commit to compare with
    #[arg(default_value = "HEAD")]
    pub(crate) revision: String,
    /// As a Markdown table, for a pull request
    #[arg(long, conflicts_with = "json")]
    pub(crate) markdown: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let lines = ops::dep_diff::diff(&session.context, &args.revision)?;
    if args.json {
        session.printer.json(&lines);
        return Ok(ExitCode::SUCCESS);
    }
    if lines.is_empty() {
        session.printer.note(&format!("dep.lock.json pins what {} pins", args.revision));
    } else if args.markdown {
        session.printer.data(&markdown(&lines));
    } else {
        let style = session.printer.style();
        for line in &lines {
            let words = if line.alarming { style.red(&line.words) } else { line.words.clone() };
            session.printer.line(&words);
        }
    }
    Ok(ExitCode::SUCCESS)
}
