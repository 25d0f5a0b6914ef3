//! `infra import`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Outcome, Session};
use crate::base::EnvName;
use crate::ops;
use crate::ops::import::Request;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  infra import mise.toml mise.lock            show what would be added\n  infra import --write .tool-versions aqua.yaml\n  infra import --write --profile dev bin/buck2   a DotSlash file"
)]
pub(crate) struct Args {
    /// mise.toml, mise.lock, .tool-versions, aqua.yaml, devbox.json, multitool.lock.json,
    /// dep.json or DotSlash files
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Add what maps to the profile, lock it and compare the hashes that the files give
    #[arg(long)]
    pub(crate) write: bool,
    /// Profile that gets the deps
    #[arg(long, default_value = "base", value_name = "NAME")]
    pub(crate) profile: EnvName,
    /// Only edit the profile; hashes are not compared
    #[arg(long, requires = "write")]
    pub(crate) no_lock: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let request = Request {
        files: args.files.clone(),
        profile: args.profile.clone(),
        write: args.write,
        lock: !args.no_lock,
    };
    let report = ops::import::import(&session.context, &request)?;
    if args.json {
        session.printer.json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    let printer = &session.printer;
    for dep in &report.mapped {
        printer.line(&dep.line);
        for note in &dep.notes {
            printer.note(&format!("  {}: {note}", dep.name));
        }
    }
    if !report.left.is_empty() {
        printer.line("");
    }
    for left in &report.left {
        printer.line(&format!("# not imported: {}: {}", left.said, left.reason));
    }
    let hashes: usize = report.mapped.iter().map(|m| m.hashes).sum();
    printer.note(&format!(
        "{} map, {} do not; {hashes} hashes came with them",
        report.mapped.len(),
        report.left.len()
    ));
    match &report.written {
        Some(path) => {
            let path = path.strip_prefix(session.context.project()).unwrap_or(path);
            printer.note(&format!("added to {}", path.display()));
            if args.no_lock {
                printer.note("not locked, so no hash was compared; run `infra dep lock`");
            } else {
                printer.note(&format!("{} hashes are those that were locked", report.compared));
            }
            for what in &report.not_compared {
                printer.warn(&format!("the lock has no file to compare with: {what}"));
            }
        }
        None if !args.write && !report.mapped.is_empty() => {
            printer.note("nothing was written; `--write` adds it to the profile");
        }
        None => {}
    }
    Ok(ExitCode::SUCCESS)
}
