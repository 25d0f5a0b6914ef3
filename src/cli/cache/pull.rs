//! `infra cache pull`

use std::process::ExitCode;

use super::{Outcome, Session, bytes, count};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Environments, whose deps are fetched, or objects; the one of `--env` unless given
    #[arg(value_name = "ENV|OBJECT")]
    pub(crate) names: Vec<String>,
    /// The cache; the configured one unless given
    #[arg(long, value_name = "URL")]
    pub(crate) from: Option<String>,
    /// Public key whose signatures count, beside those of the profiles; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) trusted_key: Vec<String>,
    /// Take an object that the lock does not have and nobody signed, when its name follows from
    /// its content
    #[arg(long)]
    pub(crate) unsigned: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let Args { names, from, trusted_key, unsigned, json } = args;
    let from = from.as_deref();
    let report = ops::cache::pull(&session.context, from, names, trusted_key, *unsigned)?;
    if *json {
        session.printer.json(&report);
        return Ok(ExitCode::SUCCESS);
    }
    for object in &report.pulled {
        session.printer.line(&object.to_string());
    }
    session.printer.note(&format!(
        "{} pulled ({}), {} were there",
        count(report.pulled.len(), "object"),
        bytes(report.bytes),
        report.present
    ));
    Ok(ExitCode::SUCCESS)
}
