//! The printer: decides which stream a line goes to, and ends quietly on a closed pipe.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this room owns both streams")]

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;

use super::progress::Bars;
use super::{Style, problem};
use crate::base::{Problem, Quiet, Reporter, Task};

/// Writes for people (stderr) and programs (stdout).
#[derive(Clone)]
pub struct Printer {
    out_style: Style,
    err_style: Style,
    quiet: bool,
    bars: Option<Arc<Bars>>,
}

impl Printer {
    /// `colour` is the wish of the user's environment (no `NO_COLOR`, no dumb terminal); terminals
    /// are asked here. With `quiet`, notes and progress are dropped, warnings and errors stay.
    pub fn new(colour: bool, quiet: bool) -> Self {
        let err_terminal = io::stderr().is_terminal();
        Self {
            out_style: Style::new(colour && io::stdout().is_terminal()),
            err_style: Style::new(colour && err_terminal),
            quiet,
            bars: (err_terminal && !quiet).then(|| Arc::new(Bars::new())),
        }
    }

    /// Style for stdout.
    pub fn style(&self) -> Style {
        self.out_style
    }

    /// Style for stderr.
    pub fn err_style(&self) -> Style {
        self.err_style
    }

    /// Data, exactly as given. A closed pipe ends the program as if it were done: nobody reads.
    pub fn data(&self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// Data that need not be UTF-8.
    pub fn bytes(&self, bytes: &[u8]) {
        let mut out = io::stdout().lock();
        if let Err(e) = out.write_all(bytes).and_then(|()| out.flush())
            && e.kind() == io::ErrorKind::BrokenPipe
        {
            end_quietly();
        }
    }

    /// One line of data.
    pub fn line(&self, text: &str) {
        self.data(&format!("{text}\n"));
    }

    /// A value as JSON: two-space indent, newline at the end.
    pub fn json<T: serde::Serialize>(&self, value: &T) {
        match serde_json::to_string_pretty(value) {
            Ok(text) => self.line(&text),
            Err(e) => self.warn(&format!("cannot write JSON: {e}")),
        }
    }

    /// Something for the person at the terminal; not data.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.err(text);
        }
    }

    /// A warning.
    pub fn warn(&self, text: &str) {
        self.err(&format!("{} {text}", self.err_style.yellow("warning:")));
    }

    /// A problem with its place, details and hints.
    pub fn problem(&self, error: &Problem) {
        self.err(problem::render(error, self.err_style).trim_end());
    }

    /// Receives progress: bars on a terminal; elsewhere only warnings, and whom it waits for.
    pub fn reporter(&self) -> Arc<dyn Reporter> {
        match &self.bars {
            Some(bars) => bars.clone(),
            None if self.quiet => Arc::new(Quiet),
            None => Arc::new(WarningsOnly(self.err_style)),
        }
    }

    fn err(&self, text: &str) {
        match &self.bars {
            Some(bars) => bars.suspend(|| eprintln!("{text}")),
            // A closed stderr is no reason to fail.
            None => drop(writeln!(io::stderr().lock(), "{text}")),
        }
    }
}

#[allow(clippy::exit, reason = "nobody reads any more; unwinding through callers has no reader")]
fn end_quietly() -> ! {
    std::process::exit(0)
}

struct WarningsOnly(Style);

/// Work under way where nobody watches: only what holds it up is worth a line.
struct Unwatched;

impl Task for Unwatched {
    fn advance(&self, _bytes: u64) {}
    fn stage(&self, _stage: &str) {}
    fn waiting(&self, holder: &str) {
        let _ = writeln!(io::stderr().lock(), "waiting for {holder}");
    }
}

impl Reporter for WarningsOnly {
    fn begin(&self, _label: &str, _total: Option<u64>) -> Arc<dyn Task> {
        Arc::new(Unwatched)
    }
    fn note(&self, _message: &str) {}
    fn warn(&self, message: &str) {
        let _ = writeln!(io::stderr().lock(), "{} {message}", self.0.yellow("warning:"));
    }
}
