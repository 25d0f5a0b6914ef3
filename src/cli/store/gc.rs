//! `infra store gc`

use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::store::GcOptions;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show what would be removed and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Keep what was added less than this long ago, e.g. `12h`, `30d`
    #[arg(long, value_name = "TIME")]
    pub(crate) older_than: Option<String>,
    /// Remove only as much as brings the store under this size, e.g. `20G`
    #[arg(long, value_name = "SIZE")]
    pub(crate) max_size: Option<String>,
    /// Forget all but so many generations of each environment of every project, and the current
    #[arg(long, value_name = "N")]
    pub(crate) keep_generations: Option<usize>,
    /// Remove downloaded artifacts too
    #[arg(long)]
    pub(crate) artifacts: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let options = GcOptions {
        dry_run: args.dry_run,
        older_than: args.older_than.as_deref().map(ops::gc::duration).transpose()?,
        max_size: args.max_size.as_deref().map(ops::gc::size).transpose()?,
        artifacts: args.artifacts,
        ..GcOptions::default()
    };
    let request = ops::gc::Request { store: options, keep_generations: args.keep_generations };
    let collected = ops::gc::gc(&session.context, &request)?;
    let (report, generations) = (collected.store, collected.generations);
    let name = |o: &crate::store::GcObject| {
        o.object.as_ref().map_or_else(|| o.digest.to_string(), ToString::to_string)
    };
    if args.json {
        let objects: Vec<_> =
            report.objects.iter().map(|o| json!({ "object": name(o), "bytes": o.bytes })).collect();
        let artifacts: Vec<_> =
            report.artifacts.iter().map(|a| json!({ "path": a.path, "bytes": a.bytes })).collect();
        session.printer.json(&json!({
            "dry_run": report.dry_run,
            "objects": objects,
            "artifacts": artifacts,
            "generations": generations,
            "leftovers": report.leftovers,
            "roots": report.roots,
            "kept": report.kept,
            "freed_bytes": report.freed,
            "remaining_bytes": report.remaining,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    for link in &generations {
        session.printer.line(&link.display().to_string());
    }
    for object in &report.objects {
        session.printer.line(&name(object));
    }
    for artifact in &report.artifacts {
        session.printer.line(&artifact.path.display().to_string());
    }
    let verb = if report.dry_run { "would free" } else { "freed" };
    session.printer.note(&format!(
        "{verb} {}: {} and {}; {} stay",
        super::bytes(report.freed),
        super::count(report.objects.len(), "object"),
        super::count(report.artifacts.len(), "artifact"),
        super::count(report.kept, "object"),
    ));
    Ok(ExitCode::SUCCESS)
}
