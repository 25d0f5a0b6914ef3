//! The picture of a model.
//!
//! Columns that do not fit are left out, the least needed first. Without colour, states differ by
//! their words alone.

use std::time::Duration;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Clear, Paragraph, Row, Table, TableState};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::keys::HELP;
use super::model::Model;
use crate::supervise::status::{ServiceStatus, State};

const SERVICE_COLOURS: [Color; 6] =
    [Color::Cyan, Color::Magenta, Color::Blue, Color::Green, Color::Yellow, Color::LightCyan];

/// Draws the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, model: &mut Model) {
    let area = frame.area();
    let wanted = u16::try_from(model.services().len()).unwrap_or(u16::MAX).saturating_add(1);
    let table = wanted.min((area.height / 2).max(2));
    let [top, list, pane, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(table),
        Constraint::Fill(1),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_top(frame, top, model);
    draw_services(frame, list, model);
    draw_logs(frame, pane, model);
    draw_bottom(frame, bottom, model);
    if model.help {
        draw_help(frame, area, model);
    }
}

fn draw_top(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let mut words = vec![Span::styled(
        format!("infra {}", model.face.title),
        Style::new().add_modifier(Modifier::BOLD),
    )];
    if let Some(status) = &model.status {
        let up = status.services.iter().filter(|s| s.is_up()).count();
        let digest = status.digest.get(..15).unwrap_or(&status.digest);
        words.push(Span::raw(format!(
            " · generation {} · {digest}… · up {} · {up}/{} up",
            status.generation,
            span(status.uptime_ms),
            status.services.len()
        )));
        if status.stopping {
            words.push(Span::styled(" · stopping", paint(model, Color::Yellow)));
        }
    }
    frame.render_widget(Line::from(words), area);
}

/// A column: its heading, its width, and what stands in it.
type Column = (&'static str, u16, fn(&Model, &ServiceStatus) -> String);

/// In the order of the screen; the number says what is left out first (the highest).
const COLUMNS: [(u8, Column); 10] = [
    (0, ("STATE", 9, |_, s| s.state.to_string())),
    (7, ("SINCE", 8, |_, s| span(s.since_ms))),
    (1, ("PID", 8, |_, s| s.pid.map(|pid| pid.to_string()).unwrap_or_default())),
    (8, ("READY", 8, |_, s| s.ready_ms.map(|ms| format!("{ms} ms")).unwrap_or_default())),
    (
        4,
        ("CPU", 6, |m, s| {
            m.load_of(&s.name).map(|t| format!("{}.{}%", t / 10, t % 10)).unwrap_or_default()
        }),
    ),
    (5, ("MEMORY", 8, |_, s| s.usage.map(|u| bytes(u.rss_bytes)).unwrap_or_default())),
    (6, ("RESTARTS", 8, |_, s| s.restarts.to_string())),
    (9, ("SANDBOX", 8, |_, s| s.sandbox.as_ref().map(|r| r.grade.to_string()).unwrap_or_default())),
    (2, ("PORTS", 22, |_, s| ports(s))),
    (3, ("WHY", 26, |_, s| why(s))),
];

fn draw_services(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let services = model.services();
    let names = services.iter().map(|s| s.name.as_str().len()).max().unwrap_or(0).max(7);
    let name_width = u16::try_from(names).unwrap_or(40).min(40);
    let columns = fitting(area.width.saturating_sub(name_width + 2));
    let heading = Style::new().add_modifier(Modifier::DIM);
    let head = Row::new(std::iter::once("SERVICE").chain(columns.iter().map(|(title, ..)| *title)))
        .style(heading);
    let rows = services.iter().enumerate().map(|(n, service)| {
        let name = Span::styled(
            service.name.to_string(),
            paint(model, SERVICE_COLOURS[n % SERVICE_COLOURS.len()]),
        );
        let cells = columns.iter().map(|(title, _, text)| {
            let style =
                if *title == "STATE" { of_state(model, service.state) } else { Style::new() };
            Span::styled(text(model, service), style)
        });
        Row::new(std::iter::once(name).chain(cells).collect::<Vec<_>>())
    });
    let mut widths = vec![Constraint::Length(name_width)];
    for (n, (_, width, _)) in columns.iter().enumerate() {
        let last = n + 1 == columns.len();
        widths.push(if last { Constraint::Min(*width) } else { Constraint::Length(*width) });
    }
    let table = Table::new(rows, widths)
        .header(head)
        .highlight_symbol("› ")
        .row_highlight_style(Style::new().add_modifier(Modifier::BOLD));
    let mut state = TableState::new().with_selected(model.selected());
    frame.render_stateful_widget(table, area, &mut state);
}

/// The columns that fit into a width.
fn fitting(width: u16) -> Vec<Column> {
    let mut kept: Vec<(u8, Column)> = COLUMNS.to_vec();
    let needs = |kept: &[(u8, Column)]| kept.iter().map(|(_, (_, w, _))| w + 1).sum::<u16>();
    while needs(&kept) > width && kept.len() > 1 {
        let Some(at) = (0..kept.len()).max_by_key(|at| kept[*at].0) else { break };
        kept.remove(at);
    }
    kept.into_iter().map(|(_, column)| column).collect()
}

fn ports(service: &ServiceStatus) -> String {
    let mut words: Vec<String> =
        service.ports.iter().map(|(name, port)| format!("{name}={port}")).collect();
    words.sort();
    words.join(" ")
}

/// Only what is not plain from the state.
fn why(service: &ServiceStatus) -> String {
    match service.state {
        State::Ready => service.says.clone().unwrap_or_default(),
        State::Waiting => {
            let names: Vec<String> = service.waits_for.iter().map(ToString::to_string).collect();
            format!("for {}", names.join(", "))
        }
        State::Backoff => match service.retry_ms {
            Some(ms) => format!("{}; again in {}", service.why, span(ms)),
            None => service.why.to_string(),
        },
        _ => service.why.to_string(),
    }
}

fn draw_logs(frame: &mut Frame<'_>, area: Rect, model: &mut Model) {
    let mut title = match &model.pane.filter.service {
        Some(service) => format!(" lines of {service} "),
        None => " lines of all ".to_owned(),
    };
    if !model.pane.filter.text.is_empty() {
        title += &format!("with “{}” ", model.pane.filter.text);
    }
    if !model.pane.follows() {
        title += "· scrolled back, f follows ";
    }
    let block = Block::new().borders(Borders::TOP).title(title);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    let height = usize::from(inner.height);
    model.page = height.saturating_sub(1).max(1);
    let order: Vec<(String, Style)> = model
        .services()
        .iter()
        .enumerate()
        .map(|(n, s)| {
            let colour = SERVICE_COLOURS[n % SERVICE_COLOURS.len()];
            (s.name.to_string(), paint(model, colour))
        })
        .collect();
    let width = order.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let all = model.pane.filter.service.is_none();
    let error = paint(model, Color::Red);
    let mut rows: Vec<Line<'_>> = Vec::with_capacity(height);
    for line in model.pane.window(height) {
        let name = line.service.as_str();
        let style = order.iter().find(|(n, _)| n == name).map_or(Style::new(), |o| o.1);
        let name = if all { format!("{name:width$} ") } else { String::new() };
        let (bar, bar_style) = if line.is_error { ("┃ ", error) } else { ("│ ", Style::new()) };
        let room = usize::from(inner.width).saturating_sub(name.width() + 2).max(1);
        let parts = if model.wrap { wrapped(&line.text, room) } else { vec![line.text.as_str()] };
        for (n, part) in parts.into_iter().enumerate() {
            let head = if n == 0 { name.clone() } else { " ".repeat(name.width()) };
            rows.push(Line::from(vec![
                Span::styled(head, style),
                Span::styled(bar, bar_style),
                Span::raw(part.to_owned()),
            ]));
        }
    }
    // Wrapped lines may need more rows than there are: the newest have to be seen.
    let over = rows.len().saturating_sub(height);
    frame.render_widget(Paragraph::new(rows.split_off(over)), inner);
}

/// A text in parts that are no wider than `room` columns.
fn wrapped(text: &str, room: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut used) = (0, 0);
    for (at, c) in text.char_indices() {
        let wide = c.width().unwrap_or(0);
        if used + wide > room && at > start {
            parts.push(&text[start..at]);
            (start, used) = (at, 0);
        }
        used += wide;
    }
    parts.push(&text[start..]);
    parts
}

fn draw_bottom(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let dim = Style::new().add_modifier(Modifier::DIM);
    let quit = if model.face.owns { "q end" } else { "q leave" };
    let line = if model.typing {
        Line::raw(format!("/{}▏", model.pane.filter.text))
    } else if let Some(note) = &model.note {
        Line::from(vec![
            Span::raw(one_line(note)),
            Span::styled(format!("  · ? help · {quit}"), dim),
        ])
    } else {
        Line::styled(
            format!(
                "r restart · s stop/start · enter its lines · / filter · f follow · ? help · {quit}"
            ),
            dim,
        )
    };
    frame.render_widget(line, area);
}

/// Notes may quote a log: no escape sequence of it may reach the terminal.
fn one_line(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string().replace(['\n', '\t'], " ")
}

fn draw_help(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let rows: Vec<Line<'_>> = HELP
        .iter()
        .map(|(keys, deed)| {
            Line::from(vec![
                Span::styled(format!(" {keys:<14}"), paint(model, Color::Cyan)),
                Span::raw(*deed),
            ])
        })
        .collect();
    let height = u16::try_from(rows.len()).unwrap_or(20) + 2;
    let (width, height) = (78.min(area.width), height.min(area.height));
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(rows).block(Block::bordered().title(" keys ")), place);
}

fn of_state(model: &Model, state: State) -> Style {
    match state {
        State::Ready | State::Completed => paint(model, Color::Green),
        State::Failed | State::Blocked => paint(model, Color::Red),
        State::Backoff | State::Starting | State::Stopping => paint(model, Color::Yellow),
        State::Waiting | State::Stopped | State::Scheduled => {
            Style::new().add_modifier(Modifier::DIM)
        }
    }
}

fn paint(model: &Model, colour: Color) -> Style {
    if model.face.colour { Style::new().fg(colour) } else { Style::new() }
}

/// Bytes in MiB, as far as a glance needs.
fn bytes(count: u64) -> String {
    format!("{}.{}M", count >> 20, ((count & 0xf_ffff) * 10) >> 20)
}

/// A time span in its two largest units.
fn span(ms: u64) -> String {
    let seconds = Duration::from_millis(ms).as_secs();
    match seconds {
        0 => format!("{ms} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86400 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86400, seconds % 86400 / 3600),
    }
}
