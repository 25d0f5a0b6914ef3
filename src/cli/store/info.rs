//! `infra store info`

use std::process::ExitCode;

use serde_json::json;

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
    let info = ops::gc::info(&session.context)?;
    if args.json {
        session.printer.json(&json!({
            "store": info.root,
            "artifact_cache": info.artifacts_root,
            "objects": info.objects,
            "object_bytes": info.object_bytes,
            "damaged_registrations": info.damaged_registrations,
            "artifacts": info.artifacts,
            "artifact_bytes": info.artifact_bytes,
            "link_roots": info.link_roots,
            "pins": info.pins,
            "process_roots": info.process_roots,
            "free_bytes": info.free,
            "total_bytes": info.total,
            "writable": info.writable,
        }));
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new(&["STORE", ""]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("directory", info.root.display().to_string());
    row("objects", format!("{}, {}", info.objects, super::bytes(info.object_bytes)));
    row("artifacts", format!("{}, {}", info.artifacts, super::bytes(info.artifact_bytes)));
    let (links, pins, running) = (info.link_roots, info.pins, info.process_roots);
    row("roots", format!("{links} links, {pins} pins, {running} running"));
    row("free", super::bytes(info.free));
    row("writable", if info.writable { "yes" } else { "no" }.to_owned());
    session.printer.data(&table.render(session.printer.style()));
    Ok(ExitCode::SUCCESS)
}
