//! `infra dep lock`

use std::process::ExitCode;

use serde_json::json;

use crate::base::DepName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Change nothing; fail when profiles and lock disagree, and say how
    #[arg(long)]
    pub(crate) check: bool,
    /// Resolve a lock with conflict markers: only what both sides changed is locked anew
    #[arg(long, conflicts_with = "check")]
    pub(crate) merge: bool,
    /// Accept that these deps (all when none is named) lose proof or are signed by somebody else
    #[arg(long, value_name = "NAME", num_args = 0.., conflicts_with_all = ["check", "merge"])]
    pub(crate) accept_signer: Option<Vec<DepName>>,
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
    if args.merge {
        return merge(args, session);
    }
    let accept = super::accept(args.accept_signer.as_ref());
    let changes = ops::lock::accepting(&session.context, accept)?;
    if args.json {
        let words: Vec<String> = changes.iter().map(ToString::to_string).collect();
        session.printer.json(&json!({ "changed": !changes.is_empty(), "changes": words }));
    } else {
        super::print_changes(&changes, session);
    }
    Ok(ExitCode::SUCCESS)
}

fn merge(args: &Args, session: &Session) -> Outcome {
    let report = ops::lock_merge::merge(&session.context)?;
    if args.json {
        session.printer.json(&report.shown());
        return Ok(ExitCode::SUCCESS);
    }
    super::print_changes(&report.changes, session);
    if !report.conflicted {
        session.printer.note("dep.lock.json had no conflict");
        return Ok(ExitCode::SUCCESS);
    }
    let names: Vec<_> = report.resolved.iter().map(ToString::to_string).collect();
    if names.is_empty() {
        session.printer.note("the two sides fit together; nothing was asked of a source");
    } else {
        session.printer.note(&format!("locked anew: {}", names.join(", ")));
    }
    session.printer.note("review it, then `git add dep.lock.json`");
    Ok(ExitCode::SUCCESS)
}
