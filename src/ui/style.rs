//! Colour, and whether there is any: a terminal, no `NO_COLOR`, and not `TERM=dumb`.

/// How to paint; every method is the identity when colour is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    on: bool,
}

impl Style {
    /// With or without colour.
    pub const fn new(on: bool) -> Self {
        Self { on }
    }

    /// Whether colour is on.
    pub const fn is_on(self) -> bool {
        self.on
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Errors.
    pub fn red(self, text: &str) -> String {
        self.paint("1;31", text)
    }

    /// Warnings and what is under way.
    pub fn yellow(self, text: &str) -> String {
        self.paint("33", text)
    }

    /// What is well.
    pub fn green(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Hints and names.
    pub fn cyan(self, text: &str) -> String {
        self.paint("36", text)
    }

    /// What matters less.
    pub fn dim(self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Headings.
    pub fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// A colour of its own for the n-th service of a stack.
    pub fn service(self, n: usize, text: &str) -> String {
        const CODES: [&str; 6] = ["36", "35", "34", "32", "33", "96"];
        self.paint(CODES[n % CODES.len()], text)
    }
}
