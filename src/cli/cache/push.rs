//! `infra cache push`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Outcome, Session, bytes, count};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Environments, built where needed, or objects; the one of `--env` unless given
    #[arg(value_name = "ENV|OBJECT")]
    pub(crate) names: Vec<String>,
    /// The cache; the configured one unless given
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
    /// File with the secret key to sign with
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let (to, key) = (args.to.as_deref(), args.key.as_deref());
    let report = ops::cache::push(&session.context, to, &args.names, key)?;
    if args.json {
        session.printer.json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    for object in &report.pushed {
        session.printer.line(&object.to_string());
    }
    session.printer.note(&format!(
        "{} pushed ({} packed, {} unpacked), {} were there",
        count(report.pushed.len(), "object"),
        bytes(report.bytes),
        bytes(report.nar_bytes),
        report.present
    ));
    Ok(ExitCode::SUCCESS)
}
