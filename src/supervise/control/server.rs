//! The supervisor's side of the socket.

use std::convert::Infallible;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::answer::{self, Via};
use super::socket::Address;
use super::types::{Accepted, Refusal};
use crate::base::{Secret, ServiceName};
use crate::fs;
use crate::supervise::Error;
use crate::supervise::journal::Flush;
use crate::supervise::logs::Logs;
use crate::supervise::metrics::Meter;
use crate::supervise::plan::{Plan, Wanted};
use crate::supervise::spec::{Stack, Wishes};
use crate::supervise::status::{Action, Record, StackStatus, Upgrade};
use crate::supervise::upgrade::check::Checked;

/// Connections at once; others wait to be accepted.
const CONNECTIONS: usize = 128;

/// Time for the head of a request.
const HEAD: Duration = Duration::from_secs(20);

/// Time for the last words of all connections: at the end of a run, and where the run goes on.
const HURRIED: Duration = Duration::from_millis(500);
const PATIENT: Duration = Duration::from_secs(5);

type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// What connections ask of the event loop.
pub(in crate::supervise) enum Ask {
    Status(oneshot::Sender<StackStatus>),
    Metrics(oneshot::Sender<(StackStatus, Meter)>),
    /// A deed for services (all when there are none), by a process; with the signal to send.
    Do(Action, Vec<ServiceName>, Option<i32>, Option<u32>, Reply<Accepted>),
    /// The end of all, within a time, by a process.
    Down(Option<Duration>, Option<u32>, Reply<Accepted>),
    Plan(Box<Wanted>, Reply<Plan>),
    Apply(Box<Stack>, Box<Wanted>, Option<u32>, Reply<Plan>),
    /// Put this program in our place, as a process asked.
    Upgrade(Box<Checked>, Option<u32>, Reply<Upgrade>),
}

/// What a connection may use.
#[derive(Clone)]
pub(in crate::supervise) struct Access {
    pub(in crate::supervise) ask: mpsc::UnboundedSender<Ask>,
    pub(in crate::supervise) events: broadcast::Sender<Record>,
    pub(in crate::supervise) logs: Arc<Logs>,
    pub(in crate::supervise) journal: Option<Flush>,
    pub(in crate::supervise) data: PathBuf,
    pub(in crate::supervise) wishes: Option<Arc<dyn Wishes>>,
    pub(in crate::supervise) token: Option<Secret>,
    /// The run has ended: streams give what they have and close.
    pub(in crate::supervise) ended: CancellationToken,
    /// Whether requests that were taken get all the time they need, because the run goes on.
    pub(in crate::supervise) patient: Arc<AtomicBool>,
}

/// The bound socket; its file goes with it.
pub(in crate::supervise) struct Server {
    path: PathBuf,
    listener: UnixListener,
    /// Whether the file is removed with this.
    removes: AtomicBool,
}

impl Server {
    /// Binds the socket of a run directory, whose lock the caller holds: a file that is there
    /// belongs to a dead supervisor.
    pub(in crate::supervise) fn bind(run: &Path) -> Result<Self, Error> {
        let path = run.join("control.sock");
        fs::remove_file_if_exists(&path).map_err(|source| Error::RunDirectory { source })?;
        let failed = |source| Error::Control { path: path.clone(), source };
        let address = Address::in_dir(run).map_err(failed)?;
        let listener = UnixListener::bind(address.path()).map_err(failed)?;
        // Until now the directory's mode (0700) kept others out.
        fs::chmod(&path, 0o600).map_err(|source| Error::RunDirectory { source })?;
        Ok(Self { path, listener, removes: AtomicBool::new(true) })
    }

    /// Goes on with a socket that another program in this process bound. Until [`Self::keep`] its
    /// file is that program's.
    pub(in crate::supervise) fn adopt(run: &Path, socket: OwnedFd) -> io::Result<Self> {
        let listener = UnixListener::from_std(socket.into())?;
        Ok(Self { path: run.join("control.sock"), listener, removes: AtomicBool::new(false) })
    }

    /// The file goes with this from now on.
    pub(in crate::supervise) fn keep(&self) {
        self.removes.store(true, Ordering::Relaxed);
    }

    pub(in crate::supervise) fn descriptor(&self) -> RawFd {
        self.listener.as_raw_fd()
    }

    /// Nobody finds it any more.
    pub(in crate::supervise) fn remove(&self) {
        if self.removes.swap(false, Ordering::Relaxed) {
            let _ = fs::remove_file_if_exists(&self.path);
        }
    }

    /// Serves until that is ended.
    pub(in crate::supervise) async fn serve(self: Arc<Self>, access: Access) {
        let mut connections = Connections::new(access.clone());
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = connections.one_ended() => continue,
                () = access.ended.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) if is_ours(&stream) => {
                    let pid = stream.peer_cred().ok().and_then(|c| u32::try_from(c.pid()?).ok());
                    connections.add(stream, Via::Socket { pid });
                }
                Ok(_) => {}
                // Out of descriptors, or a connection that is gone again.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        connections.last_words().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.remove();
    }
}

fn is_ours(stream: &UnixStream) -> bool {
    let us = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == us || peer.uid() == 0)
}

/// The connections of one listener, each a task of its own.
pub(super) struct Connections {
    access: Access,
    places: Arc<Semaphore>,
    tasks: JoinSet<()>,
}

impl Connections {
    pub(super) fn new(access: Access) -> Self {
        Self { access, places: Arc::new(Semaphore::new(CONNECTIONS)), tasks: JoinSet::new() }
    }

    pub(super) fn add(
        &mut self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        via: Via,
    ) {
        let (access, places) = (self.access.clone(), self.places.clone());
        self.tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            connection(stream, via, access).await;
        });
    }

    /// Returns when a connection has ended; never while there is none.
    pub(super) async fn one_ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending().await
        }
    }

    /// Gives streams time to say what they have.
    pub(super) async fn last_words(mut self) {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        let patient = self.access.patient.load(Ordering::Relaxed);
        let _ = tokio::time::timeout(if patient { PATIENT } else { HURRIED }, all).await;
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    via: Via,
    access: Access,
) {
    let ended = access.ended.clone();
    let service = service_fn(move |request| {
        let access = access.clone();
        async move { Ok::<_, Infallible>(answer::answer(request, &access, via).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // A client that goes away is no error of ours.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ended.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
