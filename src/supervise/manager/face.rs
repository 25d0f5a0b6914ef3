//! The loop's surroundings: events out, orphans collected.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::supervise::logs::Follower;
use crate::supervise::reap;
use crate::supervise::status::{Event, Record};

/// Says that some child ended.
pub(super) fn children() -> io::Result<Signal> {
    signal(SignalKind::child())
}

/// Collects orphans that ended, whenever some child did.
pub(super) async fn collect_strays(mut ended: Signal) {
    while ended.recv().await.is_some() {
        // A service's own sweep collects most; and many end at once.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let _ = tokio::task::spawn_blocking(reap::collect_strays).await;
    }
}

/// Counts the events that a face was given, and those it has shown.
#[derive(Debug, Default)]
pub struct Showing {
    given: AtomicU64,
    shown: AtomicU64,
}

impl Showing {
    /// An event was shown. The face calls it after each.
    pub fn shown(&self) {
        self.shown.fetch_add(1, Ordering::Release);
    }

    /// Whether everything that was given has been shown.
    pub(super) fn is_done(&self) -> bool {
        self.shown.load(Ordering::Acquire) >= self.given.load(Ordering::Relaxed)
    }
}

/// What a face is still to be given: events, and lines of logs where it wants them.
pub(super) type Feed = (broadcast::Receiver<Record>, Option<Follower>);

/// Hands events to a face. However slow it is, only this task waits for it. Told to end, it first
/// gives what there is; whoever goes on gets the rest. `None` when there is no face any more.
pub(super) async fn forward(
    (mut events, mut lines): Feed,
    face: mpsc::Sender<Event>,
    showing: Arc<Showing>,
    ended: CancellationToken,
) -> Option<Feed> {
    loop {
        let news = async {
            match &mut lines {
                Some(lines) => lines.next().await,
                None => std::future::pending().await,
            }
        };
        let batch = tokio::select! {
            biased;
            event = events.recv() => match event {
                Ok(record) => vec![record.event],
                Err(RecvError::Lagged(count)) => vec![Event::Missed { count, service: None }],
                Err(RecvError::Closed) => return None,
            },
            batch = news => batch,
            () = ended.cancelled() => return Some((events, lines)),
        };
        for event in batch {
            if face.send(event).await.is_err() {
                return None;
            }
            showing.given.fetch_add(1, Ordering::Relaxed);
        }
    }
}
