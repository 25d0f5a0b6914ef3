//! Writing the text exposition format, version 0.0.4.
//!
//! Invariant: every sample follows the `# TYPE` of its family, and label values are escaped.

use std::fmt::Write as _;

use super::histogram::Histogram;

/// A page of metrics in the making.
#[derive(Debug, Default)]
pub(super) struct Page(String);

/// Labels of one sample.
pub(super) type Labels<'a> = &'a [(&'static str, &'a str)];

impl Page {
    /// Begins a family. `kind` is `counter`, `gauge` or `histogram`.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}");
        let _ = writeln!(self.0, "# TYPE {name} {kind}");
    }

    /// A sample that is a whole number.
    pub(super) fn int(&mut self, name: &str, labels: Labels<'_>, value: u64) {
        self.labelled(name, labels);
        let _ = writeln!(self.0, " {value}");
    }

    /// A sample that is not.
    pub(super) fn float(&mut self, name: &str, labels: Labels<'_>, value: f64) {
        self.labelled(name, labels);
        let _ = writeln!(self.0, " {value}");
    }

    /// All samples of a histogram.
    pub(super) fn histogram(&mut self, name: &str, labels: Labels<'_>, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        let mut with = labels.to_vec();
        for (bound, count) in histogram.cumulated() {
            let bound = bound.to_string();
            let mut with = with.clone();
            with.push(("le", &bound));
            self.int(&bucket, &with, count);
        }
        with.push(("le", "+Inf"));
        self.int(&bucket, &with, histogram.count());
        self.float(&format!("{name}_sum"), labels, histogram.sum());
        self.int(&format!("{name}_count"), labels, histogram.count());
    }

    pub(super) fn finish(self) -> String {
        self.0
    }

    fn labelled(&mut self, name: &str, labels: Labels<'_>) {
        self.0.push_str(name);
        for (n, (label, value)) in labels.iter().enumerate() {
            self.0.push(if n == 0 { '{' } else { ',' });
            let _ = write!(self.0, "{label}=\"");
            for c in value.chars() {
                match c {
                    '\\' => self.0.push_str("\\\\"),
                    '"' => self.0.push_str("\\\""),
                    '\n' => self.0.push_str("\\n"),
                    c => self.0.push(c),
                }
            }
            self.0.push('"');
        }
        if !labels.is_empty() {
            self.0.push('}');
        }
    }
}
