//! Progress bars on a terminal, one for each piece of work under way.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::base::{Reporter, Task};

/// Draws tasks as bars (with a total) or spinners (without) on stderr.
pub struct Bars {
    multi: MultiProgress,
}

impl Bars {
    /// No bars yet.
    pub fn new() -> Self {
        Self { multi: MultiProgress::new() }
    }

    /// Runs something that prints, with the bars out of the way.
    pub fn suspend<R>(&self, print: impl FnOnce() -> R) -> R {
        self.multi.suspend(print)
    }
}

impl Default for Bars {
    fn default() -> Self {
        Self::new()
    }
}

struct Bar(ProgressBar);

impl Reporter for Bars {
    fn begin(&self, label: &str, total: Option<u64>) -> Arc<dyn Task> {
        let template = if total.is_some() {
            "  {prefix:28!} {bar:24} {bytes:>11}/{total_bytes:<11} {msg}"
        } else {
            "  {prefix:28!} {spinner} {msg}"
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("━╸ ");
        let bar = match total {
            Some(total) => ProgressBar::new(total),
            None => ProgressBar::new_spinner(),
        };
        let bar = self.multi.add(bar.with_style(style).with_prefix(label.to_owned()));
        if total.is_none() {
            bar.enable_steady_tick(Duration::from_millis(100));
        }
        Arc::new(Bar(bar))
    }

    fn note(&self, message: &str) {
        let _ = self.multi.println(message);
    }

    fn warn(&self, message: &str) {
        let _ = self.multi.println(format!("warning: {message}"));
    }
}

impl Task for Bar {
    fn advance(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn stage(&self, stage: &str) {
        self.0.set_message(stage.to_owned());
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
