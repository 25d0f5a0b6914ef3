//! The newest lines of one service, for live readers.
//!
//! A byte ring of whole lines with absolute positions. Writers never wait for readers. Invariant:
//! holds at most its capacity and always whole lines; a reader whose place was overwritten learns
//! how many lines it missed.

use std::collections::VecDeque;

/// A reader's place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    byte: u64,
    line: u64,
}

pub(super) struct Ring {
    bytes: VecDeque<u8>,
    capacity: usize,
    /// Where the oldest line kept starts.
    start: Place,
    /// Where the next line will start.
    end: Place,
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

impl Ring {
    pub(super) fn new(capacity: usize) -> Self {
        let (start, end) = (Place::default(), Place::default());
        Self { bytes: VecDeque::new(), capacity, start, end }
    }

    /// Appends whole lines.
    pub(super) fn push(&mut self, batch: &[u8], lines: u64) {
        self.end.byte += batch.len() as u64;
        self.end.line += lines;
        if batch.len() > self.capacity {
            let cut = batch.len() - self.capacity;
            let keep = memchr::memchr(b'\n', &batch[cut..]).map_or(batch.len(), |at| cut + at + 1);
            self.bytes.clear();
            self.bytes.extend(&batch[keep..]);
            self.start.byte = self.end.byte - self.bytes.len() as u64;
            self.start.line = self.end.line - newlines(&batch[keep..]);
            return;
        }
        let over = (self.bytes.len() + batch.len()).saturating_sub(self.capacity);
        if over > 0 {
            self.evict(over);
        }
        self.bytes.extend(batch);
    }

    /// Drops at least `count` bytes, up to the end of a line.
    fn evict(&mut self, count: usize) {
        let (front, back) = self.bytes.as_slices();
        let from = count - 1;
        let find = |slice: &[u8], from: usize| {
            memchr::memchr(b'\n', slice.get(from..)?).map(|at| from + at + 1)
        };
        let cut = find(front, from)
            .or_else(|| Some(front.len() + find(back, from.saturating_sub(front.len()))?))
            .unwrap_or(self.bytes.len());
        let in_front = cut.min(front.len());
        let lines = newlines(&front[..in_front]) + newlines(&back[..cut - in_front]);
        self.bytes.drain(..cut);
        self.start.byte += cut as u64;
        self.start.line += lines;
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Where new lines will be.
    pub(super) fn end(&self) -> Place {
        self.end
    }

    /// Whole lines after `place`, at most about `limit` bytes (one line at least), how many were
    /// missed, and the next place.
    pub(super) fn read(&self, place: Place, limit: usize) -> (Vec<u8>, u64, Place) {
        let missed = self.start.line.saturating_sub(place.line);
        let from = if place.byte < self.start.byte { self.start } else { place };
        let skip = usize::try_from(from.byte - self.start.byte).unwrap_or(usize::MAX);
        let mut text: Vec<u8> = self.copy(skip, skip.saturating_add(limit));
        if from.byte + (text.len() as u64) < self.end.byte {
            match memchr::memrchr(b'\n', &text) {
                Some(at) => text.truncate(at + 1),
                None => text = self.copy(skip, usize::MAX),
            }
        }
        let next = Place { byte: from.byte + text.len() as u64, line: from.line + newlines(&text) };
        (text, missed, next)
    }

    /// The last `count` lines.
    pub(super) fn tail(&self, count: usize) -> Vec<u8> {
        if count == 0 {
            return Vec::new();
        }
        let all = self.copy(0, usize::MAX);
        // The last newline ends the last line; the one `count` before it ends the line before.
        let cut = memchr::memrchr_iter(b'\n', &all).nth(count).map_or(0, |at| at + 1);
        all[cut..].to_vec()
    }

    fn copy(&self, from: usize, to: usize) -> Vec<u8> {
        let to = to.min(self.bytes.len());
        let (front, back) = self.bytes.as_slices();
        let part = |slice: &[u8], offset: usize| {
            let a = from.saturating_sub(offset).min(slice.len());
            let b = to.saturating_sub(offset).min(slice.len());
            slice[a..b.max(a)].to_vec()
        };
        let mut out = part(front, 0);
        out.extend(part(back, front.len()));
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_slow_reader_learns_what_it_missed() {
        let mut ring = Ring::new(20);
        let place = ring.end();
        for n in 0..10 {
            ring.push(format!("line {n}\n").as_bytes(), 1);
        }
        let (text, missed, next) = ring.read(place, 1000);
        assert_eq!((text.as_slice(), missed), (&b"line 8\nline 9\n"[..], 8));
        assert_eq!(ring.read(next, 1000), (Vec::new(), 0, next));
        assert_eq!(ring.tail(1), b"line 9\n");
        assert_eq!(ring.tail(9), b"line 8\nline 9\n");
    }

    proptest! {
        #[test]
        fn every_line_is_read_or_counted(
            capacity in 1usize..80,
            steps in prop::collection::vec((prop::collection::vec(0usize..30, 0..6), any::<bool>(), 1usize..60), 0..40),
        ) {
            let mut ring = Ring::new(capacity);
            let mut place = ring.end();
            let (mut sent, mut got) = (0u64, 0u64);
            let mut take = |ring: &Ring, limit: usize| {
                let (text, missed, next) = ring.read(place, limit);
                assert!(text.is_empty() || text.ends_with(b"\n"));
                place = next;
                got += missed;
                for line in text.split_inclusive(|b| *b == b'\n') {
                    let number: u64 = std::str::from_utf8(line).unwrap().trim_end_matches(['x', '\n'])
                        .parse().unwrap();
                    assert_eq!(number, got);
                    got += 1;
                }
                text.len()
            };
            for (lines, read, limit) in steps {
                let mut batch = String::new();
                for length in &lines {
                    batch += &format!("{sent}{}\n", "x".repeat(*length));
                    sent += 1;
                }
                ring.push(batch.as_bytes(), lines.len() as u64);
                prop_assert!(ring.bytes.len() <= capacity);
                if read {
                    take(&ring, limit);
                }
            }
            while take(&ring, 10) > 0 {}
            prop_assert_eq!(sent, got);
        }
    }
}
