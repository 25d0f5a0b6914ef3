//! `infra runtime why`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::supervise::journal::Why;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The service
    pub(crate) service: String,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let why = ops::events::why(&session.context, name, &args.service)?;
    if args.json {
        session.printer.json(&why);
    } else {
        let mut out = String::new();
        write(&why, 0, &mut out);
        session.printer.data(&out);
    }
    Ok(ExitCode::SUCCESS)
}

/// The answer, and under it those for what the service waits for.
fn write(why: &Why, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    // What holds for the whole stack is said once.
    let skip = usize::from(depth > 0 && !why.running);
    for line in why.because.iter().skip(skip) {
        out.push_str(&format!("{indent}{line}\n"));
    }
    if !why.log.is_empty() {
        out.push_str(&format!("{indent}last lines of its log:\n"));
        for line in &why.log {
            out.push_str(&format!("{indent}  {line}\n"));
        }
    }
    for other in &why.waits_for {
        write(other, depth + 1, out);
    }
}
