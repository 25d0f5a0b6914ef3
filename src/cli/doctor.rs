//! `infra doctor`

use std::process::ExitCode;

use super::{Outcome, Session};
use crate::ops;
use crate::ops::doctor::Level;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  infra doctor\n  infra doctor --json")]
pub(crate) struct Args {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let findings = ops::doctor::examine(&session.context);
    let failed = findings.iter().any(|f| f.level == Level::Wrong);
    if args.json {
        session.printer.json(&findings);
    } else {
        let style = session.printer.style();
        for finding in &findings {
            let mark = match finding.level {
                Level::Good => style.green("ok   "),
                Level::Note => style.yellow("note "),
                Level::Wrong => style.red("wrong"),
            };
            session.printer.line(&format!("{mark}  {}: {}", finding.what, finding.found));
            if let Some(remedy) = &finding.remedy {
                session.printer.line(&format!("       {} {remedy}", style.cyan("hint:")));
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
