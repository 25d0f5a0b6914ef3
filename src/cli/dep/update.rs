//! `infra dep update`

use std::process::ExitCode;

use serde_json::json;

use crate::base::DepName;
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Deps to move; all when none is named
    pub(crate) names: Vec<DepName>,
    /// Raise requirements in the profiles where the newest version is beyond them
    #[arg(long)]
    pub(crate) major: bool,
    /// Accept that these deps (all when none is named) lose proof or are signed by somebody else
    #[arg(long, value_name = "NAME", num_args = 0..)]
    pub(crate) accept_signer: Option<Vec<DepName>>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let accept = super::accept(args.accept_signer.as_ref());
    let (raised, changes) = if args.major {
        let report = ops::update_major::update(&session.context, &args.names, accept)?;
        (report.raised, report.changes)
    } else {
        (Vec::new(), ops::lock::update(&session.context, &args.names, accept)?)
    };
    if args.json {
        let words: Vec<String> = changes.iter().map(ToString::to_string).collect();
        session
            .printer
            .json(&json!({ "raised": raised, "changed": !changes.is_empty(), "changes": words }));
        return Ok(ExitCode::SUCCESS);
    }
    for one in &raised {
        let files: Vec<_> = one
            .files
            .iter()
            .map(|f| f.strip_prefix(session.context.project()).unwrap_or(f).display().to_string())
            .collect();
        session.printer.line(&format!(
            "~ {} accepts {} instead of {} ({})",
            one.name,
            one.to,
            one.from,
            files.join(", ")
        ));
    }
    super::print_changes(&changes, session);
    Ok(ExitCode::SUCCESS)
}
