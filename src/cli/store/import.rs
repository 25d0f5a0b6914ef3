//! `infra store import`

use std::io::{self, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write the lock that the file carries to this file; one with other content stays
    #[arg(long, value_name = "FILE")]
    pub(crate) lock_to: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let mut source = BufReader::with_capacity(1 << 18, io::stdin().lock());
    let lock_to = args.lock_to.as_deref();
    let imported = ops::bundle::import(&session.context, lock_to, &mut source)?;
    let main = imported.bundle.main.as_ref();
    let shown = match main {
        Some(main) => imported.objects.iter().filter(|o| o.name() == main).collect::<Vec<_>>(),
        None => imported.objects.iter().collect(),
    };
    if args.json {
        let objects: Vec<_> = imported.objects.iter().map(|o| o.name().to_string()).collect();
        session.printer.json(&json!({
            "main": main,
            "paths": shown.iter().map(|o| o.path()).collect::<Vec<_>>(),
            "objects": objects,
            "added": imported.added,
            "lock": imported.bundle.lock.is_some(),
        }));
        return Ok(ExitCode::SUCCESS);
    }
    for object in shown {
        session.printer.line(&object.path().display().to_string());
    }
    session.printer.note(&format!(
        "{} in the file, {} added",
        super::count(imported.objects.len(), "object"),
        imported.added
    ));
    Ok(ExitCode::SUCCESS)
}
