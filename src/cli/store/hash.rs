//! `infra store hash`

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Outcome, Session};
use crate::nar;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file or directory
    pub(crate) path: PathBuf,
    /// SRI and Nix base-32 with the NAR's size, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let (hash, size) = nar::hash_path(&session.context.cwd().join(&args.path))?;
    if args.json {
        session.printer.json(&json!({
            "tree": hash,
            "tree_nix32": hash.nix32(),
            "nar_size": size,
        }));
    } else {
        session.printer.line(&hash.to_string());
    }
    Ok(ExitCode::SUCCESS)
}
