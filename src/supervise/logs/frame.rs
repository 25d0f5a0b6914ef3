//! From the bytes a service writes to whole lines with a prefix.
//!
//! Owns the format of a log line: `2026-01-02T03:04:05.678Z out text`. The tag is `out`, `err`, or
//! `sup` for the supervisor's own words; a `+` after it says that the line continues the one
//! of its stream before, because that was longer than [`MAX_LINE`] bytes or had no end for
//! [`PATIENCE`]. Invariant: nothing is changed or lost: the texts of all lines, those with `+`
//! joined to the ones before, are the bytes that went in (and a final newline).

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Bytes of text in one line before it is split.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// How long a line may be without an end before what there is of it is written.
pub(super) const PATIENCE: Duration = Duration::from_millis(100);

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    Out,
    Err,
    Supervisor,
}

impl Stream {
    const fn tag(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::Err => "err",
            Self::Supervisor => "sup",
        }
    }
}

/// The time of a batch of lines, formatted once.
pub(super) struct Stamp(String);

impl Stamp {
    pub(super) fn now() -> Self {
        Self(format!("{:.3}", Timestamp::now()))
    }

    fn prefix(&self, stream: Stream, continues: bool) -> String {
        format!("{} {}{} ", self.0, stream.tag(), if continues { "+" } else { "" })
    }
}

/// The text of a line without its prefix.
pub(super) fn text_of(line: &[u8]) -> &[u8] {
    let mut rest = line;
    for _ in 0..2 {
        match memchr::memchr(b' ', rest) {
            Some(at) => rest = &rest[at + 1..],
            None => return rest,
        }
    }
    rest
}

/// A line whose end has not been seen: its text so far, and whether that continues a line of the
/// log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::supervise) struct Unfinished {
    pub(in crate::supervise) held: Vec<u8>,
    pub(in crate::supervise) continues: bool,
}

/// Frames one stream.
pub(super) struct Framer {
    stream: Stream,
    /// A line whose end has not been seen.
    held: Vec<u8>,
    /// What is held continues a line that was split.
    continues: bool,
    /// Since when something is held.
    since: Option<Instant>,
}

impl Framer {
    pub(super) const fn new(stream: Stream) -> Self {
        Self { stream, held: Vec::new(), continues: false, since: None }
    }

    /// Goes on in the middle of a line.
    pub(super) fn go_on(stream: Stream, line: Unfinished) -> Self {
        let since = (!line.held.is_empty()).then(Instant::now);
        Self { stream, held: line.held, continues: line.continues, since }
    }

    /// Stops in the middle of a line.
    pub(super) fn rest(self) -> Unfinished {
        Unfinished { held: self.held, continues: self.continues }
    }

    /// Appends the complete lines of `chunk` to `out`; gives how many there were.
    pub(super) fn feed(&mut self, chunk: &[u8], stamp: &Stamp, out: &mut Vec<u8>) -> u64 {
        let prefix = stamp.prefix(self.stream, false);
        let prefix = prefix.as_bytes();
        let mut lines = 0;
        let mut start = 0;
        // The prefixes of short lines may be a third of the output.
        out.reserve(chunk.len() + chunk.len() / 2);
        for end in memchr::memchr_iter(b'\n', chunk) {
            let line = &chunk[start..=end];
            start = end + 1;
            if self.held.is_empty() && !self.continues && line.len() <= MAX_LINE {
                out.extend_from_slice(prefix);
                out.extend_from_slice(line);
                lines += 1;
            } else {
                lines += self.hold(&line[..line.len() - 1], stamp, out);
                lines += self.release(stamp, out);
            }
        }
        lines + self.hold(&chunk[start..], stamp, out)
    }

    /// Keeps text of an unfinished line; writes out full pieces of it.
    fn hold(&mut self, mut text: &[u8], stamp: &Stamp, out: &mut Vec<u8>) -> u64 {
        let mut lines = 0;
        if self.held.is_empty() && !text.is_empty() {
            self.since = Some(Instant::now());
        }
        while self.held.len() + text.len() > MAX_LINE {
            let (piece, rest) = text.split_at(MAX_LINE - self.held.len());
            self.held.extend_from_slice(piece);
            text = rest;
            lines += self.release(stamp, out);
            self.continues = true;
        }
        self.held.extend_from_slice(text);
        lines
    }

    fn release(&mut self, stamp: &Stamp, out: &mut Vec<u8>) -> u64 {
        out.extend_from_slice(stamp.prefix(self.stream, self.continues).as_bytes());
        out.append(&mut self.held);
        out.push(b'\n');
        self.continues = false;
        1
    }

    /// When what is held should be written, if anything is.
    pub(super) fn due(&self) -> Option<Instant> {
        self.since.filter(|_| !self.held.is_empty()).map(|since| since + PATIENCE)
    }

    /// Writes out an unfinished line that waited long enough; what comes of it later continues it.
    pub(super) fn tick(&mut self, now: Instant, stamp: &Stamp, out: &mut Vec<u8>) -> u64 {
        if self.due().is_none_or(|due| due > now) {
            return 0;
        }
        let lines = self.release(stamp, out);
        self.continues = true;
        lines
    }

    /// The end of the stream: an unfinished line is a line.
    pub(super) fn finish(&mut self, stamp: &Stamp, out: &mut Vec<u8>) -> u64 {
        if self.held.is_empty() { 0 } else { self.release(stamp, out) }
    }
}

/// A line of the supervisor's own.
pub(super) fn own_line(text: &str, stamp: &Stamp) -> Vec<u8> {
    let mut out = stamp.prefix(Stream::Supervisor, false).into_bytes();
    out.extend(text.bytes().map(|b| if b == b'\n' { b' ' } else { b }));
    out.push(b'\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp() -> Stamp {
        Stamp("2026-01-02T03:04:05.678Z".into())
    }

    fn frame(chunks: &[&[u8]]) -> (String, u64) {
        let mut framer = Framer::new(Stream::Out);
        let mut out = Vec::new();
        let mut lines = 0;
        for chunk in chunks {
            lines += framer.feed(chunk, &stamp(), &mut out);
        }
        lines += framer.finish(&stamp(), &mut out);
        (String::from_utf8(out).unwrap(), lines)
    }

    #[test]
    fn lines_over_chunks_and_an_unfinished_last_one() {
        let (text, lines) = frame(&[b"one\ntw", b"o\n", b"\nlast"]);
        let expected: String = ["one", "two", "", "last"]
            .iter()
            .map(|l| format!("2026-01-02T03:04:05.678Z out {l}\n"))
            .collect();
        assert_eq!((text, lines), (expected, 4));
    }

    #[test]
    fn the_time_is_rfc_3339_in_utc_with_milliseconds() {
        let now = Stamp::now().0;
        assert_eq!(now.len(), 24, "{now}");
        assert!(now.ends_with('Z') && now.as_bytes()[19] == b'.', "{now}");
        assert!(now.parse::<Timestamp>().is_ok());
    }

    #[test]
    fn long_lines_are_split_and_marked() {
        let long = "x".repeat(MAX_LINE * 2 + 1);
        let (text, lines) = frame(&[long.as_bytes(), b"\nnext\n"]);
        assert_eq!(lines, 4);
        let tags: Vec<&str> = text.lines().map(|l| l.split(' ').nth(1).unwrap()).collect();
        assert_eq!(tags, ["out", "out+", "out+", "out"]);
    }

    #[test]
    fn a_line_without_an_end_is_written_after_a_while_and_continued() {
        let mut framer = Framer::new(Stream::Out);
        let mut out = Vec::new();
        let mut lines = framer.feed(b"user: ", &stamp(), &mut out);
        let due = framer.due().unwrap();
        lines += framer.tick(due - Duration::from_millis(1), &stamp(), &mut out);
        assert_eq!((lines, out.len()), (0, 0));
        lines += framer.tick(due, &stamp(), &mut out);
        assert_eq!((lines, framer.due()), (1, None));
        lines += framer.feed(b"me\nnext\n", &stamp(), &mut out);
        let text = String::from_utf8(out).unwrap().replace("2026-01-02T03:04:05.678Z ", "");
        assert_eq!((lines, text.as_str()), (3, "out user: \nout+ me\nout next\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_is_lost(
            chunks in prop::collection::vec(prop::collection::vec(
                prop_oneof![1 => Just(b'\n'), 6 => Just(b'a'), 1 => any::<u8>()], 0..200), 0..20),
            repeat in 1usize..900,
            slow in prop::collection::vec(any::<bool>(), 20),
        ) {
            let mut framer = Framer::new(Stream::Err);
            let (mut input, mut out) = (Vec::new(), Vec::new());
            let mut lines = 0;
            for (chunk, slow) in chunks.iter().zip(slow) {
                let chunk = chunk.repeat(if chunk.len() < 100 { repeat } else { 1 });
                lines += framer.feed(&chunk, &stamp(), &mut out);
                if slow && let Some(due) = framer.due() {
                    lines += framer.tick(due, &stamp(), &mut out);
                }
                input.extend(chunk);
            }
            lines += framer.finish(&stamp(), &mut out);
            let mut text = Vec::new();
            let mut count = 0;
            for line in out.split_inclusive(|b| *b == b'\n') {
                let continues = line.starts_with(b"2026-01-02T03:04:05.678Z err+ ");
                prop_assert!(continues || line.starts_with(b"2026-01-02T03:04:05.678Z err "));
                prop_assert!(text_of(line).len() <= MAX_LINE + 1);
                if continues {
                    text.pop();
                }
                text.extend_from_slice(text_of(line));
                count += 1;
            }
            if !input.is_empty() && !input.ends_with(b"\n") {
                input.push(b'\n');
            }
            prop_assert!(text == input);
            prop_assert_eq!(lines, count);
        }
    }
}
