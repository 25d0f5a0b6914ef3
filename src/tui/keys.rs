//! What each key means, in one table that the help shows too.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// What a key asks of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Up,
    Down,
    /// Lines of the selected service, or of all again.
    Only,
    Restart,
    StopOrStart,
    Filter,
    Follow,
    PageUp,
    PageDown,
    Oldest,
    Wrap,
    Help,
    Back,
    Quit,
    Kill,
}

/// Keys, what they do, and what they mean.
pub(super) const HELP: [(&str, &str); 12] = [
    ("↑ ↓  j k", "select a service"),
    ("enter", "only the selected service's lines, or all again"),
    ("r", "restart the selected service"),
    ("s", "stop the selected service, or start it again"),
    ("/", "show only lines with a text; enter keeps it, esc drops it"),
    ("f  end", "follow: on with the newest line"),
    ("PgUp PgDn", "look back and forth in the lines"),
    ("home", "the oldest line kept"),
    ("w", "wrap long lines, or cut them"),
    ("esc", "drop the filter, close this help"),
    ("q  Ctrl-C", "end: the stack in order"),
    ("Ctrl-C again", "end everything at once"),
];

/// What a pressed key asks; `None` for one that means nothing.
pub(super) fn wish(key: KeyEvent, ending: bool) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    Some(match key.code {
        KeyCode::Char('c') if control && ending => Wish::Kill,
        KeyCode::Char('c') if control => Wish::Quit,
        KeyCode::Char(_) if control || key.modifiers.contains(KeyModifiers::ALT) => return None,
        KeyCode::Char('q') => Wish::Quit,
        KeyCode::Up | KeyCode::Char('k') => Wish::Up,
        KeyCode::Down | KeyCode::Char('j') => Wish::Down,
        KeyCode::Enter => Wish::Only,
        KeyCode::Char('r') => Wish::Restart,
        KeyCode::Char('s') => Wish::StopOrStart,
        KeyCode::Char('/') => Wish::Filter,
        KeyCode::Char('f') | KeyCode::End => Wish::Follow,
        KeyCode::PageUp => Wish::PageUp,
        KeyCode::PageDown => Wish::PageDown,
        KeyCode::Home => Wish::Oldest,
        KeyCode::Char('w') => Wish::Wrap,
        KeyCode::Char('?' | 'h') => Wish::Help,
        KeyCode::Esc => Wish::Back,
        _ => return None,
    })
}
