//! `infra dep audit`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// OSV data: a JSON or zip file, a directory of them, or a URL of one; may be repeated
    #[arg(long, value_name = "FILE|DIR|URL", required = true)]
    pub(crate) osv: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let report = ops::audit::audit(&session.context, &args.osv)?;
    let code = if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if args.json {
        session.printer.json(&report);
        return Ok(code);
    }
    let style = session.printer.style();
    for finding in &report.findings {
        let mut names = vec![style.red(&finding.id)];
        names.extend(finding.aliases.iter().cloned());
        let summary = finding.summary.as_deref().unwrap_or("no summary");
        session.printer.line(&format!(
            "{} {}  {}  {summary}",
            finding.name,
            finding.version,
            names.join(" ")
        ));
        match &finding.fixed {
            Some(fixed) => session.printer.line(&format!("  fixed in {fixed}")),
            None => session.printer.line("  no later version is said to fix it"),
        }
    }
    session.printer.note(&format!(
        "{} findings: {} deps against {} records",
        report.findings.len(),
        report.deps,
        report.records
    ));
    if !report.unnamed.is_empty() {
        let names: Vec<_> = report.unnamed.iter().map(ToString::to_string).collect();
        session.printer.note(&format!(
            "not looked up, since their source gives them no public name: {}",
            names.join(", ")
        ));
    }
    Ok(code)
}
