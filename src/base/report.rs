//! Progress, as libraries tell it: no terminal here.
//!
//! Rooms that take time are handed a [`Reporter`]; the command line draws bars with it, everything
//! else uses [`Quiet`].

use std::sync::Arc;

/// Receives progress. Implementations must not block.
pub trait Reporter: Send + Sync {
    /// A piece of work begins, e.g. `nats-server 2.15.1`; `total` is bytes where it is known.
    fn begin(&self, label: &str, total: Option<u64>) -> Arc<dyn Task>;

    /// Something worth a line that is not an error.
    fn note(&self, message: &str);

    /// Something that the user should look at, though the work goes on.
    fn warn(&self, message: &str);
}

/// One piece of work under way; ends when dropped.
pub trait Task: Send + Sync {
    /// `bytes` more are done.
    fn advance(&self, bytes: u64);

    /// What is being done now, e.g. `unpacking`.
    fn stage(&self, stage: &str);

    /// Another process is in the way: `holder` says who holds what, e.g. `infra store gc (pid 7)`.
    /// Called once for each wait.
    fn waiting(&self, holder: &str) {
        self.stage(&format!("waiting for {holder}"));
    }
}

/// Says nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Reporter for Quiet {
    fn begin(&self, _label: &str, _total: Option<u64>) -> Arc<dyn Task> {
        Arc::new(Quiet)
    }
    fn note(&self, _message: &str) {}
    fn warn(&self, _message: &str) {}
}

impl Task for Quiet {
    fn advance(&self, _bytes: u64) {}
    fn stage(&self, _stage: &str) {}
}
