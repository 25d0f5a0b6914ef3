//! The terminal: taken, drawn on, given back.
//!
//! Invariant: raw mode and the alternate screen end with [`Terminal`], also when the program
//! panics.

use std::io::{self, IsTerminal as _, Stdout};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use ratatui::Frame;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::terminal::{
    Clear, ClearType, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use ratatui::crossterm::{cursor, event, execute};

use super::Message;

/// Whether there is a terminal to draw on and to be asked from.
pub fn is_possible() -> bool {
    io::stdout().is_terminal() && io::stdin().is_terminal()
}

pub(super) struct Terminal {
    inner: ratatui::Terminal<CrosstermBackend<Stdout>>,
}

impl Terminal {
    pub(super) fn take() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            give_back();
            before(info);
        }));
        enable_raw_mode()?;
        // What an earlier program drew there may still stand. (ratatui's own clearing asks where the
        // cursor is, which not every terminal answers.)
        execute!(io::stdout(), EnterAlternateScreen, Clear(ClearType::All), cursor::Hide)
            .inspect_err(|_| give_back())?;
        let inner = ratatui::Terminal::new(CrosstermBackend::new(io::stdout()));
        Ok(Self { inner: inner.inspect_err(|_| give_back())? })
    }

    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.inner.draw(picture).map(drop)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        give_back();
    }
}

/// Nothing more can be done about a terminal that does not take it.
fn give_back() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
}

/// Reads keys and changes of size until dropped.
#[derive(Debug)]
pub struct Keyboard {
    ended: Arc<AtomicBool>,
    reader: Option<std::thread::JoinHandle<()>>,
}

impl Keyboard {
    /// Starts a thread that sends what the terminal says.
    pub fn listen(messages: SyncSender<Message>) -> io::Result<Self> {
        let ended = Arc::new(AtomicBool::new(false));
        let seen = ended.clone();
        let read = move || {
            while !seen.load(Ordering::Relaxed) {
                let input = match event::poll(Duration::from_millis(100)) {
                    Ok(true) => event::read(),
                    Ok(false) => continue,
                    Err(error) => Err(error),
                };
                // A terminal that is gone ends the stack by SIGHUP, not through its keys.
                let sent = input.is_ok_and(|input| messages.send(Message::Input(input)).is_ok());
                if !sent {
                    return;
                }
            }
        };
        let reader = std::thread::Builder::new().name("keys".to_owned()).spawn(read)?;
        Ok(Self { ended, reader: Some(reader) })
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
