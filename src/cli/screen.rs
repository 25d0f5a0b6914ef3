//! The live screen of `infra run` and `infra runtime attach`: what stands between the supervisor, its
//! control interface and [`crate::tui`].
//!
//! Keys are carried out over the same interface that every command uses; the end is asked with the
//! signal that a terminal sends. Invariant: a screen that cannot be drawn ends no stack, its lines
//! go on plainly.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::time::Duration;

use super::Session;
use super::runtime::lines::Lines;
use crate::base::EnvName;
use crate::ops;
use crate::ops::attach::Heard;
use crate::ops::run::Prepared;
use crate::supervise;
use crate::supervise::status::Event;
use crate::tui::{self, Command, Face, Keyboard, Message};

/// Messages that may wait to be drawn; then the supervisor's own bounded queue fills. Few, for keys
/// wait behind them.
const QUEUE: usize = 64;

/// How often the status is asked for.
const LOOK: Duration = Duration::from_millis(500);

/// How long the screen may take to give the terminal back: it draws what it was told before.
const LEAVE: Duration = Duration::from_secs(5);

/// Runs a stack with the live screen.
pub(super) fn run(
    prepared: Prepared,
    mut lines: Lines,
    session: &Session,
) -> ops::Result<supervise::Outcome> {
    let name = session.context.settings().env.value.clone();
    supervise::leave_signals();
    let (messages, shown) = mpsc::sync_channel(QUEUE);
    let (wishes, wished) = mpsc::channel();
    let face =
        Face { title: name.to_string(), colour: session.printer.style().is_on(), owns: true };
    std::thread::scope(|scope| {
        let screen = scope.spawn(move || {
            tui::run(face, &shown, |command| match command {
                // As if it had come from a terminal that is not taken: in order, then at once.
                Command::Quit | Command::Kill => interrupt(),
                command => _ = wishes.send(command),
            })
        });
        let keyboard = Keyboard::listen(messages.clone());
        let hands = messages.clone();
        scope.spawn(move || carry_out(&name, session, &wished, &hands));
        let told = messages.clone();
        let outcome = ops::run::foreground(prepared, move |event| {
            let leaves = matches!(event, Event::Upgrading(_));
            if let Err(mpsc::SendError(Message::Event(event))) = told.send(Message::Event(event)) {
                lines.show(&event);
            }
            if leaves {
                // The next program takes the terminal as this one found it.
                let (done, left) = mpsc::sync_channel(1);
                if told.send(Message::Pause(done)).is_ok() {
                    let _ = left.recv_timeout(LEAVE);
                }
            }
        });
        let _ = messages.send(Message::End);
        drop(keyboard);
        if let Ok(Err(error)) = screen.join() {
            session.printer.warn(&format!("the screen could not be drawn: {error}"));
        }
        outcome
    })
}

/// Lines of each service that are shown of the time before.
const TAIL: usize = 200;

/// Shows a stack that another process supervises, until somebody leaves or it is down. Gives whether
/// somebody left.
pub(super) fn attach(session: &Session) -> ops::Result<bool> {
    let name = session.context.settings().env.value.clone();
    let (messages, shown) = mpsc::sync_channel(QUEUE);
    let told = messages.clone();
    ops::attach::hear(&session.context, &name, TAIL, move |heard| {
        let message = match heard {
            Heard::Event(event) => Message::Event(event),
            Heard::End => Message::End,
        };
        told.send(message).is_ok()
    })?;
    let (wishes, wished) = mpsc::channel();
    let colour = session.printer.style().is_on();
    let face = Face { title: name.to_string(), colour, owns: false };
    let mut left = false;
    let drawn = std::thread::scope(|scope| {
        let keyboard = Keyboard::listen(messages.clone());
        let name = &name;
        scope.spawn(move || carry_out(name, session, &wished, &messages));
        let drawn = tui::run(face, &shown, |command| match command {
            Command::Quit | Command::Kill => left = true,
            command => _ = wishes.send(command),
        });
        // Whoever still has something to send must not wait for a screen that is gone.
        drop((shown, wishes, keyboard));
        drawn
    });
    if let Err(error) = drawn {
        session.printer.warn(&format!("the screen could not be drawn: {error}"));
    }
    Ok(left)
}

fn interrupt() {
    let us = rustix::process::getpid();
    let _ = rustix::process::kill_process(us, rustix::process::Signal::INT);
}

/// Does what keys ask, and tells how the stack stands; until the screen has ended.
fn carry_out(
    name: &EnvName,
    session: &Session,
    wished: &Receiver<Command>,
    messages: &SyncSender<Message>,
) {
    loop {
        let command = match wished.recv_timeout(LOOK) {
            Ok(command) => Some(command),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        let Ok(Some(mut client)) = ops::run::connect(&session.context, name) else { continue };
        if let Some(command) = command {
            let done = match &command {
                Command::Restart(service) => client.restart(std::slice::from_ref(service)),
                Command::Stop(service) => client.stop(std::slice::from_ref(service)),
                Command::Start(service) => client.start(std::slice::from_ref(service)),
                Command::Quit | Command::Kill => continue,
            };
            if let Err(error) = done {
                let _ = messages.send(Message::Answer(Err(error.to_string())));
            }
        }
        if let Ok(status) = client.status_with_usage() {
            let _ = messages.send(Message::Status(Box::new(status)));
        }
    }
}
