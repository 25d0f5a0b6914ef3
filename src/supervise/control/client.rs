//! The blocking client that every command uses.
//!
//! Each request has a connection of its own: one that another request or the supervisor closed is
//! never met. Not for use inside an event loop.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::runtime::Runtime;

use super::socket::Address;
use super::types::{Accepted, Asking, PlanRequest, Refusal, UpgradeRequest};
use crate::base::ServiceName;
use crate::supervise::Error;
use crate::supervise::journal::Why;
use crate::supervise::lease::RunDir;
use crate::supervise::plan::{Plan, Wanted};
use crate::supervise::procfs;
use crate::supervise::status::{Event, Record, StackStatus, Upgrade, UpgradeOutcome};

/// How long a supervisor may take to answer; it answers in well under a millisecond, except where
/// it has to look at files first.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a supervisor that has said its last word may take to end.
const ENDING: Duration = Duration::from_secs(5);
/// How long an upgrade may take after it was begun.
const UPGRADE: Duration = Duration::from_secs(60);

/// The supervisor of a data directory.
pub struct Client {
    runtime: Runtime,
    run: PathBuf,
    /// Who listens: pid and start time, where the kernel shows it.
    supervisor: Option<(u32, u64)>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("run", &self.run).finish_non_exhaustive()
    }
}

impl Client {
    /// Connects; `None` when no supervisor runs there, whatever files an earlier one left.
    pub fn connect(data: &Path) -> Result<Option<Self>, Error> {
        let run = RunDir::of(data).path().to_owned();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| Error::System { action: "start an event loop", source })?;
        let mut client = Self { runtime, run, supervisor: None };
        match client.runtime.block_on(client.open()) {
            Ok(stream) => {
                let pid = stream.peer_cred().ok().and_then(|c| u32::try_from(c.pid()?).ok());
                client.supervisor = pid.map(|pid| (pid, procfs::start_time(pid)));
                // A child of it that has not become its program yet may hold the socket of one that
                // was killed for a moment.
                Ok((!client.is_gone()).then_some(client))
            }
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(source) => Err(Error::Control { path: client.run.join("control.sock"), source }),
        }
    }

    async fn open(&self) -> io::Result<UnixStream> {
        let address = Address::in_dir(&self.run)?;
        UnixStream::connect(address.path()).await
    }

    /// Whether the supervisor that was connected to has ended since.
    pub fn is_gone(&self) -> bool {
        self.supervisor.is_some_and(|(pid, start)| !lives(pid, start))
    }

    /// The whole status.
    pub fn status(&mut self) -> Result<StackStatus, Error> {
        self.get("/v1/status")
    }

    /// The whole status, with what the services' processes use.
    pub fn status_with_usage(&mut self) -> Result<StackStatus, Error> {
        self.get("/v1/status?usage=true")
    }

    /// Starts services, with what they come after; all when none are named.
    pub fn start(&mut self, services: &[ServiceName]) -> Result<Accepted, Error> {
        self.ask("/v1/start", services, None)
    }

    /// Stops services, which stay stopped; all when none are named.
    pub fn stop(&mut self, services: &[ServiceName]) -> Result<Accepted, Error> {
        self.ask("/v1/stop", services, None)
    }

    /// Restarts services; all when none are named.
    pub fn restart(&mut self, services: &[ServiceName]) -> Result<Accepted, Error> {
        self.ask("/v1/restart", services, None)
    }

    /// Makes services take up changes; all that can when none are named.
    pub fn reload(&mut self, services: &[ServiceName]) -> Result<Accepted, Error> {
        self.ask("/v1/reload", services, None)
    }

    /// Sends a signal to services; to all when none are named.
    pub fn signal(&mut self, services: &[ServiceName], signal: &str) -> Result<Accepted, Error> {
        self.ask("/v1/signal", services, Some(signal.to_owned()))
    }

    /// What would have to change for the supervisor to run `wanted`.
    pub fn plan(&mut self, wanted: Option<Wanted>) -> Result<Plan, Error> {
        self.post("/v1/plan", &PlanRequest { wanted })
    }

    /// Makes the supervisor run what the environment's current generation asks for.
    pub fn apply(&mut self) -> Result<Plan, Error> {
        self.post("/v1/apply", &Asking::default())
    }

    /// Puts another program in the supervisor's place; `None` for the one that lies where the
    /// running one was started from. Returns when that, or the one before, goes on.
    pub fn upgrade(&mut self, program: Option<PathBuf>) -> Result<Upgrade, Error> {
        let asked: Upgrade = self.post("/v1/upgrade", &UpgradeRequest { program })?;
        let limit = Instant::now() + UPGRADE;
        loop {
            // The socket stays bound: this waits until whoever goes on takes it.
            let status = self.status()?;
            let ours = status.upgrade.filter(|u| u.number >= asked.number);
            match ours {
                Some(upgrade) if upgrade.outcome != UpgradeOutcome::UnderWay => return Ok(upgrade),
                _ if Instant::now() > limit => {
                    let why = "the upgrade is still under way".to_owned();
                    return Err(Error::NoAnswer { why });
                }
                _ => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Why a service runs or does not.
    pub fn why(&mut self, service: &ServiceName) -> Result<Why, Error> {
        self.get(&format!("/v1/services/{service}/why"))
    }

    /// Metrics in the Prometheus text format.
    pub fn metrics(&mut self) -> Result<String, Error> {
        let bytes = self.exchange("GET", "/metrics", Vec::new())?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Stops the stack in order and ends the supervisor. With `wait`, returns when it has ended;
    /// what happens until then is shown to it. A supervisor that was ending already is no error:
    /// what was asked for is done. `within` limits the time of the end.
    pub fn down(
        mut self,
        within: Option<Duration>,
        wait: Option<&mut dyn FnMut(&Event)>,
    ) -> Result<(), Error> {
        let supervisor = self.supervisor;
        let asked = match wait {
            None => self.ask_down(within),
            Some(show) => self.ask_down_and_hear(within, show),
        };
        let (Err(_), Some((pid, start))) = (&asked, supervisor) else { return asked };
        if has_ended(pid, start) { Ok(()) } else { asked }
    }

    fn ask_down_and_hear(
        mut self,
        within: Option<Duration>,
        show: &mut dyn FnMut(&Event),
    ) -> Result<(), Error> {
        let supervisor = self.supervisor;
        let connection = self.send("GET", "/v1/events", Vec::new())?;
        self.ask_down(within)?;
        for record in (Events { runtime: self.runtime, body: connection, buffer: Vec::new() }) {
            if let Ok(Record { event, .. }) = serde_json::from_slice(&record) {
                show(&event);
            }
        }
        // It lets go of its lock and its last files after the stream: a start that follows must
        // not meet them.
        if let Some((pid, start)) = supervisor {
            has_ended(pid, start);
        }
        Ok(())
    }

    fn ask_down(&mut self, within: Option<Duration>) -> Result<(), Error> {
        let within_ms = within.map(|t| u64::try_from(t.as_millis()).unwrap_or(u64::MAX));
        let asking = Asking { within_ms, ..Asking::default() };
        self.post::<Accepted>("/v1/down", &asking).map(drop)
    }

    /// Lines of logs: the newest `lines` of each service that are in memory, then, with `follow`,
    /// new ones. All services when none are named.
    pub fn logs(
        self,
        services: &[ServiceName],
        lines: usize,
        follow: bool,
    ) -> Result<impl Iterator<Item = Event> + use<>, Error> {
        let mut path = format!("/v1/logs?lines={lines}&follow={follow}");
        for service in services {
            // A service's name needs no escaping but for `+`, which would be a space.
            path += &format!("&service={}", service.as_str().replace('+', "%2B"));
        }
        Ok(self.stream(&path)?.filter_map(|line| serde_json::from_slice(&line).ok()))
    }

    /// Events as they happen; with `since` (a time), first those from then on.
    pub fn events(self, since: Option<&str>) -> Result<Records, Error> {
        let path = match since {
            Some(since) => format!("/v1/events?since={since}"),
            None => "/v1/events".to_owned(),
        };
        let run = self.run.clone();
        Ok(Records { run, events: self.stream(&path)?, last: None, known: 0 })
    }

    fn stream(self, path: &str) -> Result<Events, Error> {
        let body = self.send("GET", path, Vec::new())?;
        Ok(Events { runtime: self.runtime, body, buffer: Vec::new() })
    }

    fn ask(
        &mut self,
        path: &str,
        services: &[ServiceName],
        signal: Option<String>,
    ) -> Result<Accepted, Error> {
        self.post(path, &Asking { services: services.to_vec(), signal, within_ms: None })
    }

    fn post<T: DeserializeOwned>(&mut self, path: &str, body: &impl Serialize) -> Result<T, Error> {
        let bytes = serde_json::to_vec(body).map_err(|e| no_answer(&e))?;
        let answer = self.exchange("POST", path, bytes)?;
        serde_json::from_slice(&answer).map_err(|e| no_answer(&e))
    }

    fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Error> {
        let answer = self.exchange("GET", path, Vec::new())?;
        serde_json::from_slice(&answer).map_err(|e| no_answer(&e))
    }

    /// A whole answer.
    fn exchange(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Vec<u8>, Error> {
        let body = self.send(method, path, body)?;
        let whole = async { tokio::time::timeout(PATIENCE, body.collect()).await };
        let whole = self.runtime.block_on(whole).map_err(|e| no_answer(&e))?;
        Ok(whole.map_err(|e| no_answer(&e))?.to_bytes().to_vec())
    }

    /// The body of a good answer, not yet read.
    fn send(&self, method: &str, path: &str, body: Vec<u8>) -> Result<Incoming, Error> {
        self.runtime.block_on(async {
            let answer = tokio::time::timeout(PATIENCE, self.request(method, path, body)).await;
            let response = answer.map_err(|e| no_answer(&e))??;
            if response.status().is_success() {
                return Ok(response.into_body());
            }
            let status = response.status();
            let bytes = response.into_body().collect().await.map_err(|e| no_answer(&e))?.to_bytes();
            Err(match serde_json::from_slice(&bytes) {
                Ok(Refusal { error, hints }) => Error::Refused { message: error, hints },
                Err(_) => Error::NoAnswer { why: format!("HTTP status {status}") },
            })
        })
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, Error> {
        let stream = self.open().await.map_err(|e| no_answer(&e))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|e| no_answer(&e))?;
        // Lives as long as the runtime is driven and the body is read.
        tokio::spawn(connection);
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| no_answer(&e))?;
        sender.send_request(request).await.map_err(|e| no_answer(&e))
    }
}

/// Whether a process is there; without `/proc` every process is.
fn lives(pid: u32, start: u64) -> bool {
    start == 0 && !cfg!(target_os = "linux")
        || procfs::process(pid).is_some_and(|p| p.start == start && !p.zombie)
}

/// Waits a little for the end of a process that is ending; whether it has ended.
fn has_ended(pid: u32, start: u64) -> bool {
    let limit = Instant::now() + ENDING;
    while lives(pid, start) {
        if Instant::now() > limit {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

fn no_answer(error: &dyn std::error::Error) -> Error {
    Error::NoAnswer { why: crate::base::chain(error) }
}

/// Records of a stack as they come, over upgrades of its supervisor; ends with the stack.
#[derive(Debug)]
pub struct Records {
    run: PathBuf,
    events: Events,
    /// The last one.
    last: Option<Record>,
    /// Its number.
    known: u64,
}

impl Records {
    /// Where another program took over, the rest comes from that.
    fn again(&mut self) -> Option<()> {
        let last = self.last.take()?;
        if !matches!(last.event, Event::Upgrading(_)) {
            return None;
        }
        let client = Client::connect(self.run.parent()?).ok().flatten()?;
        self.events = client.stream(&format!("/v1/events?since={}", last.at)).ok()?;
        Some(())
    }
}

impl Iterator for Records {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        loop {
            let Some(line) = self.events.next() else {
                self.again()?;
                continue;
            };
            // A newer supervisor may tell more than this client knows.
            let Ok(record) = serde_json::from_slice::<Record>(&line) else { continue };
            let missed = matches!(record.event, Event::Missed { .. });
            if record.seq > self.known || missed {
                self.known = self.known.max(record.seq);
                self.last = Some(record.clone());
                return Some(record);
            }
        }
    }
}

/// A stream of lines; ends when the supervisor does.
pub struct Events {
    runtime: Runtime,
    body: Incoming,
    buffer: Vec<u8>,
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}

impl Iterator for Events {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer) {
                let rest = self.buffer.split_off(end + 1);
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            let frame = self.runtime.block_on(self.body.frame())?.ok()?;
            if let Ok(data) = frame.into_data() {
                self.buffer.extend_from_slice(&data);
            }
        }
    }
}
