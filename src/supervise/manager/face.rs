//! The loop's surroundings: events out, orphans collected.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio_util::sync::CancellationToken;

use crate::supervise::logs::{Follower, Logs};
use crate::supervise::reap;
use crate::supervise::status::{Event, Record};

/// Collects orphans that ended, whenever some child did.
pub(super) fn collect_strays() -> io::Result<impl Future<Output = ()> + Send> {
    let mut ended = signal(SignalKind::child())?;
    Ok(async move {
        while ended.recv().await.is_some() {
            // A service's own sweep collects most; and many end at once.
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = tokio::task::spawn_blocking(reap::collect_strays).await;
        }
    })
}

/// Hands events to a face. However slow it is, only this task waits for it.
pub(super) async fn forward(
    mut events: broadcast::Receiver<Record>,
    logs: Option<Arc<Logs>>,
    face: mpsc::Sender<Event>,
    ended: CancellationToken,
) {
    let mut lines = logs.map(|logs| {
        let all = logs.pick(&[]).unwrap_or_default();
        Follower::new(all, logs.news())
    });
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
                Err(RecvError::Closed) => return,
            },
            batch = news => batch,
            () = ended.cancelled() => return,
        };
        for event in batch {
            if face.send(event).await.is_err() {
                return;
            }
        }
    }
}
