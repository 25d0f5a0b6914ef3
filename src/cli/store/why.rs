//! `infra store why`

use std::process::ExitCode;

use serde_json::json;

use super::roots::{described, value};
use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A path in the store, an object's name or digest, a dep or an environment of this project
    pub(crate) object: String,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let (object, kept) = ops::objects::why(&session.context, &args.object)?;
    if args.json {
        let roots: Vec<_> = kept
            .iter()
            .map(|k| {
                let chain: Vec<_> = k.chain.iter().map(ToString::to_string).collect();
                json!({ "root": value(&k.root), "chain": chain })
            })
            .collect();
        session.printer.json(&json!({ "object": object, "kept_by": roots }));
        return Ok(ExitCode::SUCCESS);
    }
    session.printer.line(&object.to_string());
    for k in &kept {
        session.printer.line(&format!("  {}", described(&k.root)));
        for (depth, link) in k.chain.iter().enumerate() {
            session.printer.line(&format!("  {}└ {link}", "  ".repeat(depth + 1)));
        }
    }
    if kept.is_empty() {
        session.printer.note("nothing keeps it: the next `infra store gc` removes it");
    }
    Ok(ExitCode::SUCCESS)
}
