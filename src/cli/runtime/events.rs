//! `infra runtime events`

use std::process::ExitCode;

use crate::cli::{Outcome, Session};
use crate::ops;
use crate::supervise::status::{Event, Record, State, StateChange};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Go on with what happens until Ctrl-C or until the stack stops
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// From this time on, or from so long ago (`10m`); what the journal has unless given, and only
    /// what is new with --follow
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    pub(crate) json: bool,
}

pub(super) fn run(args: &Args, session: &Session) -> Outcome {
    let name = &session.context.settings().env.value;
    let printer = &session.printer;
    let show = |record: &Record| {
        if args.json {
            printer.line(&serde_json::to_string(record).unwrap_or_default());
        } else {
            printer.line(&format!("{} {:5} {}", record.at, record.seq, words(&record.event)));
        }
    };
    ops::events::events(&session.context, name, args.since.as_deref(), args.follow, show)?;
    Ok(ExitCode::SUCCESS)
}

/// One event in one line.
fn words(event: &Event) -> String {
    match event {
        Event::Begin(info) => format!(
            "supervisor (pid {}) begins with generation {} of {}, {}",
            info.supervisor, info.generation, info.env, info.digest
        ),
        Event::Change(info) => {
            format!("generation {} from now on, {}", info.generation, info.digest)
        }
        Event::End { asked: true } => "supervisor ended, as it was told".to_owned(),
        Event::End { asked: false } => "supervisor ended: nothing was left to run".to_owned(),
        Event::Asked { action, services, by } => {
            let who = by.map_or_else(|| "somebody".to_owned(), |pid| format!("pid {pid}"));
            let what: Vec<&str> = services.iter().map(|n| n.as_str()).collect();
            format!("{who} asks: {} {}", action.as_str(), what.join(" ")).trim_end().to_owned()
        }
        Event::Upgrading(u) | Event::Upgraded(u) | Event::NotUpgraded(u) => {
            super::upgrade::words(u)
        }
        Event::State(change) => state(change),
        Event::StackReady { at_ms } => format!("stack ready after {at_ms} ms"),
        Event::StackFailed { service, reason } => format!(
            "required service {service} is down: {}",
            reason.lines().next().unwrap_or_default()
        ),
        Event::StopWaits { service, pid, asked_ms, signal } => {
            format!("waiting for {service} (pid {pid}, signal {signal}, {asked_ms} ms)")
        }
        Event::Note { text } => text.clone(),
        Event::Log { service, text } => format!("{service}: {}", text.trim_end()),
        Event::Missed { count, .. } => format!("{count} events missing here"),
    }
}

fn state(change: &StateChange) -> String {
    let StateChange { service, from, to, why, pid, retry_ms, start, exit, ready_ms, .. } = change;
    let mut text = format!("{service}: {from} → {to} ({why}");
    if let Some(exit) = exit.filter(|e| !why.to_string().contains(&e.to_string())) {
        text += &format!(", {exit}");
    }
    if let Some(pid) = pid.filter(|_| *to != State::Stopped) {
        text += &format!(", pid {pid}");
    }
    if let Some(ms) = ready_ms {
        text += &format!(", after {ms} ms");
    }
    if let Some(ms) = retry_ms {
        text += &format!(", again in {ms} ms");
    }
    if !change.waits_for.is_empty() {
        let names: Vec<&str> = change.waits_for.iter().map(|n| n.as_str()).collect();
        text += &format!(", for {}", names.join(", "));
    }
    if *start > 0 {
        text += &format!(", start {start}");
    }
    text + ")"
}
