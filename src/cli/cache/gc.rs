//! `infra cache gc`

use std::process::ExitCode;

use serde_json::json;

use super::{Outcome, Session, bytes, count};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The cache; the configured one unless given
    #[arg(long, value_name = "URL")]
    pub(crate) at: Option<String>,
    /// What stays: a lock file, an environment or an object; may be repeated
    #[arg(long, value_name = "LOCK|ENV|OBJECT")]
    pub(crate) keep: Vec<String>,
    /// Keep what was pushed less than this long ago, e.g. `12h`, `30d`
    #[arg(long, value_name = "TIME", default_value = "1d")]
    pub(crate) older_than: String,
    /// Show what would be removed and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let age = ops::gc::duration(&args.older_than)?;
    let at = args.at.as_deref();
    let plan = ops::cache::gc(&session.context, at, &args.keep, age, args.dry_run)?;
    if args.json {
        session.printer.json(&json!({
            "dry_run": args.dry_run,
            "objects": plan.objects,
            "files": plan.files,
            "kept": plan.kept,
            "freed_bytes": plan.bytes,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    for object in &plan.objects {
        session.printer.line(&object.to_string());
    }
    let verb = if args.dry_run { "would free" } else { "freed" };
    session.printer.note(&format!(
        "{verb} {}: {} and {}; {} stay",
        bytes(plan.bytes),
        count(plan.objects.len(), "object"),
        count(plan.files.len(), "archive"),
        count(plan.kept, "object"),
    ));
    Ok(ExitCode::SUCCESS)
}
