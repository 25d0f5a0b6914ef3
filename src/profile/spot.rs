//! Places in profile files.
//!
//! Invariant: a [`Spot`]'s range lies inside its source's text, on character boundaries.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::Excerpt;

/// A profile file's text.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// The file as messages show it, relative to the project.
    pub shown: PathBuf,
    /// Where it lies.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
}

/// A place in a source.
#[derive(Clone, PartialEq, Eq)]
pub struct Spot {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Spot {
    /// A byte range of a source; one that does not fit is cut to what does.
    pub(super) fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let floor = |at: usize| {
            let mut at = at.min(source.text.len());
            while !source.text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = floor(span.start);
        let end = floor(span.end).max(start);
        Self { source: Arc::clone(source), span: start..end }
    }

    /// A part of this place, in bytes from its start.
    pub(super) fn part(&self, part: Range<usize>) -> Self {
        let start = self.span.start;
        Self::new(&self.source, start + part.start..(start + part.end).min(self.span.end))
    }

    /// Where its file lies.
    pub(super) fn file(&self) -> &Path {
        &self.source.path
    }

    /// Whether it stands before another place of the same file.
    pub(super) fn is_before(&self, other: &Self) -> bool {
        self.source.path == other.source.path && self.span.start < other.span.start
    }

    /// The byte range.
    pub(super) fn range(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The part of a TOML string that holds a byte range of its value: exact where the string is
    /// written without escapes, else the whole string.
    pub(super) fn inside(&self, value: &str, part: Range<usize>) -> Self {
        let written = self.text();
        let triple = written.starts_with("\"\"\"") || written.starts_with("'''");
        let quotes = if triple { 3 } else { 1 };
        let quoted = written.get(quotes..).unwrap_or_default();
        let newline = ["\r\n", "\n"].into_iter().find(|n| triple && quoted.starts_with(n));
        let skip = newline.map_or(0, str::len);
        let start = quotes + skip;
        if quoted.get(skip..).is_some_and(|rest| rest.starts_with(value)) {
            self.part(start + part.start..start + part.end)
        } else {
            self.clone()
        }
    }

    /// The same place with its credentials (`//USER:PASSWORD@`) made unreadable, for an error that
    /// shows a value which must not be repeated.
    pub(super) fn masked(&self) -> Self {
        let written = self.text();
        let start = written.find("//").map_or(0, |i| i + 2);
        let end = written.rfind('@').filter(|end| *end > start).unwrap_or(written.len());
        let (start, end) = (self.span.start + start, self.span.start + end);
        let text = &self.source.text;
        let stars = "*".repeat(end - start);
        let source = Source {
            shown: self.source.shown.clone(),
            path: self.source.path.clone(),
            text: format!("{}{stars}{}", &text[..start], &text[end..]),
        };
        Self { source: Arc::new(source), span: self.span.clone() }
    }

    /// The text at this place.
    pub(super) fn text(&self) -> &str {
        &self.source.text[self.span.clone()]
    }

    /// Line and column, both from 1; the column counts characters.
    pub fn line_column(&self) -> (usize, usize) {
        let before = &self.source.text[..self.span.start];
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The place as an error shows it.
    pub(super) fn excerpt(&self, label: &str) -> Excerpt {
        Excerpt {
            file: self.source.shown.clone(),
            text: self.source.text.clone(),
            span: self.span.clone(),
            label: label.to_owned(),
        }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source.shown.display(), self.line_column().0)
    }
}

impl fmt::Debug for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{:?}]", self.source.shown.display(), self.span)
    }
}

/// A value and the place where it is written.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spanned<T> {
    /// The value.
    pub(super) value: T,
    /// Its place.
    pub(super) spot: Spot,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_lines_and_characters() {
        let source = Arc::new(Source {
            shown: PathBuf::from("a.toml"),
            path: PathBuf::from("/a.toml"),
            text: "x = 1\nä = 22\n".to_owned(),
        });
        let spot = Spot::new(&source, 11..13);
        assert_eq!((spot.text(), spot.line_column()), ("22", (2, 5)));
        assert_eq!(spot.to_string(), "a.toml:2");
        assert_eq!(
            Spot::new(&source, 7..99).text(),
            "ä = 22\n",
            "cut to the text, whole characters"
        );
        assert_eq!(spot.part(1..9).text(), "2");
    }
}
