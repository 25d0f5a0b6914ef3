//! `infra runtime status`

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::sandbox::Report;
use crate::supervise::status::{StackStatus, State};
use crate::ui::{Style, Table};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let Some((status, current)) = ops::run::status(&session.context, name)? else {
        if args.json {
            session.printer.json(&json!({ "env": name, "running": false }));
        } else {
            session.printer.note(&format!("nothing is running for {name}"));
        }
        return Ok(ExitCode::FAILURE);
    };
    if args.json {
        let mut value = json!(status);
        value["running"] = json!(true);
        value["down"] = json!(status.down());
        value["current_generation"] = json!(current);
        session.printer.json(&value);
        return Ok(verdict(&status));
    }
    session.printer.note(&format!(
        "{name}: generation {}, {}, up {} (supervisor pid {})",
        status.generation,
        status.digest,
        age(status.uptime_ms),
        status.supervisor
    ));
    if let Some(current) = current.filter(|c| *c != status.generation) {
        session.printer.note(&format!(
            "running generation {}, current is {current}; `infra runtime restart --changed` switches to it",
            status.generation
        ));
    }
    if let Some(upgrade) = &status.upgrade {
        session.printer.note(&super::upgrade::words(upgrade));
    }
    session.printer.data(&table(&status, session.printer.style()));
    for line in sandboxes(&status) {
        session.printer.note(&line);
    }
    Ok(verdict(&status))
}

/// `exec full`; the reasons stand below the table.
fn sandbox(report: Option<&Report>) -> String {
    report.map_or_else(|| "-".to_owned(), |report| format!("{} {}", report.level, report.grade))
}

/// Why sandboxes are not full, and what is limited: services of which the same is said share a line.
fn sandboxes(status: &StackStatus) -> Vec<String> {
    let mut lines: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for service in &status.services {
        let Some(report) = &service.sandbox else { continue };
        if !report.why.is_empty() {
            lines.entry(format!("sandbox {report}")).or_default().push(service.name.as_str());
        }
        for limit in &report.limits {
            lines.entry(format!("limit {limit}")).or_default().push(service.name.as_str());
        }
    }
    lines.into_iter().map(|(line, names)| format!("{}: {line}", names.join(", "))).collect()
}

/// Success unless a required service is down.
pub(super) fn verdict(status: &StackStatus) -> ExitCode {
    if status.down().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The status after something was done, for people or programs.
pub(super) fn show(status: &StackStatus, json: bool, session: &Session) {
    if json {
        session.printer.json(status);
    } else {
        session.printer.data(&table(status, session.printer.style()));
    }
}

/// The services of a running stack.
fn table(status: &StackStatus, style: Style) -> String {
    let mut table = Table::new(&[
        "SERVICE", "STATE", "PID", "FOR", "RESTARTS", "CPU", "MEMORY", "PORTS", "SANDBOX", "NOTE",
    ]);
    for service in &status.services {
        let word = service.state.as_str();
        let state = match service.state {
            State::Ready => style.green(word),
            State::Failed | State::Blocked => style.red(word),
            _ if service.is_up() => style.green(word),
            _ => style.yellow(word),
        };
        let ports: Vec<String> = service.ports.iter().map(|(n, p)| format!("{n}={p}")).collect();
        let note = match service.state {
            State::Ready => service.ready_ms.map(|ms| format!("ready in {ms} ms")),
            State::Waiting => {
                let names: Vec<&str> = service.waits_for.iter().map(|s| s.as_str()).collect();
                Some(format!("for {}", names.join(", ")))
            }
            _ => Some(service.why.to_string()),
        };
        table.row([
            service.name.to_string(),
            state,
            service.pid.map_or_else(|| "-".to_owned(), |p| p.to_string()),
            age(service.since_ms),
            service.restarts.to_string(),
            service.usage.map_or_else(|| "-".to_owned(), |u| processor(u.cpu_ms)),
            service.usage.map_or_else(|| "-".to_owned(), |u| memory(u.rss_bytes)),
            ports.join(" "),
            sandbox(service.sandbox.as_ref()),
            note.unwrap_or_default(),
        ]);
    }
    table.render(style)
}

/// Processor time for people.
fn processor(ms: u64) -> String {
    match ms {
        0..=59_999 => format!("{}.{:02} s", ms / 1000, ms % 1000 / 10),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// Memory for people.
fn memory(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}

/// A length of time for people.
fn age(ms: u64) -> String {
    match ms / 1000 {
        0 => format!("{ms} ms"),
        s @ 1..=59 => format!("{s} s"),
        s @ 60..=3599 => format!("{} min {} s", s / 60, s % 60),
        s @ 3600..=86_399 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        s => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
}
