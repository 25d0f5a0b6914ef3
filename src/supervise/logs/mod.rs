//! Services' output: framed, timestamped, kept in rotated files, shown to live readers.
//!
//! One thread per running process reads its pipes ([`pump`]), turns bytes into lines ([`frame`]),
//! appends them to the service's file ([`file`], rotated, compressed by [`compress`]) and to a
//! bounded ring ([`ring`]) that live readers follow. [`line`] and [`history`] read files again,
//! with or without a supervisor. Invariants: the file gets every line that the disk takes; memory
//! is bounded by the ring; a slow reader loses lines, is told how many, and holds up nobody.

mod compress;
mod file;
mod frame;
pub mod history;
pub mod line;
mod names;
mod pump;
mod ring;
mod watch;
mod writer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use self::compress::Compressor;
use self::file::LogFile;
use self::frame::Stamp;
pub(super) use self::frame::Unfinished;
pub(super) use self::pump::{Outputs, Pump, Remainder, Remains};
use self::ring::{Place, Ring};
pub(super) use self::watch::LineWatch;
use super::Error;
use super::status::{Event, LogCounters};
use crate::base::ServiceName;
use crate::fs;

/// How much of a log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Limits {
    /// Bytes in one file before a new one is begun.
    pub file_bytes: u64,
    /// Age of a file's first line at which a new one is begun.
    pub max_age: Option<Duration>,
    /// Files kept beside the current one.
    pub keep: u32,
    /// Whether those are compressed.
    pub compress: bool,
    /// Bytes kept in memory for live readers, for each service.
    pub ring_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 10 * 1024 * 1024,
            max_age: None,
            keep: 5,
            compress: true,
            ring_bytes: 1024 * 1024,
        }
    }
}

/// Where a service's log lies in a data directory.
pub fn path(data: &Path, service: &ServiceName) -> PathBuf {
    data.join("logs").join(format!("{service}.log"))
}

/// What was counted of a log.
#[derive(Clone, Copy, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    counters: LogCounters,
    gap: u64,
}

/// The log of one service, across its restarts.
pub(super) struct ServiceLog {
    service: ServiceName,
    path: PathBuf,
    file: Mutex<LogFile>,
    ring: Mutex<Ring>,
    /// A copy of the file's, so that nobody who asks waits for the disk.
    counters: Mutex<LogCounters>,
    news: Arc<Notify>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ServiceLog {
    /// `news` is told of every commit; all services of a stack share it.
    fn open(
        data: &Path,
        service: &ServiceName,
        limits: Limits,
        compressor: Compressor,
        news: Arc<Notify>,
    ) -> fs::Result<Self> {
        let path = path(data, service);
        if let Some(dir) = path.parent() {
            fs::create_dir_all(dir)?;
        }
        let file = Mutex::new(LogFile::open(&path, limits, compressor)?);
        let ring = Mutex::new(Ring::new(limits.ring_bytes));
        let counters = Mutex::default();
        Ok(Self { service: service.clone(), path, file, ring, counters, news })
    }

    /// Appends whole lines.
    fn commit(&self, batch: &[u8], lines: u64) {
        let mut file = held(&self.file);
        file.append(batch, lines);
        *held(&self.counters) = file.counters();
        drop(file);
        held(&self.ring).push(batch, lines);
        self.news.notify_waiters();
    }

    /// What another program that goes on with this log has to know.
    pub(super) fn kept(&self) -> Kept {
        let file = held(&self.file);
        Kept { counters: file.counters(), gap: file.gap() }
    }

    /// Goes on where another program stopped: with its counters, and with the newest lines in
    /// memory again.
    pub(super) fn go_on(&self, kept: Kept) {
        let mut file = held(&self.file);
        file.go_on(kept);
        *held(&self.counters) = file.counters();
        let mut ring = held(&self.ring);
        let lines = file.tail(ring.capacity());
        ring.push(&lines, memchr::memchr_iter(b'\n', &lines).count() as u64);
    }

    /// Appends a line of the supervisor's own.
    pub(super) fn note(&self, text: &str) {
        self.commit(&frame::own_line(text, &Stamp::now()), 1);
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn counters(&self) -> LogCounters {
        *held(&self.counters)
    }

    /// The last lines that the service itself wrote, without prefix.
    pub(super) fn last_words(&self, lines: usize) -> Vec<String> {
        let tail = held(&self.ring).tail(lines * 4);
        let own = |line: &&[u8]| !line.is_empty() && line.get(25..28) != Some(b"sup".as_slice());
        let words: Vec<String> = tail
            .split(|b| *b == b'\n')
            .filter(own)
            .map(|line| String::from_utf8_lossy(frame::text_of(line)).into_owned())
            .collect();
        words[words.len().saturating_sub(lines)..].to_vec()
    }
}

/// The logs of all services of a stack.
pub(super) struct Logs {
    by_name: Mutex<BTreeMap<ServiceName, Arc<ServiceLog>>>,
    data: PathBuf,
    compressor: Compressor,
    news: Arc<Notify>,
}

impl Logs {
    pub(super) fn open<'a>(
        data: &Path,
        services: impl IntoIterator<Item = (&'a ServiceName, Limits)>,
    ) -> Result<Self, Error> {
        let by_name = Mutex::default();
        let news = Arc::new(Notify::new());
        let logs = Self { by_name, data: data.to_owned(), compressor: Compressor::default(), news };
        for (service, limits) in services {
            logs.add(service, limits)?;
        }
        Ok(logs)
    }

    /// The log of a service, opened if it is not yet.
    pub(super) fn add(
        &self,
        service: &ServiceName,
        limits: Limits,
    ) -> Result<Arc<ServiceLog>, Error> {
        if let Some(log) = self.get(service) {
            return Ok(log);
        }
        let (compressor, news) = (self.compressor.clone(), self.news.clone());
        let log = ServiceLog::open(&self.data, service, limits, compressor, news)
            .map_err(|source| Error::Log { service: service.clone(), source })?;
        let log = Arc::new(log);
        held(&self.by_name).insert(service.clone(), log.clone());
        Ok(log)
    }

    pub(super) fn get(&self, service: &ServiceName) -> Option<Arc<ServiceLog>> {
        held(&self.by_name).get(service).cloned()
    }

    /// The named logs, all when none are named; the error is for the person who asked.
    pub(super) fn pick(&self, names: &[ServiceName]) -> Result<Vec<Arc<ServiceLog>>, String> {
        if names.is_empty() {
            return Ok(held(&self.by_name).values().cloned().collect());
        }
        let find = |n| self.get(n).ok_or_else(|| format!("there is no service `{n}`"));
        names.iter().map(find).collect()
    }

    /// What was counted of every log.
    pub(super) fn kept(&self) -> BTreeMap<ServiceName, Kept> {
        held(&self.by_name).iter().map(|(name, log)| (name.clone(), log.kept())).collect()
    }

    pub(super) fn news(&self) -> Arc<Notify> {
        self.news.clone()
    }
}

/// Reads the logs of several services as they grow.
pub(super) struct Follower {
    logs: Vec<(Arc<ServiceLog>, Place)>,
    news: Arc<Notify>,
}

/// Bytes given to a live reader at once.
const SERVING: usize = 64 * 1024;

impl Follower {
    /// Starts at what is written from now on.
    pub(super) fn new(logs: impl IntoIterator<Item = Arc<ServiceLog>>, news: Arc<Notify>) -> Self {
        let at_end = |log: Arc<ServiceLog>| {
            let end = held(&log.ring).end();
            (log, end)
        };
        Self { logs: logs.into_iter().map(at_end).collect(), news }
    }

    /// Starts with the newest `lines` of each log, without gap or repetition after them.
    pub(super) fn with_tail(
        logs: Vec<Arc<ServiceLog>>,
        lines: usize,
        news: Arc<Notify>,
    ) -> (Self, Vec<Event>) {
        let mut events = Vec::new();
        let mut places = Vec::new();
        for log in logs {
            let ring = held(&log.ring);
            let (text, end) = (ring.tail(lines), ring.end());
            drop(ring);
            if !text.is_empty() {
                let text = String::from_utf8_lossy(&text).into_owned();
                events.push(Event::Log { service: log.service.clone(), text });
            }
            places.push((log, end));
        }
        (Self { logs: places, news }, events)
    }

    /// The next lines of whichever service has some. Cancelling loses nothing.
    pub(super) async fn next(&mut self) -> Vec<Event> {
        loop {
            let news = self.news.clone();
            let notified = news.notified();
            tokio::pin!(notified);
            // From here on no commit goes unseen.
            notified.as_mut().enable();
            let events = self.take();
            if !events.is_empty() {
                return events;
            }
            notified.await;
        }
    }

    /// What there is now.
    pub(super) fn take(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for (log, place) in &mut self.logs {
            let (text, missed, next) = held(&log.ring).read(*place, SERVING);
            *place = next;
            if missed > 0 {
                events.push(Event::Missed { count: missed, service: Some(log.service.clone()) });
            }
            if !text.is_empty() {
                let text = String::from_utf8_lossy(&text).into_owned();
                events.push(Event::Log { service: log.service.clone(), text });
            }
        }
        events
    }
}

#[cfg(test)]
mod tests;
