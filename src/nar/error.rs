//! Why a NAR could not be written or is not one.
//!
//! Owns the room's error. A writer's errors are mistakes of its caller (or the sink's); a reader's
//! are facts about bytes that somebody else made.

use std::io;

use crate::base::{Diagnose, Kind};

/// Result of reading or writing a NAR.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A NAR that cannot be written, or bytes that are no NAR.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The sink refused bytes.
    #[error("cannot write the archive")]
    Write(#[source] io::Error),
    /// The source of an archive failed.
    #[error("cannot read the archive")]
    Read(#[source] io::Error),
    /// A name that cannot be a directory entry.
    #[error("`{name}` cannot be the name of an entry: {why}")]
    Name {
        /// The name, with odd characters escaped.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Entries that are not strictly sorted.
    #[error("entry `{name}` comes after `{after}`, which does not sort before it")]
    Unsorted {
        /// The entry.
        name: String,
        /// The entry before it.
        after: String,
    },
    /// A link target that no link can have.
    #[error("`{0}` cannot be the target of a link")]
    Target(String),
    /// Contents whose length is not what was announced.
    #[error("a file of {announced} bytes was given {given} bytes")]
    Size {
        /// Bytes announced.
        announced: u64,
        /// Bytes given until then.
        given: u64,
    },
    /// A node that was begun and never finished.
    #[error("a node of the archive was left unfinished")]
    Unfinished,
    /// Bytes that the format does not allow at this place.
    #[error("not a NAR: expected {expected} at byte {offset}")]
    Malformed {
        /// What had to come.
        expected: &'static str,
        /// Where, from the start of the archive.
        offset: u64,
    },
    /// A length that no real archive has.
    #[error("not a NAR: {what} of {length} bytes at byte {offset} (at most {limit})")]
    TooLong {
        /// What is that long.
        what: &'static str,
        /// Its length.
        length: u64,
        /// The longest accepted.
        limit: u64,
        /// Where, from the start of the archive.
        offset: u64,
    },
    /// Directories nested deeper than a path can be.
    #[error("the archive nests more than {0} directories")]
    TooDeep(usize),
}

impl Diagnose for Error {
    fn kind(&self) -> Kind {
        match self {
            Self::Write(_) | Self::Read(_) => Kind::User,
            Self::Unfinished | Self::Size { .. } => Kind::Bug,
            _ => Kind::Integrity,
        }
    }
}
