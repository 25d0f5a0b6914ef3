//! The supervisor's side of the socket.
//!
//! Each connection is a task of its own; whatever one does, the event loop and the services go on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::socket::Address;
use super::{Answer, Request};
use crate::base::ServiceName;
use crate::fs;
use crate::supervise::Error;
use crate::supervise::logs::{Follower, Logs, ServiceLog};
use crate::supervise::status::{Event, StackStatus};

/// The longest request.
const LONGEST: u64 = 64 * 1024;

/// How long a client may take to read an answer before its connection is closed.
const PATIENCE: Duration = Duration::from_secs(30);

/// What connections ask of the event loop.
pub(in crate::supervise) enum Ask {
    Status(oneshot::Sender<StackStatus>),
    Stop,
    Restart(Vec<ServiceName>, oneshot::Sender<Result<(), String>>),
    StopServices(Vec<ServiceName>, oneshot::Sender<Result<(), String>>),
    StartServices(Vec<ServiceName>, oneshot::Sender<Result<(), String>>),
    Reload(Vec<ServiceName>, oneshot::Sender<Result<(), String>>),
}

/// What a connection may use.
#[derive(Clone)]
pub(in crate::supervise) struct Access {
    pub(in crate::supervise) ask: mpsc::UnboundedSender<Ask>,
    pub(in crate::supervise) events: broadcast::Sender<Event>,
    pub(in crate::supervise) logs: Arc<Logs>,
    /// The run has ended: streams give what they have and close.
    pub(in crate::supervise) ended: CancellationToken,
}

/// The bound socket; its file goes with it.
pub(in crate::supervise) struct Server {
    path: PathBuf,
    listener: UnixListener,
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
        Ok(Self { path, listener })
    }

    /// Serves until the run has ended.
    pub(in crate::supervise) async fn serve(self, access: Access) {
        let mut connections = JoinSet::new();
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                Some(_) = connections.join_next() => continue,
                () = access.ended.cancelled() => break,
            };
            match accepted {
                Ok((stream, _)) if is_ours(&stream) => {
                    let access = access.clone();
                    connections.spawn(async move {
                        let talk = connection(stream, &access);
                        // A client that goes away is no error of ours.
                        let _ = talk.await;
                    });
                }
                Ok(_) => {}
                // Out of descriptors, or a connection that is gone again.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        drop(self);
        let last_words = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(Duration::from_millis(500), last_words).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = fs::remove_file_if_exists(&self.path);
    }
}

fn is_ours(stream: &UnixStream) -> bool {
    let us = rustix::process::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == us || peer.uid() == 0)
}

async fn connection(stream: UnixStream, access: &Access) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(LONGEST));
    let mut line = String::new();
    loop {
        line.clear();
        reader.get_mut().set_limit(LONGEST);
        let read = tokio::select! {
            read = reader.read_line(&mut line) => read?,
            () = access.ended.cancelled() => 0,
        };
        if read == 0 {
            return Ok(());
        }
        let request = match serde_json::from_str::<Request>(&line) {
            Ok(request) => request,
            Err(e) => {
                let message = format!("not a request: {e}");
                return send(&mut writer, &Answer::Error { message }).await;
            }
        };
        match request {
            Request::Events => return events(&mut reader, writer, access).await,
            Request::Logs { services, lines, follow } => match access.logs.pick(&services) {
                Ok(logs) => {
                    return stream_logs(&mut reader, writer, logs, lines, follow, access).await;
                }
                Err(message) => send(&mut writer, &Answer::Error { message }).await?,
            },
            other => {
                let answer = answer(other, access).await;
                send(&mut writer, &answer).await?;
            }
        }
    }
}

fn ended() -> Answer {
    Answer::Error { message: "the supervisor is ending".to_owned() }
}

/// Asks the event loop for something that is done or refused.
async fn done(
    access: &Access,
    ask: impl FnOnce(oneshot::Sender<Result<(), String>>) -> Ask,
) -> Answer {
    let (reply, done) = oneshot::channel();
    let _ = access.ask.send(ask(reply));
    match done.await {
        Ok(Ok(())) => Answer::Ok,
        Ok(Err(message)) => Answer::Error { message },
        Err(_) => ended(),
    }
}

async fn answer(request: Request, access: &Access) -> Answer {
    match request {
        Request::Status => {
            let (reply, status) = oneshot::channel();
            let _ = access.ask.send(Ask::Status(reply));
            status.await.map_or_else(|_| ended(), |s| Answer::Status(Box::new(s)))
        }
        Request::Restart { services } => done(access, |r| Ask::Restart(services, r)).await,
        Request::StopServices { services } => {
            done(access, |r| Ask::StopServices(services, r)).await
        }
        Request::StartServices { services } => {
            done(access, |r| Ask::StartServices(services, r)).await
        }
        Request::Reload { services } => done(access, |r| Ask::Reload(services, r)).await,
        Request::Stop => {
            let _ = access.ask.send(Ask::Stop);
            Answer::Ok
        }
        Request::Logs { .. } | Request::Events => Answer::Ok,
    }
}

type Reader = BufReader<tokio::io::Take<OwnedReadHalf>>;

/// Ends when the client closes its side; what it still says is ignored.
async fn hung_up(reader: &mut Reader) {
    let mut sink = [0u8; 64];
    reader.get_mut().set_limit(u64::MAX);
    while matches!(reader.read(&mut sink).await, Ok(n) if n > 0) {}
}

async fn events(
    reader: &mut Reader,
    mut writer: OwnedWriteHalf,
    access: &Access,
) -> io::Result<()> {
    let mut events = access.events.subscribe();
    send(&mut writer, &Answer::Ok).await?;
    loop {
        let event = tokio::select! {
            biased;
            event = events.recv() => event,
            () = hung_up(reader) => return Ok(()),
            () = access.ended.cancelled() => return Ok(()),
        };
        match event {
            Ok(event) => send(&mut writer, &event).await?,
            Err(RecvError::Lagged(count)) => {
                send(&mut writer, &Event::Missed { count, service: None }).await?;
            }
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

async fn stream_logs(
    reader: &mut Reader,
    mut writer: OwnedWriteHalf,
    logs: Vec<Arc<ServiceLog>>,
    lines: usize,
    follow: bool,
    access: &Access,
) -> io::Result<()> {
    send(&mut writer, &Answer::Ok).await?;
    let (mut follower, mut events) = Follower::with_tail(logs, lines, access.logs.news());
    loop {
        for event in &events {
            send(&mut writer, event).await?;
        }
        if !follow {
            return Ok(());
        }
        events = tokio::select! {
            biased;
            events = follower.next() => events,
            () = hung_up(reader) => return Ok(()),
            () = access.ended.cancelled() => return Ok(()),
        };
    }
}

async fn send(writer: &mut OwnedWriteHalf, value: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    tokio::time::timeout(PATIENCE, writer.write_all(&line)).await?
}
