//! Streams: events and log lines as they come.
//!
//! A stream is polled by its connection alone, so a client that reads slowly or goes away holds up
//! nobody: it misses something and is told how much. Ends with the run.

use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::Stream;
use futures_util::stream;
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::supervise::logs::{Follower, ServiceLog};
use crate::supervise::status::{Event, Record};

/// Records that were kept, then those that come. `live` was subscribed before `kept` was read.
pub(super) fn events(
    kept: Vec<Record>,
    live: broadcast::Receiver<Record>,
    ended: CancellationToken,
) -> impl Stream<Item = Vec<Record>> + Send {
    let last = kept.last().map_or(0, |r| r.seq);
    let state = (VecDeque::from([kept]), live, ended, last);
    stream::unfold(state, |(mut kept, mut live, ended, last)| async move {
        if let Some(batch) = kept.pop_front() {
            return Some((batch, (kept, live, ended, last)));
        }
        loop {
            let record = tokio::select! {
                biased;
                record = live.recv() => record,
                () = ended.cancelled() => return None,
            };
            match record {
                Ok(record) if record.seq <= last => {}
                Ok(record) => return Some((vec![record], (kept, live, ended, last))),
                Err(RecvError::Lagged(count)) => {
                    let missed = Record {
                        seq: last,
                        at: format!("{:.3}", jiff::Timestamp::now()),
                        run: String::new(),
                        event: Event::Missed { count, service: None },
                    };
                    return Some((vec![missed], (kept, live, ended, last)));
                }
                Err(RecvError::Closed) => return None,
            }
        }
    })
}

/// The newest lines of some logs, then, with `follow`, those that come.
pub(super) fn logs(
    logs: Vec<Arc<ServiceLog>>,
    lines: usize,
    follow: bool,
    news: Arc<tokio::sync::Notify>,
    ended: CancellationToken,
) -> impl Stream<Item = Vec<Event>> + Send {
    let (follower, tail) = Follower::with_tail(logs, lines, news);
    stream::unfold(
        (Some(tail), follower, ended, follow),
        |(tail, mut follower, ended, follow)| async move {
            if let Some(tail) = tail {
                return Some((tail, (None, follower, ended, follow)));
            }
            if !follow {
                return None;
            }
            let batch = tokio::select! {
                biased;
                batch = follower.next() => batch,
                () = ended.cancelled() => return None,
            };
            Some((batch, (None, follower, ended, follow)))
        },
    )
}
