//! `infra cache verify`

use std::process::ExitCode;

use super::{Outcome, Session, bytes, count};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Environments or objects, with all they refer to; everything unless given
    #[arg(value_name = "ENV|OBJECT")]
    pub(crate) names: Vec<String>,
    /// The cache; the configured one unless given
    #[arg(long, value_name = "URL")]
    pub(crate) at: Option<String>,
    /// Public key to check signatures with, beside those of the profiles; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) trusted_key: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let Args { names, at, trusted_key, json } = args;
    let report = ops::cache::verify(&session.context, at.as_deref(), names, trusted_key)?;
    if *json {
        session.printer.json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    session.printer.note(&format!(
        "{} as they should be ({}), {} signed by a known key, {} no object names",
        count(report.objects, "object"),
        bytes(report.nar_bytes),
        report.signed,
        count(report.unnamed, "file"),
    ));
    Ok(ExitCode::SUCCESS)
}
