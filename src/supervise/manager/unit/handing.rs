//! One service's outside, on its way from one program to the next in the same process.
//!
//! Invariant: between [`Unit::rest`] and [`Unit::go_on`] nothing is read from the service and nothing
//! is forgotten of it; what it writes meanwhile waits in its pipes.

use std::os::fd::{AsRawFd as _, RawFd};
use std::sync::Arc;
use std::time::Duration;

use super::Unit;
use crate::supervise::lease::Leased;
use crate::supervise::logs::{Pump, Remainder, Remains};
use crate::supervise::notify::NotifySocket;
use crate::supervise::reap;
use crate::supervise::spec::Gate;
use crate::supervise::state::{Generation, Output};
use crate::supervise::upgrade::Descriptors;
use crate::supervise::upgrade::state::{NotifyState, PipeState, UnitState};

impl Unit {
    /// Whether a command runs beside it.
    pub(in crate::supervise::manager) fn has_command(&self) -> bool {
        Arc::strong_count(&self.commands) > 1
    }

    /// Stops looking at it and hearing it; returns when no process that did so is left.
    pub(in crate::supervise::manager) async fn be_still(&mut self) {
        self.watch.end();
        self.watch.end_hearing();
        self.end_gate();
        // Whoever looks, and each of its commands, holds these until it has ended.
        while Arc::strong_count(&self.around) > 1 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Has its pump stop where it is.
    pub(in crate::supervise::manager) async fn rest(&mut self) {
        if let Some(pump) = self.pump.take() {
            self.remains = pump.rest().await;
        }
    }

    /// What another program needs; `descriptors` gets those that have to stay open.
    pub(in crate::supervise::manager) fn pack(&self, descriptors: &mut Vec<RawFd>) -> UnitState {
        let child = self.child.as_ref();
        let pipes = self.remains.as_ref().map(|Remains(streams)| {
            streams.each_ref().map(|stream| PipeState {
                descriptor: stream.pipe.as_ref().map(|pipe| pipe.as_raw_fd()),
                line: stream.line.clone(),
            })
        });
        let notify = self.notify.as_ref().map(|socket| NotifyState {
            descriptor: socket.descriptor(),
            address: socket.address().clone(),
            file: socket.file().map(Into::into),
        });
        descriptors.extend(pipes.iter().flatten().filter_map(|pipe| pipe.descriptor));
        descriptors.extend(notify.iter().map(|socket| socket.descriptor));
        UnitState {
            child: child.map(|c| Leased { pid: c.pid(), start_time: c.start() }),
            pipes,
            notify,
            probes: self.probes().kept(),
        }
    }

    /// Takes what another program packed: has its process as its child again, and waits for its end.
    pub(in crate::supervise::manager) fn unpack(
        &mut self,
        state: UnitState,
        descriptors: &mut Descriptors,
        generation: Generation,
    ) {
        let UnitState { child, pipes, notify, probes } = state;
        self.probes().go_on(probes);
        let mut remainder = |pipe: PipeState| Remainder {
            pipe: pipe.descriptor.and_then(|fd| descriptors.remove(&fd)).map(Into::into),
            line: pipe.line,
        };
        self.remains = pipes.map(|pipes| Remains(pipes.map(&mut remainder)));
        if let Some(NotifyState { descriptor, address, file }) = notify
            && let Some(socket) = descriptors.remove(&descriptor)
        {
            self.notify = Some(Arc::new(NotifySocket::adopt(socket, address, file)));
        }
        let Some(Leased { pid, start_time }) = child else { return };
        // It cannot be gone: it was not reaped.
        if let Some(child) = reap::adopt(pid, start_time) {
            let child = Arc::new(child);
            self.child = Some(child.clone());
            self.await_end(generation, child);
        }
    }

    /// Reads, hears and looks again.
    pub(in crate::supervise::manager) fn go_on(
        &mut self,
        generation: Generation,
        order: Option<Output>,
        gate: &Arc<dyn Gate>,
    ) {
        if let Some(remains) = self.remains.take() {
            match Pump::go_on(self.log.clone(), remains) {
                Ok(pump) => self.pump = Some(pump),
                Err(e) => self.note(&format!("its output is read no more: {e}")),
            }
        }
        self.hear(generation);
        if let Some(order) = order {
            self.perform(order, gate);
        }
    }
}
