//! What the screen knows, and what keys and events make of it. Draws nothing, waits for nothing.

use std::collections::BTreeMap;

use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::keys::{self, Wish};
use super::logs::Pane;
use super::{Command, Face, Message};
use crate::base::ServiceName;
use crate::supervise::status::{Event, ServiceStatus, StackStatus, State};

#[derive(Debug)]
pub(super) struct Model {
    pub(super) face: Face,
    pub(super) status: Option<StackStatus>,
    pub(super) pane: Pane,
    /// The last thing worth a line.
    pub(super) note: Option<String>,
    /// The filter's text while it is typed.
    pub(super) typing: bool,
    pub(super) help: bool,
    pub(super) wrap: bool,
    /// Whether the end was asked.
    pub(super) ending: bool,
    /// How many lines a page has; told by the last picture.
    pub(super) page: usize,
    selected: usize,
    /// Processor time in tenths of a percent of one processor, since the status before.
    load: BTreeMap<ServiceName, u64>,
}

impl Model {
    pub(super) fn new(face: Face) -> Self {
        Self {
            face,
            status: None,
            pane: Pane::default(),
            note: None,
            typing: false,
            help: false,
            wrap: false,
            ending: false,
            page: 10,
            selected: 0,
            load: BTreeMap::new(),
        }
    }

    /// Takes one message; gives what somebody wants done about it.
    pub(super) fn take(&mut self, message: Message) -> Option<Command> {
        match message {
            Message::Event(event) => self.hear(event),
            Message::Status(status) => self.see(*status),
            Message::Answer(Ok(text)) => self.note = Some(text),
            Message::Answer(Err(text)) => self.note = Some(format!("not done: {text}")),
            Message::Input(Input::Key(key)) => return self.press(key),
            Message::Input(_) | Message::Pause(_) | Message::End => {}
        }
        None
    }

    pub(super) fn services(&self) -> &[ServiceStatus] {
        self.status.as_ref().map_or(&[], |status| &status.services)
    }

    /// The selected row.
    pub(super) fn selected(&self) -> Option<usize> {
        (!self.services().is_empty()).then(|| self.selected.min(self.services().len() - 1))
    }

    /// How busy a service is, in tenths of a percent of one processor.
    pub(super) fn load_of(&self, name: &ServiceName) -> Option<u64> {
        self.load.get(name).copied()
    }

    fn chosen(&self) -> Option<&ServiceStatus> {
        self.services().get(self.selected()?)
    }

    fn see(&mut self, status: StackStatus) {
        // The selection stays on its service when others come or go.
        let name = self.chosen().map(|service| service.name.clone());
        if let Some(at) = name.and_then(|n| status.services.iter().position(|s| s.name == n)) {
            self.selected = at;
        }
        if let Some(before) = &self.status {
            self.load = load(before, &status);
        }
        self.ending |= status.stopping;
        self.status = Some(status);
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Log { service, text } => self.pane.push(&service, &text),
            Event::State(change) => {
                let row = self.status.as_mut().and_then(|status| {
                    status.services.iter_mut().find(|s| s.name == change.service)
                });
                if let Some(row) = row {
                    (row.state, row.why, row.pid) = (change.to, change.why.clone(), change.pid);
                    row.retry_ms = change.retry_ms;
                    row.since_ms = 0;
                }
                if matches!(change.to, State::Backoff | State::Failed | State::Blocked) {
                    self.note =
                        Some(format!("{} is {}: {}", change.service, change.to, change.why));
                }
            }
            Event::StackReady { at_ms } => self.note = Some(format!("ready after {at_ms} ms")),
            Event::StackFailed { service, reason } => {
                let reason = reason.lines().next().unwrap_or_default();
                self.note = Some(format!("the required service `{service}` is down: {reason}"));
            }
            Event::StopWaits { service, pid, asked_ms, signal } => {
                self.note = Some(format!(
                    "waiting for {service} (pid {pid}, signal {signal}, {} s)",
                    asked_ms / 1000
                ));
            }
            Event::Change(info) => {
                self.note = Some(format!("generation {} is applied", info.generation));
            }
            Event::Upgraded(upgrade) => {
                self.note = Some(format!("supervised by version {} from now on", upgrade.to));
            }
            Event::NotUpgraded(upgrade) => {
                let why = upgrade.why.unwrap_or_default();
                self.note = Some(format!("the supervisor was not upgraded: {why}"));
            }
            Event::Upgrading(_) | Event::Begin(_) | Event::End { .. } | Event::Asked { .. } => {}
            Event::Note { text } => self.note = Some(text),
            Event::Missed { count, service: Some(service) } => {
                self.note = Some(format!("{count} lines of {service} not shown; its log has them"));
            }
            Event::Missed { count, service: None } => {
                self.note = Some(format!("{count} events not shown"));
            }
        }
    }

    fn press(&mut self, key: KeyEvent) -> Option<Command> {
        if self.typing && !key.modifiers.contains(KeyModifiers::CONTROL) {
            self.write(key);
            return None;
        }
        let wish = keys::wish(key, self.ending)?;
        match wish {
            Wish::Up => self.selected = self.selected()?.saturating_sub(1),
            Wish::Down => self.selected = (self.selected()? + 1).min(self.services().len() - 1),
            Wish::Only => {
                let chosen = self.chosen()?.name.clone();
                let now = self.pane.filter.service.take();
                self.pane.only((now.as_ref() != Some(&chosen)).then_some(chosen));
            }
            Wish::Restart => return Some(Command::Restart(self.wanted("restarting")?)),
            Wish::StopOrStart => {
                let up = !matches!(self.chosen()?.state, State::Stopped | State::Blocked);
                let name = self.wanted(if up { "stopping" } else { "starting" })?;
                return Some(if up { Command::Stop(name) } else { Command::Start(name) });
            }
            Wish::Filter => {
                self.typing = true;
                self.pane.filter.text.clear();
            }
            Wish::Follow => self.pane.follow(),
            Wish::PageUp => self.pane.up(self.page),
            Wish::PageDown => self.pane.down(self.page),
            Wish::Oldest => self.pane.up(usize::MAX / 2),
            Wish::Wrap => self.wrap = !self.wrap,
            Wish::Help => self.help = !self.help,
            Wish::Back if self.help => self.help = false,
            Wish::Back => {
                self.pane.filter.text.clear();
                self.pane.only(None);
            }
            Wish::Quit => {
                if self.face.owns {
                    self.note = Some("ending the stack in order; Ctrl-C again: at once".into());
                    self.ending = true;
                }
                return Some(Command::Quit);
            }
            Wish::Kill => {
                self.note = Some("ending everything at once".into());
                return Some(Command::Kill);
            }
        }
        None
    }

    /// The selected service's name, with a note of what is done to it.
    fn wanted(&mut self, deed: &str) -> Option<ServiceName> {
        let name = self.chosen()?.name.clone();
        self.note = Some(format!("{deed} {name}"));
        Some(name)
    }

    /// A key while the filter is typed.
    fn write(&mut self, key: KeyEvent) {
        if key.kind == KeyEventKind::Release {
            return;
        }
        match key.code {
            KeyCode::Enter => self.typing = false,
            KeyCode::Esc => {
                self.typing = false;
                self.pane.filter.text.clear();
            }
            KeyCode::Backspace => {
                self.pane.filter.text.pop();
            }
            KeyCode::Char(c) => self.pane.filter.text.push(c),
            _ => {}
        }
        self.pane.follow();
    }
}

/// How busy services were between two statuses.
fn load(before: &StackStatus, now: &StackStatus) -> BTreeMap<ServiceName, u64> {
    let time = now.uptime_ms.saturating_sub(before.uptime_ms).max(1);
    let one = |service: &ServiceStatus| {
        let old = before.services.iter().find(|s| s.name == service.name)?;
        // Another process begins to count anew.
        if old.pid != service.pid {
            return None;
        }
        let used = service.usage?.cpu_ms.saturating_sub(old.usage?.cpu_ms);
        Some((service.name.clone(), used * 1000 / time))
    };
    now.services.iter().filter_map(one).collect()
}
