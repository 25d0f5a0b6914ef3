//! The blocking client.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use super::socket::Address;
use super::{Answer, Request};
use crate::base::ServiceName;
use crate::supervise::Error;
use crate::supervise::lease::RunDir;
use crate::supervise::procfs;
use crate::supervise::status::{Event, StackStatus};

/// How long a supervisor may take to answer; it answers in well under a millisecond.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the supervisor of a data directory.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects; `None` when no supervisor runs there, whatever files an earlier one left.
    pub fn connect(data: &Path) -> Result<Option<Self>, Error> {
        let run = RunDir::of(data);
        let failed = |source| Error::Control { path: run.path().join("control.sock"), source };
        let address = match Address::in_dir(run.path()) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        match UnixStream::connect(address.path()) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
                Ok(Some(Self { stream: BufReader::new(stream) }))
            }
            Err(e)
                if matches!(
                    e.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused
                ) =>
            {
                Ok(None)
            }
            Err(e) => Err(failed(e)),
        }
    }

    /// The whole status.
    pub fn status(&mut self) -> Result<StackStatus, Error> {
        match self.ask(&Request::Status)? {
            Answer::Status(status) => Ok(*status),
            other => Err(Error::NoAnswer { why: format!("{other:?}") }),
        }
    }

    /// Asks for an ordered stop. With `wait`, returns when the supervisor has ended.
    pub fn stop(mut self, wait: bool) -> Result<(), Error> {
        let supervisor = self.status()?.supervisor;
        let start = procfs::start_time(supervisor);
        self.ask(&Request::Stop)?;
        if wait {
            self.stream.get_ref().set_read_timeout(None).map_err(no_answer)?;
            let mut line = Vec::new();
            // Its end closes the connection, in whatever way.
            while matches!(self.stream.read_until(b'\n', &mut line), Ok(n) if n > 0) {
                line.clear();
            }
            // It lets go of its lock and its last files after that: a start that follows must not
            // meet them.
            let lives =
                || procfs::process(supervisor).is_some_and(|p| p.start == start && !p.zombie);
            let limit = Instant::now() + PATIENCE;
            while lives() && Instant::now() < limit {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        Ok(())
    }

    /// Restarts services; all when none are named.
    pub fn restart(&mut self, services: &[ServiceName]) -> Result<(), Error> {
        self.ask(&Request::Restart { services: services.to_vec() }).map(drop)
    }

    /// Stops services; they stay stopped until they are started.
    pub fn stop_services(&mut self, services: &[ServiceName]) -> Result<(), Error> {
        self.ask(&Request::StopServices { services: services.to_vec() }).map(drop)
    }

    /// Starts services and what they come after; all when none are named.
    pub fn start_services(&mut self, services: &[ServiceName]) -> Result<(), Error> {
        self.ask(&Request::StartServices { services: services.to_vec() }).map(drop)
    }

    /// Reloads services; all that can be when none are named.
    pub fn reload(&mut self, services: &[ServiceName]) -> Result<(), Error> {
        self.ask(&Request::Reload { services: services.to_vec() }).map(drop)
    }

    /// Lines of logs: the newest `lines` of each service that are in memory, then, with `follow`,
    /// new ones. All services when none are named.
    pub fn logs(
        self,
        services: &[ServiceName],
        lines: usize,
        follow: bool,
    ) -> Result<Events, Error> {
        self.stream(&Request::Logs { services: services.to_vec(), lines, follow })
    }

    /// Events as they happen.
    pub fn events(self) -> Result<Events, Error> {
        self.stream(&Request::Events)
    }

    fn stream(mut self, request: &Request) -> Result<Events, Error> {
        self.ask(request)?;
        self.stream.get_ref().set_read_timeout(None).map_err(no_answer)?;
        Ok(Events { stream: self.stream })
    }

    fn ask(&mut self, request: &Request) -> Result<Answer, Error> {
        let mut line = serde_json::to_vec(request).map_err(|e| no_answer(e.into()))?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(no_answer)?;
        let mut text = String::new();
        self.stream.read_line(&mut text).map_err(no_answer)?;
        match serde_json::from_str(&text).map_err(|e| no_answer(e.into()))? {
            Answer::Error { message } => Err(Error::Refused { message }),
            answer => Ok(answer),
        }
    }
}

fn no_answer(error: io::Error) -> Error {
    Error::NoAnswer { why: error.to_string() }
}

/// A stream of events; ends when the supervisor does.
#[derive(Debug)]
pub struct Events {
    stream: BufReader<UnixStream>,
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line).ok()? == 0 {
                return None;
            }
            // A newer supervisor may tell more than this client knows.
            if let Ok(event) = serde_json::from_str(&line) {
                return Some(event);
            }
        }
    }
}
