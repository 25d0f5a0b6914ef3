//! The live screen of a stack: a list of services above, their logs below.
//!
//! Owns the terminal while it is shown ([`terminal`]) and nothing else: what runs is somebody
//! else's. Events and answers come in as [`Message`]s, wishes go out as [`Command`]s; between them
//! stands a pure [`model::Model`], and [`view`] draws it. Refuses to wait for anything but messages,
//! so a slow terminal holds nothing up. Invariant: whatever way the screen ends, the terminal is
//! given back as it was found.
//!
//! ```text
//!  supervisor ─ events ─▶ ┐                        ┌─▶ commands ─▶ control socket
//!  keys ────────────────▶ ├─▶ Model ─▶ view ─▶ terminal
//!  status, twice a second ┘
//! ```
//!
//! Text of services is shown without its escape sequences: a log cannot draw outside its pane.

mod keys;
mod logs;
mod model;
mod terminal;
mod view;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

pub use self::terminal::{Keyboard, is_possible};
use crate::base::ServiceName;
use crate::supervise::status::{Event, StackStatus};

/// The shortest time between two pictures: fast enough for the eye, slow enough for a flood.
const FRAME: Duration = Duration::from_millis(40);

/// How long an unchanged picture stays: its clocks have to move.
const TICK: Duration = Duration::from_millis(500);

/// What the screen is told.
#[derive(Debug)]
pub enum Message {
    /// Something happened in the stack.
    Event(Event),
    /// How the stack stands now.
    Status(Box<StackStatus>),
    /// A command was carried out, or why not.
    Answer(Result<String, String>),
    /// The terminal says something.
    Input(ratatui::crossterm::event::Event),
    /// Give the terminal back, say so here, and draw again only when the supervisor was not
    /// replaced.
    Pause(SyncSender<()>),
    /// The stack is down; nothing comes any more.
    End,
}

/// What a person wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// End a service's process and start it again.
    Restart(ServiceName),
    /// End a service and keep it down.
    Stop(ServiceName),
    /// Start a service that was stopped, failed or blocked.
    Start(ServiceName),
    /// Leave: end the stack in order where the screen owns it, else only the screen.
    Quit,
    /// End everything at once.
    Kill,
}

/// What the screen shows and offers.
#[derive(Clone, Debug)]
pub struct Face {
    /// The first words of the top line, e.g. the environment's name.
    pub title: String,
    /// Whether colours are wanted.
    pub colour: bool,
    /// Whether leaving the screen ends the stack.
    pub owns: bool,
}

/// Shows the screen until the stack is down, or, where it does not own the stack, until somebody
/// leaves. Commands go to `act`, which must not wait.
///
/// # Errors
/// The terminal cannot be used or written to.
pub fn run(
    face: Face,
    messages: &Receiver<Message>,
    mut act: impl FnMut(Command),
) -> io::Result<()> {
    let owns = face.owns;
    let mut terminal = terminal::Terminal::take()?;
    let mut model = model::Model::new(face);
    let mut drawn: Option<Instant> = None;
    let mut stale = true;
    loop {
        let due = match drawn {
            Some(at) if stale => FRAME.saturating_sub(at.elapsed()),
            Some(at) => TICK.saturating_sub(at.elapsed()),
            None => Duration::ZERO,
        };
        match messages.recv_timeout(due) {
            Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Ok(Message::Pause(done)) => {
                drop(terminal);
                // Whoever asked may not wait any more.
                let _ = done.send(());
                if !pause(messages, &mut model) {
                    return Ok(());
                }
                terminal = terminal::Terminal::take()?;
                stale = true;
            }
            Ok(message) => {
                stale = true;
                if let Some(command) = model.take(message) {
                    let leaves = command == Command::Quit && !owns;
                    act(command);
                    if leaves {
                        return Ok(());
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {
                terminal.draw(|frame| view::draw(frame, &mut model))?;
                drawn = Some(Instant::now());
                stale = false;
            }
        }
        // A flood of messages must not keep the picture from being drawn.
        if stale && drawn.is_some_and(|at| at.elapsed() >= FRAME) {
            terminal.draw(|frame| view::draw(frame, &mut model))?;
            drawn = Some(Instant::now());
            stale = false;
        }
    }
}

/// Waits without a terminal until the supervisor goes on as it was; `false` when the stack is down.
fn pause(messages: &Receiver<Message>, model: &mut model::Model) -> bool {
    loop {
        match messages.recv() {
            Ok(Message::End) | Err(_) => return false,
            Ok(Message::Pause(done)) => _ = done.send(()),
            // Keys are for what is not drawn.
            Ok(Message::Input(_)) => {}
            Ok(message) => {
                let goes_on = matches!(message, Message::Event(Event::NotUpgraded(_)));
                let _ = model.take(message);
                if goes_on {
                    return true;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
