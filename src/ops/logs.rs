//! Lines of services' logs, of all services in the order of time, from the files.
//!
//! Works the same whether the stack runs or not: the files have every line first. A running
//! supervisor is only asked to tell when it ends.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use regex_lite::Regex;

use super::{Context, Result, control, run};
use crate::base::{EnvName, ServiceName};
use crate::supervise::control::Client;
use crate::supervise::logs::history::{Found, History};
use crate::supervise::logs::line::{Line, Stream};

/// How often files are looked at for more.
const LOOK: Duration = Duration::from_millis(40);

/// Which lines.
#[derive(Clone, Debug, Default)]
pub struct Query {
    /// Of these services; of all when empty.
    pub services: Vec<String>,
    /// Written at this time or later.
    pub since: Option<Timestamp>,
    /// Written before this time.
    pub until: Option<Timestamp>,
    /// The last so many of each service, of those that the rest lets through.
    pub tail: Option<usize>,
    /// With a match in their text.
    pub grep: Option<Regex>,
    /// From this stream.
    pub stream: Option<Stream>,
    /// Then new ones, until the stack has stopped.
    pub follow: bool,
}

/// What [`show`] gives.
#[derive(Debug)]
pub enum Shown<'a> {
    /// A line.
    Line(&'a ServiceName, Line<'a>),
    /// So many files of a service were rotated away before they were read.
    Lost(&'a ServiceName, u64),
    /// All that is there was given; more may come.
    Pause,
}

/// Gives lines, oldest first.
pub fn show(
    context: &Context,
    name: &EnvName,
    query: &Query,
    mut give: impl FnMut(Shown<'_>),
) -> Result<()> {
    let services = control::declared(context, name, &query.services)?;
    let data = run::data_dir(context, name)?;
    // Connected before the first read: what an ending supervisor still writes is read.
    let ended = if query.follow { end_of(&data)? } else { Arc::new(AtomicBool::new(true)) };
    let mut feeds = Vec::new();
    for service in services {
        feeds.push(Feed::open(&data, service, query)?);
    }
    loop {
        let last = ended.load(Ordering::Acquire);
        while let Some(feed) = earliest(&mut feeds, query)? {
            if feed.lost > 0 {
                give(Shown::Lost(&feed.service, std::mem::take(&mut feed.lost)));
            }
            if let Some(head) = feed.head.take() {
                give(Shown::Line(&feed.service, Line::any(&head)));
            }
        }
        give(Shown::Pause);
        if last {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
}

/// The last lines that a service wrote itself, without what the log puts before them.
pub(super) fn last_words(data: &Path, service: &ServiceName, count: usize) -> Result<Vec<String>> {
    let mut history = History::new(data, service, None);
    // The supervisor's own lines stand between them.
    history.to_tail(count * 4)?;
    let mut words = VecDeque::new();
    let mut line = Vec::new();
    loop {
        match history.next(&mut line)? {
            Found::End => return Ok(words.into()),
            Found::Lost(_) => {}
            Found::Line => {
                let parsed = Line::any(&line);
                if parsed.stream == Stream::Supervisor {
                    continue;
                }
                words.push_back(String::from_utf8_lossy(parsed.text).into_owned());
                if words.len() > count {
                    words.pop_front();
                }
            }
        }
    }
}

/// Becomes true when the supervisor has ended; at once when none runs.
fn end_of(data: &Path) -> Result<Arc<AtomicBool>> {
    let ended = Arc::new(AtomicBool::new(true));
    if let Some(client) = Client::connect(data)? {
        let events = client.events(None)?;
        ended.store(false, Ordering::Release);
        let told = ended.clone();
        std::thread::spawn(move || {
            events.for_each(drop);
            told.store(true, Ordering::Release);
        });
    }
    Ok(ended)
}

/// The lines of one service that are asked for.
struct Feed {
    service: ServiceName,
    history: History,
    /// Read before `history` goes on.
    tail: VecDeque<Vec<u8>>,
    /// The next line.
    head: Option<Vec<u8>>,
    /// The time of the newest line: one without a time has that of the line before.
    time: String,
    lost: u64,
}

impl Feed {
    fn open(data: &Path, service: ServiceName, query: &Query) -> Result<Self> {
        let since = query.since.map(Into::into);
        let history = History::new(data, &service, since);
        let (tail, time) = (VecDeque::new(), String::new());
        let mut feed = Self { service, history, tail, head: None, time, lost: 0 };
        let Some(count) = query.tail else { return Ok(feed) };
        if query.takes_all() {
            feed.history.to_tail(count)?;
            return Ok(feed);
        }
        while let Some(line) = feed.read(query)? {
            feed.tail.push_back(line);
            if feed.tail.len() > count {
                feed.tail.pop_front();
            }
        }
        Ok(feed)
    }

    /// The next line that is asked for.
    fn read(&mut self, query: &Query) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        loop {
            match self.history.next(&mut line)? {
                Found::End => return Ok(None),
                Found::Lost(count) => self.lost += count,
                Found::Line if query.takes(&Line::any(&line)) => return Ok(Some(line)),
                Found::Line => {}
            }
        }
    }

    fn fill(&mut self, query: &Query) -> Result<()> {
        if self.head.is_none() {
            self.head = match self.tail.pop_front() {
                Some(line) => Some(line),
                None => self.read(query)?,
            };
            if let Some(head) = &self.head
                && let Some(line) = Line::parse(head)
            {
                line.time.clone_into(&mut self.time);
            }
        }
        Ok(())
    }
}

/// The feed with the earliest next line; the first of several.
fn earliest<'a>(feeds: &'a mut [Feed], query: &Query) -> Result<Option<&'a mut Feed>> {
    for feed in &mut *feeds {
        feed.fill(query)?;
    }
    // Times have one form and one length: their order is that of their text.
    Ok(feeds.iter_mut().filter(|f| f.head.is_some()).min_by(|a, b| a.time.cmp(&b.time)))
}

impl Query {
    fn takes_all(&self) -> bool {
        let Self { services: _, since, until, tail: _, grep, stream, follow: _ } = self;
        since.is_none() && until.is_none() && grep.is_none() && stream.is_none()
    }

    fn takes(&self, line: &Line<'_>) -> bool {
        if self.stream.is_some_and(|stream| stream != line.stream) {
            return false;
        }
        if (self.since.is_some() || self.until.is_some())
            && let Some(time) = line.timestamp()
            && (self.since.is_some_and(|since| time < since)
                || self.until.is_some_and(|until| time >= until))
        {
            return false;
        }
        let found = |grep: &Regex| grep.is_match(&String::from_utf8_lossy(line.text));
        self.grep.as_ref().is_none_or(found)
    }
}
