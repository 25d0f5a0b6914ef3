//! `infra store pin` and `infra store unpin`

use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A path in the store, an object's name or digest, a dep or an environment of this project
    pub(crate) object: String,
    /// The pin's name; the object's name and version when not given
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let (name, object, before) =
        ops::objects::pin(&session.context, &args.object, args.name.as_deref())?;
    if args.json {
        session.printer.json(&json!({ "name": name, "object": object, "before": before }));
        return Ok(ExitCode::SUCCESS);
    }
    session.printer.note(&match before {
        Some(before) if before != object => format!("{name} keeps {object}, no longer {before}"),
        _ => format!("{name} keeps {object}"),
    });
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, clap::Args)]
pub(crate) struct UnpinArgs {
    /// The pin's name
    pub(crate) name: String,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn unpin(args: &UnpinArgs, session: &Session) -> Outcome {
    let object = ops::objects::unpin(&session.context, &args.name)?;
    if args.json {
        session.printer.json(&json!({ "name": args.name, "object": object }));
    } else {
        session.printer.note(&format!("{} keeps {object} no longer", args.name));
    }
    Ok(ExitCode::SUCCESS)
}
