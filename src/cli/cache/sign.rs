//! `infra cache sign`

use std::path::PathBuf;
use std::process::ExitCode;

use super::{Outcome, Session, count};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Environments or objects; everything unless given
    #[arg(value_name = "ENV|OBJECT")]
    pub(crate) names: Vec<String>,
    /// The cache; the configured one unless given
    #[arg(long, value_name = "URL")]
    pub(crate) at: Option<String>,
    /// File with the secret key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let report = ops::cache::sign(&session.context, args.at.as_deref(), &args.names, &args.key)?;
    if args.json {
        session.printer.json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    for object in &report.signed {
        session.printer.line(&object.to_string());
    }
    let signed = count(report.signed.len(), "object");
    session.printer.note(&format!("{signed} signed, {} were", report.present));
    Ok(ExitCode::SUCCESS)
}
