//! What went wrong, in the shape that every face of the program can show.
//!
//! Each room has its own `thiserror` enum; it implements [`Diagnose`] so that the kind (which
//! decides the exit code) and the hints live beside the error that knows the remedy. A
//! [`Problem`] is any of them, boxed, as operations return it.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

/// What class of failure it is; decides the exit code, in one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The user can act: exit code 1.
    User,
    /// The command line or a profile is wrong: exit code 2.
    Usage,
    /// Bytes are not what the lock says: exit code 3.
    Integrity,
    /// Our own mistake: exit code 70 (`EX_SOFTWARE` of sysexits).
    Bug,
}

impl Kind {
    /// The process exit code.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::User => 1,
            Self::Usage => 2,
            Self::Integrity => 3,
            Self::Bug => 70,
        }
    }
}

/// One next step, phrased for the person who reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hint(pub String);

impl Hint {
    /// From any text, without a leading `hint:` and without a full stop.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The place in a hand-written file that an error is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excerpt {
    /// The file, as it should be shown.
    pub file: PathBuf,
    /// Its whole text.
    pub text: String,
    /// Byte range of the offending part.
    pub span: Range<usize>,
    /// What to write under it.
    pub label: String,
}

/// An error that knows its kind, its remedy and its place.
pub trait Diagnose: std::error::Error + Send + Sync + 'static {
    /// The class of failure.
    fn kind(&self) -> Kind {
        Kind::User
    }

    /// The process exit code; the kind's, except where a convention of shells has another.
    fn exit_code(&self) -> u8 {
        self.kind().exit_code()
    }

    /// Next steps, most useful first.
    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }

    /// Lines that belong under the message, e.g. `expected … from dep.lock.json`.
    fn details(&self) -> Vec<String> {
        Vec::new()
    }

    /// The place in a file of the user's, if the error is about one.
    fn excerpt(&self) -> Option<Excerpt> {
        None
    }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut out = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        // What the system said may be in the message already, without its number.
        let plain = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        if !out.to_lowercase().ends_with(&plain) {
            out.push_str(": ");
            out.push_str(&text);
        }
        source = cause.source();
    }
    out
}

/// Any room's error on its way to a face.
pub struct Problem(Box<dyn Diagnose>);

impl Problem {
    /// The error inside.
    pub fn inner(&self) -> &dyn Diagnose {
        self.0.as_ref()
    }

    /// The class of failure.
    pub fn kind(&self) -> Kind {
        self.0.kind()
    }
}

impl<E: Diagnose> From<E> for Problem {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
