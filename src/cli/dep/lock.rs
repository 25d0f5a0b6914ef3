//! `infra dep lock`

use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail when profiles and lock disagree, and say how
    #[arg(long)]
    pub(crate) check: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    if args.check {
        ops::lock::check(&session.context)?;
        if args.json {
            session.printer.json(&json!({ "fresh": true }));
        } else {
            session.printer.note("dep.lock.json agrees with the profiles");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let changes = ops::lock::lock(&session.context)?;
    if args.json {
        let words: Vec<String> = changes.iter().map(ToString::to_string).collect();
        session.printer.json(&json!({ "changed": !changes.is_empty(), "changes": words }));
    } else {
        super::print_changes(&changes, session);
    }
    Ok(ExitCode::SUCCESS)
}
