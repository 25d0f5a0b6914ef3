//! What serves people and programs while the loop runs: the listeners, the face, the collector of
//! orphans.
//!
//! Can be closed and opened again around an attempt to put another program into the process:
//! listeners stay bound all the time, so whoever connects meanwhile only waits. Invariant: when
//! [`Outside::close`] has returned, every request that was taken has its answer and every stream its
//! end.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use super::face::{self, Feed, Showing};
use crate::supervise::control::server::{Access, Server};
use crate::supervise::control::tcp::Loopback;
use crate::supervise::logs::Follower;
use crate::supervise::status::Event;

/// How long a face may take to show what it has.
const SHOWING: Duration = Duration::from_secs(10);

/// And at the end of a run.
const LAST_SHOWING: Duration = Duration::from_secs(2);

pub(super) struct Outside {
    server: Arc<Server>,
    loopback: Vec<Arc<Loopback>>,
    access: Access,
    served: JoinSet<()>,
    /// Where events go, and whether log lines are among them.
    face: Option<(mpsc::Sender<Event>, bool)>,
    showing: Arc<Showing>,
    /// Ends the face's task once it has given everything.
    unfaced: CancellationToken,
    forward: Option<JoinHandle<Option<Feed>>>,
    strays: JoinHandle<()>,
}

impl Outside {
    pub(super) fn open(
        server: Server,
        loopback: Vec<Loopback>,
        access: Access,
        face: Option<(mpsc::Sender<Event>, bool)>,
        showing: Arc<Showing>,
        strays: JoinHandle<()>,
    ) -> Self {
        let mut outside = Self {
            server: Arc::new(server),
            loopback: loopback.into_iter().map(Arc::new).collect(),
            access,
            served: JoinSet::new(),
            face,
            showing,
            unfaced: CancellationToken::new(),
            forward: None,
            strays,
        };
        outside.reopen();
        outside
    }

    /// Serves, at first and after [`Self::close`].
    pub(super) fn reopen(&mut self) {
        self.access.ended = CancellationToken::new();
        self.access.patient = Arc::default();
        for listener in &self.loopback {
            self.served.spawn(listener.clone().serve(self.access.clone()));
        }
        self.served.spawn(self.server.clone().serve(self.access.clone()));
        self.reopen_face();
    }

    fn reopen_face(&mut self) {
        self.unfaced = CancellationToken::new();
        let old = self.forward.take();
        self.forward = self.face.as_ref().map(|(face, lines)| {
            // From here on no line and no event is missed.
            let follow = lines.then(|| {
                let logs = &self.access.logs;
                Follower::new(logs.pick(&[]).unwrap_or_default(), logs.news())
            });
            let fresh = (self.access.events.subscribe(), follow);
            let (face, showing, ended) = (face.clone(), self.showing.clone(), self.unfaced.clone());
            tokio::spawn(async move {
                let feed = match old {
                    Some(old) => old.await.ok().flatten()?,
                    None => fresh,
                };
                face::forward(feed, face, showing, ended).await
            })
        });
    }

    /// Takes no more requests; streams give what they have and end. Returns when the last
    /// connection is gone, at the latest after some seconds. Cancelling loses nothing.
    pub(super) async fn close(&mut self) {
        self.access.patient.store(true, Ordering::Relaxed);
        self.access.ended.cancel();
        while self.served.join_next().await.is_some() {}
    }

    /// Returns when the face has shown everything that was told; `false` when it does not.
    pub(super) async fn show_all(&mut self) -> bool {
        self.unfaced.cancel();
        // One that has gone shows nothing any more.
        let is_there = || self.face.as_ref().is_some_and(|(face, _)| !face.is_closed());
        let all = async {
            while is_there()
                && !(self.forward.as_ref().is_none_or(JoinHandle::is_finished)
                    && self.showing.is_done())
            {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(SHOWING, all).await.is_ok()
    }

    /// The control socket's descriptor, and those on loopback with whether they are for metrics
    /// alone.
    pub(super) fn descriptors(&self) -> (RawFd, Vec<(bool, RawFd)>) {
        let loopback = self.loopback.iter().map(|l| l.descriptor()).collect();
        (self.server.descriptor(), loopback)
    }

    /// The run has ended.
    pub(super) async fn end(mut self) {
        self.server.remove();
        self.access.ended.cancel();
        self.unfaced.cancel();
        self.strays.abort();
        while self.served.join_next().await.is_some() {}
        self.face = None;
        if let Some(forward) = self.forward {
            let _ = tokio::time::timeout(LAST_SHOWING, forward).await;
        }
    }
}
