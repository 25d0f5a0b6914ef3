//! The screen as people see it, drawn into a buffer; and the loop with real channels.

use std::collections::BTreeMap;
use std::path::PathBuf;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyModifiers};

use super::model::Model;
use super::{Command, Face, Message, view};
use crate::base::{EnvName, ServiceName};
use crate::supervise::status::{
    Cause, Event, Exit, LogCounters, ServiceStatus, StackStatus, State, StateChange, Usage,
};

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

fn service(text: &str, state: State, why: Cause) -> ServiceStatus {
    ServiceStatus {
        name: name(text),
        state,
        why,
        required: true,
        pid: (state == State::Ready).then_some(4711),
        since_ms: 61_000,
        ready_ms: (state == State::Ready).then_some(38),
        retry_ms: (state == State::Backoff).then_some(1600),
        restarts: 2,
        last_exit: None,
        waits_for: if state == State::Waiting { vec![name("nats")] } else { vec![] },
        ports: BTreeMap::from([("http".to_owned(), 8090)]),
        log: PathBuf::from("logs"),
        logged: LogCounters::default(),
        replica_of: None,
        next_ms: None,
        wanted: true,
        says: None,
        start: 3,
        usage: (state == State::Ready).then_some(Usage {
            processes: 1,
            cpu_ms: 4000,
            rss_bytes: 21 << 20,
            open_fds: Some(9),
        }),
        sandbox: None,
    }
}

fn status() -> StackStatus {
    StackStatus {
        env: EnvName::new("dev").unwrap(),
        digest: "sha256-0123456789abcdef".to_owned(),
        generation: 41,
        project: PathBuf::from("project"),
        supervisor: 4700,
        uptime_ms: 3_723_000,
        version: "0.1.0".into(),
        upgrade: None,
        stopping: false,
        services: vec![
            service("caddy", State::Waiting, Cause::Boot),
            service("nats", State::Ready, Cause::Ready),
            service("pocketbase", State::Backoff, Cause::Exited(Exit::Code(1))),
        ],
    }
}

fn face() -> Face {
    Face { title: "dev".to_owned(), colour: false, owns: true }
}

fn model() -> Model {
    let mut model = Model::new(face());
    model.take(Message::Status(Box::new(status())));
    let log = |service: &str, text: &str| {
        Message::Event(Event::Log { service: name(service), text: text.to_owned() })
    };
    model.take(log("nats", "T out listening on 4222\nT err warning: no TLS\n"));
    model.take(log("pocketbase", "T err cannot open data.db\n"));
    model
}

fn press(model: &mut Model, code: KeyCode) -> Option<Command> {
    model.take(Message::Input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE))))
}

fn control_c(model: &mut Model) -> Option<Command> {
    let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    model.take(Message::Input(Input::Key(key)))
}

fn write(model: &mut Model, text: &str) {
    for c in text.chars() {
        press(model, KeyCode::Char(c));
    }
}

/// The rows of a picture, without the blanks at their ends.
fn picture(model: &mut Model, width: u16, height: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| view::draw(frame, model)).unwrap();
    let buffer = terminal.backend().buffer();
    let rows = buffer.content.chunks(usize::from(width)).map(|row| {
        row.iter().map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned()
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[test]
fn services_above_their_lines_below() {
    insta::assert_snapshot!(picture(&mut model(), 130, 14));
}

#[test]
fn how_busy_a_service_is() {
    let mut model = model();
    let mut now = status();
    now.uptime_ms += 500;
    if let Some(usage) = &mut now.services[1].usage {
        usage.cpu_ms += 50;
    }
    model.take(Message::Status(Box::new(now)));
    let shown = picture(&mut model, 140, 12);
    assert!(shown.contains("10.0%") && shown.contains("21.0M"), "{shown}");
}

#[test]
fn what_does_not_fit_is_left_out() {
    insta::assert_snapshot!(picture(&mut model(), 44, 10));
}

#[test]
fn no_size_is_too_small() {
    for (width, height) in [(1, 1), (3, 2), (10, 3), (20, 4), (400, 5), (5, 200)] {
        let mut model = model();
        press(&mut model, KeyCode::Char('w'));
        picture(&mut model, width, height);
        press(&mut model, KeyCode::Char('?'));
        picture(&mut model, width, height);
    }
}

#[test]
fn before_anything_is_known() {
    insta::assert_snapshot!(picture(&mut Model::new(face()), 60, 6));
}

#[test]
fn keys_are_explained() {
    let mut model = model();
    press(&mut model, KeyCode::Char('?'));
    insta::assert_snapshot!(picture(&mut model, 90, 18));
    press(&mut model, KeyCode::Esc);
    assert!(!model.help);
}

#[test]
fn keys_act_on_the_selected_service() {
    let mut model = model();
    assert_eq!(press(&mut model, KeyCode::Char('r')), Some(Command::Restart(name("caddy"))));
    press(&mut model, KeyCode::Down);
    assert_eq!(press(&mut model, KeyCode::Char('s')), Some(Command::Stop(name("nats"))));
    let mut now = status();
    now.services[1].state = State::Stopped;
    // Another service comes before it: the selection stays on the service.
    now.services.insert(0, service("bento", State::Ready, Cause::Ready));
    model.take(Message::Status(Box::new(now)));
    assert_eq!(press(&mut model, KeyCode::Char('s')), Some(Command::Start(name("nats"))));
    for _ in 0..9 {
        press(&mut model, KeyCode::Down);
    }
    assert_eq!(press(&mut model, KeyCode::Char('r')), Some(Command::Restart(name("pocketbase"))));
}

#[test]
fn lines_of_one_service_and_with_a_text() {
    let mut model = model();
    press(&mut model, KeyCode::Down);
    press(&mut model, KeyCode::Enter);
    let shown = picture(&mut model, 80, 12);
    assert!(shown.contains("lines of nats") && !shown.contains("cannot open"), "{shown}");
    press(&mut model, KeyCode::Char('/'));
    write(&mut model, "Tqs");
    press(&mut model, KeyCode::Backspace);
    press(&mut model, KeyCode::Backspace);
    write(&mut model, "LS");
    assert!(picture(&mut model, 80, 12).contains("/TLS▏"));
    press(&mut model, KeyCode::Enter);
    let shown = picture(&mut model, 80, 12);
    assert!(shown.contains("with “TLS”") && !shown.contains("listening"), "{shown}");
    press(&mut model, KeyCode::Esc);
    let shown = picture(&mut model, 80, 12);
    assert!(shown.contains("lines of all") && shown.contains("cannot open"), "{shown}");
}

#[test]
fn long_lines_are_wrapped_on_demand() {
    let mut model = model();
    let text = format!("T out {}end\n", "0123456789".repeat(9));
    model.take(Message::Event(Event::Log { service: name("nats"), text }));
    assert!(!picture(&mut model, 60, 14).contains("end"));
    press(&mut model, KeyCode::Char('w'));
    assert!(picture(&mut model, 60, 14).contains("end"));
}

#[test]
fn the_end_in_order_first_and_at_once_second() {
    let mut model = model();
    assert_eq!(control_c(&mut model), Some(Command::Quit));
    assert!(picture(&mut model, 90, 12).contains("in order"));
    assert_eq!(control_c(&mut model), Some(Command::Kill));
}

#[test]
fn while_a_filter_is_typed_keys_are_text_but_control_c_ends() {
    let mut model = model();
    press(&mut model, KeyCode::Char('/'));
    assert_eq!(press(&mut model, KeyCode::Char('q')), None);
    assert_eq!(model.pane.filter.text, "q");
    assert_eq!(control_c(&mut model), Some(Command::Quit));
}

#[test]
fn changes_are_seen_before_the_next_status() {
    let mut model = model();
    model.take(Message::Event(Event::State(StateChange {
        service: name("nats"),
        from: State::Ready,
        to: State::Failed,
        why: Cause::Exited(Exit::Signal(9)),
        pid: None,
        retry_ms: None,
        at_ms: 5,
        start: 3,
        exit: Some(Exit::Signal(9)),
        ready_ms: None,
        waits_for: vec![],
    })));
    let shown = picture(&mut model, 130, 12);
    assert!(shown.contains("nats is failed: ended by itself with signal 9"), "{shown}");
    assert_eq!(model.services()[1].state, State::Failed);
}

#[test]
fn a_note_of_a_hostile_service_stays_in_its_line() {
    let mut model = model();
    let reason = "\x1b[2J\x1b]0;owned\x07boom\nsecond".to_owned();
    model.take(Message::Event(Event::StackFailed { service: name("nats"), reason }));
    let shown = picture(&mut model, 90, 12);
    assert!(shown.contains("is down: boom") && !shown.contains("owned"), "{shown}");
}
