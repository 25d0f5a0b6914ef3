//! Events of a stack as lines for people: states on stderr, services' own lines on stdout.

use std::collections::BTreeMap;

use crate::base::ServiceName;
use crate::supervise::status::{Cause, Event, State, StateChange};
use crate::ui::{Printer, Style};

/// Puts a service's name before each of its lines, aligned and in its own colour.
pub(crate) struct Prefix {
    by_service: BTreeMap<ServiceName, String>,
}

impl Prefix {
    /// For these services.
    pub(crate) fn new<'a>(style: Style, services: impl Iterator<Item = &'a ServiceName>) -> Self {
        let names: Vec<&ServiceName> = services.collect();
        let width = names.iter().map(|n| n.as_str().len()).max().unwrap_or(0);
        let by_service = names
            .iter()
            .enumerate()
            .map(|(n, name)| {
                let padded = format!("{name:width$}");
                ((*name).clone(), format!("{} │ ", style.service(n, &padded)))
            })
            .collect();
        Self { by_service }
    }

    /// Text of whole lines, each with the prefix.
    pub(crate) fn of(&self, service: &ServiceName, text: &str) -> String {
        let prefix = self.by_service.get(service).map_or("", String::as_str);
        let mut out = String::with_capacity(text.len() + 64);
        for line in text.lines() {
            out.push_str(prefix);
            out.push_str(line);
            out.push('\n');
        }
        out
    }
}

/// Shows events.
pub(crate) struct Lines {
    printer: Printer,
    prefix: Prefix,
}

impl Lines {
    /// For these services.
    pub(crate) fn new<'a>(
        printer: Printer,
        services: impl Iterator<Item = &'a ServiceName>,
    ) -> Self {
        let prefix = Prefix::new(printer.style(), services);
        Self { printer, prefix }
    }

    /// One event.
    pub(crate) fn show(&mut self, event: &Event) {
        let style = self.printer.err_style();
        match event {
            Event::Log { service, text } => {
                self.printer.data(&self.prefix.of(service, &own_lines(text)));
            }
            Event::State(change) => {
                if let Some(line) = state_line(change, style) {
                    self.printer.note(&line);
                }
            }
            Event::StackReady { at_ms } => {
                self.printer.note(&style.green(&format!("ready after {at_ms} ms")));
            }
            Event::StackFailed { service, reason } => {
                self.printer.warn(&format!("the required service `{service}` is down: {reason}"));
            }
            Event::StopWaits { service, pid, asked_ms, signal } => {
                let seconds = asked_ms / 1000;
                self.printer.note(&format!(
                    "waiting for {service} (pid {pid}, signal {signal}, {seconds} s)"
                ));
            }
            Event::Note { text } => self.printer.note(text),
            Event::Change(info) => {
                self.printer.note(&format!("generation {} from now on", info.generation));
            }
            Event::Upgraded(u) => self.printer.note(&super::upgrade::words(u)),
            Event::NotUpgraded(u) => self.printer.warn(&super::upgrade::words(u)),
            Event::Upgrading(_) => {}
            // Whoever asked was told, and the rest shows in the states.
            Event::Begin(_) | Event::End { .. } | Event::Asked { .. } => {}
            Event::Missed { count, service: Some(service) } => {
                let count = grouped(*count);
                self.printer
                    .note(&format!("… {count} lines of {service} dropped here; its log has them"));
            }
            Event::Missed { count, service: None } => {
                self.printer.note(&format!("{count} events not shown"));
            }
        }
    }
}

/// Only what the service wrote: its file has the times, and states are shown as they change.
fn own_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let mut parts = line.splitn(3, ' ');
        if let (Some(_time), Some("out" | "err"), rest) = (parts.next(), parts.next(), parts.next())
        {
            out.push_str(rest.unwrap_or_default());
            out.push('\n');
        }
    }
    out
}

/// A number with commas: 1,234.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (n, digit) in digits.chars().enumerate() {
        if n > 0 && (digits.len() - n).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn state_line(change: &StateChange, style: Style) -> Option<String> {
    let name = &change.service;
    let pid = change.pid.map(|p| format!(" (pid {p})")).unwrap_or_default();
    Some(match change.to {
        State::Ready if matches!(change.why, Cause::ReloadAsked | Cause::ReloadAfter(_)) => {
            format!("{} {name}: {}", style.green("reload  "), change.why)
        }
        State::Ready => format!("{} {name}{pid}", style.green("ready   ")),
        State::Starting if change.pid.is_some() => return None,
        State::Starting => format!("{} {name}", style.dim("starting")),
        // It ended by itself: only what it left is being stopped.
        State::Stopping if matches!(change.why, Cause::Exited(_)) => return None,
        State::Stopped if matches!(change.why, Cause::Exited(_)) => {
            format!("{} {name}: {}", style.yellow("ended   "), change.why)
        }
        State::Completed => format!("{} {name}: {}", style.green("ended   "), change.why),
        State::Scheduled => format!("{} {name}: {}", style.dim("waits   "), change.why),
        State::Stopping => format!("{} {name}{pid}", style.dim("stopping")),
        State::Stopped => format!("{} {name}", style.dim("stopped ")),
        State::Backoff => {
            let wait = change.retry_ms.unwrap_or(0);
            format!("{} {name}: {}; again in {wait} ms", style.yellow("ended   "), change.why)
        }
        State::Failed => format!("{} {name}: {}", style.red("failed  "), change.why),
        State::Blocked => format!("{} {name}: {}", style.red("blocked "), change.why),
        State::Waiting => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_have_commas() {
        assert_eq!(
            [0, 12, 123, 1234, 1_234_567].map(grouped),
            ["0", "12", "123", "1,234", "1,234,567"]
        );
    }
}
