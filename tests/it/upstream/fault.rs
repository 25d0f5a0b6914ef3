//! What can be made to go wrong with an answer.

use std::time::Duration;

/// A fault in the answer to one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Answers with this status and an empty body.
    Status(u16),
    /// Answers 403: the limit is used up until this second since the epoch.
    RateLimit(u64),
    /// Announces the whole body, sends this many bytes of it, closes.
    Truncate(usize),
    /// Inverts the byte at this offset (modulo the length).
    Tamper(usize),
    /// Announces the whole body, sends this many bytes of it, then nothing until the client leaves.
    Stall(usize),
    /// Redirects (302) to this URL or path.
    Redirect(String),
    /// Reads the request and closes without a word.
    Drop,
    /// Answers with this status and `Retry-After`.
    Later(u16, String),
    /// Sends the body in pieces, each a while after the one before.
    Trickle(usize, Duration),
    /// Announces this many bytes more than there are (fewer, when negative), sends all, closes.
    Announce(isize),
    /// Sends this many bytes of the body in chunks and closes without the last one.
    Chunked(usize),
    /// Serves this as 200 instead.
    Instead(&'static str, Vec<u8>),
    /// Says that the body is encoded like this, and sends it as it is.
    Labelled(&'static str),
    /// Compresses the body with gzip, and says so.
    Gzip,
}

impl Fault {
    /// The body as this fault leaves it, and how many bytes of it are sent.
    pub(super) fn spoil(&self, body: &mut [u8]) -> usize {
        match self {
            Self::Truncate(sent) | Self::Stall(sent) => (*sent).min(body.len()),
            Self::Tamper(at) => {
                if !body.is_empty() {
                    let at = at % body.len();
                    body[at] = !body[at];
                }
                body.len()
            }
            Self::Chunked(sent) => (*sent).min(body.len()),
            _ => body.len(),
        }
    }
}
