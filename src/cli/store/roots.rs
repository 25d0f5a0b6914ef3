//! `infra store roots`

use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::store::{Root, RootKind};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let roots = ops::objects::roots(&session.context)?;
    if args.json {
        let roots: Vec<_> = roots.iter().map(value).collect();
        session.printer.json(&roots);
        return Ok(ExitCode::SUCCESS);
    }
    for root in &roots {
        session.printer.line(&described(root));
        for object in &root.objects {
            session.printer.line(&format!("  {object}"));
        }
    }
    if roots.is_empty() {
        session.printer.note("nothing keeps anything in this store");
    }
    Ok(ExitCode::SUCCESS)
}

/// What a root is, in a line.
pub(super) fn described(root: &Root) -> String {
    match &root.kind {
        RootKind::Pin(name) => format!("pin {name}"),
        RootKind::Process { pid, purpose, .. } => format!("process {pid}: {purpose}"),
        RootKind::Link(link) => match ops::objects::project_of(link) {
            Some((project, what)) => format!("{} {what}", project.display()),
            None => format!("link {}", link.display()),
        },
    }
}

/// A root for scripts.
pub(super) fn value(root: &Root) -> serde_json::Value {
    let objects = &root.objects;
    match &root.kind {
        RootKind::Pin(name) => json!({ "kind": "pin", "name": name, "objects": objects }),
        RootKind::Process { pid, since, purpose } => json!({
            "kind": "process", "pid": pid, "since": since, "purpose": purpose, "objects": objects,
        }),
        RootKind::Link(link) => json!({ "kind": "link", "link": link, "objects": objects }),
    }
}
