//! `infra cache init`

use std::process::ExitCode;

use serde_json::json;

use super::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Path, file://, http(s):// or s3:// URL; the configured cache unless given
    #[arg(value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Lower is asked first, by Nix
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) priority: u32,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let (cache, made) = ops::cache::init(&session.context, args.url.as_deref(), args.priority)?;
    if args.json {
        session.printer.json(&json!({ "cache": cache, "made": made }));
    } else if made {
        session.printer.note(&format!("`{cache}` is a binary cache now"));
    } else {
        session.printer.note(&format!("`{cache}` is a binary cache already"));
    }
    Ok(ExitCode::SUCCESS)
}
