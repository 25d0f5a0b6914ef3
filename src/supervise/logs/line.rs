//! A line of a log file, taken apart.
//!
//! The reading side of `frame`. Refuses nothing: what is no line of ours (written by a hand, or cut
//! off by a kill) is given as it is by [`Line::any`].

use jiff::Timestamp;

/// Where a line comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The supervisor's own words.
    Supervisor,
}

/// A line without its newline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// UTC, milliseconds, as written; empty where there is none.
    pub time: &'a str,
    /// Where it comes from.
    pub stream: Stream,
    /// It goes on with the line of its stream before.
    pub continues: bool,
    /// What was written.
    pub text: &'a [u8],
}

impl<'a> Line<'a> {
    /// Takes a line apart; `None` when it is none of ours.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let (time, rest) = line.split_at_checked(24)?;
        let (tag, text) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
        let time = std::str::from_utf8(time).ok()?;
        let stream = match tag {
            b"out" => Stream::Stdout,
            b"err" => Stream::Stderr,
            b"sup" => Stream::Supervisor,
            _ => return None,
        };
        if !(time.ends_with('Z') && time.as_bytes()[10] == b'T') {
            return None;
        }
        let (continues, text) = match text.strip_prefix(b"+") {
            Some(text) => (true, text),
            None => (false, text),
        };
        Some(Self { time, stream, continues, text: text.strip_prefix(b" ")? })
    }

    /// Takes a line apart; one that is none of ours is text without a time.
    pub fn any(line: &'a [u8]) -> Self {
        let plain = Self { time: "", stream: Stream::Stdout, continues: false, text: line };
        Self::parse(line).unwrap_or(plain)
    }

    /// When it was written.
    pub fn timestamp(&self) -> Option<Timestamp> {
        self.time.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_of_ours_and_others() {
        let line = Line::parse(b"2026-01-02T03:04:05.678Z err+ a \xff b").unwrap();
        assert_eq!((line.stream, line.continues), (Stream::Stderr, true));
        assert_eq!(line.text, b"a \xff b");
        assert_eq!(line.timestamp().unwrap().as_millisecond(), 1_767_323_045_678);
        assert_eq!(Line::parse(b"2026-01-02T03:04:05.678Z out ").unwrap().text, b"");
        for other in ["", "2026", "2026-01-02T03:04:05.678Z", "2026-01-02T03:04:05.678Z oops x"] {
            assert_eq!(Line::parse(other.as_bytes()), None);
            assert_eq!(Line::any(other.as_bytes()).text, other.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = Line::parse(&bytes);
        }
    }
}
