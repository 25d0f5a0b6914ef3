//! The loop's surroundings: signals in, events out, orphans collected.

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

/// SIGINT, SIGTERM and SIGHUP.
pub(super) struct Signals {
    listening: Option<[Signal; 3]>,
    interrupts: u32,
}

impl Signals {
    pub(super) fn listen(really: bool) -> io::Result<Self> {
        let listening = if really {
            Some([
                signal(SignalKind::interrupt())?,
                signal(SignalKind::terminate())?,
                signal(SignalKind::hangup())?,
            ])
        } else {
            None
        };
        Ok(Self { listening, interrupts: 0 })
    }

    /// Whether one came that was not taken yet; it is taken with this.
    pub(super) fn came(&mut self) -> Option<bool> {
        use std::task::{Context, Poll, Waker};
        let next = std::pin::pin!(self.next());
        match next.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(kill) => kill,
            Poll::Pending => None,
        }
    }

    /// The next one: `true` when all should end at once. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Option<bool> {
        let Some([interrupt, terminate, hangup]) = &mut self.listening else {
            return std::future::pending().await;
        };
        tokio::select! {
            got = interrupt.recv() => {
                got?;
                self.interrupts += 1;
                Some(self.interrupts > 1)
            }
            got = terminate.recv() => got.map(|()| false),
            // A closed terminal may send more than one; it never means "at once".
            got = hangup.recv() => got.map(|()| false),
        }
    }
}

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
