//! A second thread for a flood: one reads and frames while the other writes.
//!
//! A pump starts it when output comes faster than it can be written, and ends it when that is
//! over. Invariant: batches reach the log in order, at most [`QUEUE`] of them wait, and dropping the
//! writer returns when all are written.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread::JoinHandle;

use super::ServiceLog;

/// Batches that may wait.
const QUEUE: usize = 2;

pub(super) struct Writer {
    queue: Option<SyncSender<(Vec<u8>, u64)>>,
    /// Buffers to use again.
    spare: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(log: Arc<ServiceLog>) -> io::Result<Self> {
        let (queue, batches) = mpsc::sync_channel::<(Vec<u8>, u64)>(QUEUE);
        let (used, spare) = mpsc::channel();
        let thread = std::thread::Builder::new()
            .name("log-write".into())
            .stack_size(128 * 1024)
            .spawn(move || {
                for (mut batch, lines) in batches {
                    log.commit(&batch, lines);
                    batch.clear();
                    // The pump may have ended.
                    let _ = used.send(batch);
                }
            })?;
        Ok(Self { queue: Some(queue), spare, thread: Some(thread) })
    }

    /// Hands over the batch and leaves an empty one; waits while the queue is full.
    pub(super) fn write(&self, batch: &mut Vec<u8>, lines: u64) {
        let full = std::mem::replace(batch, self.spare.try_recv().unwrap_or_default());
        if let Some(queue) = &self.queue {
            // The thread ends only when the queue does.
            let _ = queue.send((full, lines));
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
