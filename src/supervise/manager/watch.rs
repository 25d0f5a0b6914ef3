//! The tasks that look at one running service and hear what it says.
//!
//! Owns their ends: dropping or replacing one aborts it.

use std::sync::Arc;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::supervise::helper::Surroundings;
use crate::supervise::notify::NotifySocket;
use crate::supervise::probe;
use crate::supervise::reap::Child;
use crate::supervise::spec::{AliveProbe, AliveSpec, ProbeSpec};
use crate::supervise::state::Notice;

/// What a look found.
type Seen = Result<(), String>;

/// At most one look and one ear.
#[derive(Debug, Default)]
pub(super) struct Watch {
    looking: Option<JoinHandle<()>>,
    hearing: Option<JoinHandle<()>>,
}

impl Watch {
    /// Looks until it is ready; `tell` gets each new reason why it is not, then the success.
    pub(super) fn until_ready(
        &mut self,
        probe: ProbeSpec,
        child: Arc<Child>,
        around: Arc<Surroundings>,
        line: Option<oneshot::Receiver<()>>,
        tell: impl Fn(Seen) + Send + Sync + 'static,
    ) {
        self.end();
        self.looking = Some(tokio::spawn(async move {
            probe::until_ready(probe, child, around, line, |why| tell(Err(why))).await;
            tell(Ok(()));
        }));
    }

    /// Looks for as long as it runs.
    pub(super) fn keep_looking(
        &mut self,
        alive: AliveSpec,
        child: Arc<Child>,
        around: Arc<Surroundings>,
        tell: impl Fn(Seen) + Send + Sync + 'static,
    ) {
        self.end();
        let AliveProbe::Probe(probe) = alive.probe.clone() else { return };
        let look = probe::keep_looking(probe, alive, child, around, tell);
        self.looking = Some(tokio::spawn(look));
    }

    /// Stops looking.
    pub(super) fn end(&mut self) {
        if let Some(task) = self.looking.take() {
            task.abort();
        }
    }

    /// Hears what it says until it has ended.
    pub(super) fn hear(
        &mut self,
        socket: Arc<NotifySocket>,
        child: Arc<Child>,
        tell: impl Fn(Notice) + Send + Sync + 'static,
    ) {
        self.end_hearing();
        self.hearing = Some(tokio::spawn(socket.hear(child, tell)));
    }

    /// Stops hearing.
    pub(super) fn end_hearing(&mut self) {
        if let Some(task) = self.hearing.take() {
            task.abort();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end();
        self.end_hearing();
    }
}
