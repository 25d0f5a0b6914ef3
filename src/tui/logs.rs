//! Lines of services, as the pane shows them.
//!
//! Holds a bounded number of bytes, the oldest lines go first. Knows which lines are wanted
//! (service, text) and where the reader stands. Invariant: a reader who scrolled back sees the same
//! lines while new ones come.

use std::collections::VecDeque;

use crate::base::ServiceName;

/// How many bytes of lines are kept.
const BUDGET: usize = 4 << 20;

/// The longest part of a line that is kept: its file has the rest.
const LONGEST: usize = 16 << 10;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) service: ServiceName,
    /// Whether it came from standard error.
    pub(super) is_error: bool,
    /// Without escape sequences.
    pub(super) text: String,
}

/// Which lines are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filter {
    /// Only this service's.
    pub(super) service: Option<ServiceName>,
    /// Only lines with this text, letter case ignored when it has no capitals.
    pub(super) text: String,
}

impl Filter {
    fn wants(&self, line: &Line) -> bool {
        if self.service.as_ref().is_some_and(|wanted| *wanted != line.service) {
            return false;
        }
        if self.text.is_empty() {
            return true;
        }
        if self.text.chars().any(char::is_uppercase) {
            line.text.contains(&self.text)
        } else {
            line.text.to_lowercase().contains(&self.text)
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Pane {
    lines: VecDeque<Line>,
    bytes: usize,
    pub(super) filter: Filter,
    /// How many wanted lines lie below the last one shown; none while following.
    back: usize,
}

impl Pane {
    /// Takes whole lines as a service's log has them.
    pub(super) fn push(&mut self, service: &ServiceName, text: &str) {
        for raw in text.lines() {
            let (is_error, own) = own_part(raw);
            let cut = own.floor_char_boundary(LONGEST);
            let line = Line {
                service: service.clone(),
                is_error,
                text: anstream::adapter::strip_str(&own[..cut]).to_string().replace('\t', "    "),
            };
            if self.back > 0 && self.filter.wants(&line) {
                self.back += 1;
            }
            self.bytes += line.text.len() + size_of::<Line>();
            self.lines.push_back(line);
        }
        while self.bytes > BUDGET {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.text.len() + size_of::<Line>();
        }
    }

    /// The wanted lines that fill a pane of this height, oldest first.
    pub(super) fn window(&mut self, height: usize) -> Vec<&Line> {
        if self.back > 0 {
            let wanted = self.lines.iter().filter(|line| self.filter.wants(line)).count();
            self.back = self.back.min(wanted.saturating_sub(height));
        }
        let newest_first = self.lines.iter().rev().filter(|line| self.filter.wants(line));
        let mut shown: Vec<&Line> = newest_first.skip(self.back).take(height).collect();
        shown.reverse();
        shown
    }

    pub(super) fn up(&mut self, by: usize) {
        self.back = self.back.saturating_add(by);
    }

    pub(super) fn down(&mut self, by: usize) {
        self.back = self.back.saturating_sub(by);
    }

    /// To the newest line, and on with it.
    pub(super) fn follow(&mut self) {
        self.back = 0;
    }

    pub(super) const fn follows(&self) -> bool {
        self.back == 0
    }

    /// Lines of these services only, and from the newest on.
    pub(super) fn only(&mut self, service: Option<ServiceName>) {
        self.filter.service = service;
        self.follow();
    }
}

/// The service's own part of a line, and whether it is from standard error.
fn own_part(line: &str) -> (bool, &str) {
    let mut parts = line.splitn(3, ' ');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(_time), Some("out" | "out+" | "sup"), own) => (false, own.unwrap_or_default()),
        (Some(_time), Some("err" | "err+"), own) => (true, own.unwrap_or_default()),
        _ => (false, line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> ServiceName {
        ServiceName::new(text).unwrap()
    }

    fn texts(pane: &mut Pane, height: usize) -> Vec<String> {
        pane.window(height).into_iter().map(|l| l.text.clone()).collect()
    }

    #[test]
    fn a_log_cannot_draw_outside_its_pane() {
        let mut pane = Pane::default();
        pane.push(&name("a"), "T out \x1b[2J\x1b[31mred\x1b[0m \x1b]0;title\x07end\tx\n");
        assert_eq!(texts(&mut pane, 5), ["red end    x"]);
    }

    #[test]
    fn who_scrolled_back_stays_where_they_are() {
        let mut pane = Pane::default();
        for n in 0..10 {
            pane.push(&name("a"), &format!("T out line {n}\n"));
        }
        pane.up(3);
        assert_eq!(texts(&mut pane, 2), ["line 5", "line 6"]);
        pane.push(&name("a"), "T out line 10\nT err line 11\n");
        assert_eq!(texts(&mut pane, 2), ["line 5", "line 6"]);
        pane.up(1000);
        assert_eq!(texts(&mut pane, 2), ["line 0", "line 1"]);
        assert!(!pane.follows());
        pane.follow();
        assert_eq!(texts(&mut pane, 2), ["line 10", "line 11"]);
    }

    #[test]
    fn filters_by_service_and_text() {
        let mut pane = Pane::default();
        pane.push(&name("a"), "T out Hello\nT err hell\n");
        pane.push(&name("b"), "T out hello b\n");
        pane.filter.text = "hello".into();
        assert_eq!(texts(&mut pane, 9), ["Hello", "hello b"]);
        pane.filter.text = "Hello".into();
        assert_eq!(texts(&mut pane, 9), ["Hello"]);
        pane.filter.text.clear();
        pane.only(Some(name("b")));
        assert_eq!(texts(&mut pane, 9), ["hello b"]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut pane = Pane::default();
        let line = format!("T out {}\n", "x".repeat(LONGEST * 2));
        for _ in 0..1000 {
            pane.push(&name("a"), &line);
        }
        assert!(pane.bytes <= BUDGET && pane.lines.len() > 100, "{} bytes", pane.bytes);
        assert_eq!(pane.lines[0].text.len(), LONGEST);
    }
}
