//! `infra dep audit`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::ops::purity::State;
use crate::ui::Table;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// OSV data: a JSON or zip file, a directory of them, or a URL of one; may be repeated
    #[arg(long, value_name = "FILE|DIR|URL", required_unless_present = "purity")]
    pub(crate) osv: Vec<String>,
    /// Show which deps are closed and which lean on the host, for every platform of the lock
    #[arg(long, conflicts_with = "osv")]
    pub(crate) purity: bool,
    /// With --purity: exit 1 when any row leans on the host
    #[arg(long, requires = "purity")]
    pub(crate) strict: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    if args.purity {
        return purity(args, session);
    }
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
        if let Some(severity) = &finding.severity {
            session.printer.line(&format!("  severity {severity}"));
        }
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

fn purity(args: &Args, session: &Session) -> Outcome {
    let rows = ops::purity::purity(&session.context)?;
    let leaning = rows.iter().filter(|row| matches!(row.state, State::Leans { .. })).count();
    let code = if args.strict && leaning > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS };
    if args.json {
        session.printer.json(&rows);
        return Ok(code);
    }
    let style = session.printer.style();
    let mut table = Table::new(&["DEP", "VERSION", "PLATFORM", "LEANS ON"]);
    for row in &rows {
        let words = match &row.state {
            State::Closed => style.green("closed"),
            State::Leans { libc, interpreter, libraries, programs } => {
                // The loader belongs to the C library, unless there is none that is known.
                let loader = interpreter.iter().filter(|_| libc.is_none());
                let all = libc.iter().chain(loader).chain(libraries).chain(programs);
                style.yellow(&all.map(String::as_str).collect::<Vec<_>>().join(", "))
            }
            State::Unavailable { reason } => format!("unavailable: {reason}"),
        };
        table.row([row.name.to_string(), row.version.to_string(), row.platform.to_string(), words]);
    }
    session.printer.data(&table.render(style));
    let closed = rows.iter().filter(|row| row.state == State::Closed).count();
    session.printer.note(&format!(
        "{closed} closed, {leaning} lean on their host, {} unavailable",
        rows.len() - closed - leaning
    ));
    Ok(code)
}
