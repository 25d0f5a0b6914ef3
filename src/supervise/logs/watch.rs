//! Looking for a text in the lines a service writes.
//!
//! Invariant: it is found also where a line was written in pieces, and it is told only after the
//! line is in the file.

use tokio::sync::oneshot;

use super::line::Line;

/// Tells when a line holds a text.
pub(in crate::supervise) struct LineWatch {
    pub(in crate::supervise) text: String,
    pub(in crate::supervise) seen: oneshot::Sender<()>,
}

/// A watch at work.
pub(super) struct Watch {
    of: LineWatch,
    /// The end of the newest line of each stream, as long as the text could begin in it.
    ends: [Vec<u8>; 3],
}

impl Watch {
    pub(super) fn new(of: LineWatch) -> Self {
        Self { of, ends: Default::default() }
    }

    /// Looks through framed lines; gives itself back unless the text was found and told.
    pub(super) fn look(mut self, batch: &[u8]) -> Option<Self> {
        let needle = self.of.text.as_bytes();
        for line in batch.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            let Some(line) = Line::parse(line) else { continue };
            let end = &mut self.ends[line.stream as usize];
            if !line.continues {
                end.clear();
            }
            end.extend_from_slice(line.text);
            if memchr::memmem::find(end, needle).is_some() {
                // Whoever waited may have gone.
                let _ = self.of.seen.send(());
                return None;
            }
            let old = end.len().saturating_sub(needle.len());
            end.drain(..old);
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_a_text_in_pieces_of_one_line_but_not_across_lines_or_streams() {
        let looks = |batches: &[&str]| {
            let (seen, mut told) = oneshot::channel();
            let mut watch = Some(Watch::new(LineWatch { text: "listening".into(), seen }));
            for batch in batches {
                watch = watch.and_then(|w| w.look(batch.as_bytes()));
            }
            told.try_recv().is_ok()
        };
        const T: &str = "2026-01-02T03:04:05.678Z";
        assert!(looks(&[&format!("{T} out is listening on\n")]));
        assert!(looks(&[&format!("{T} out list\n{T} err x\n"), &format!("{T} out+ ening\n")]));
        assert!(!looks(&[&format!("{T} out list\n{T} out ening\n")]));
        assert!(!looks(&[&format!("{T} out list\n{T} err+ ening\n")]));
    }
}
