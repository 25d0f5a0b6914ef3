//! The thread that moves one process's output into its log.
//!
//! Reads both pipes in large chunks and commits framed lines in batches. Refuses to be slowed by
//! readers: only the file can hold it up, and then the service's pipe fills, nothing else.
//! Invariants: a line waits at most a few milliseconds before it is in the file, and one without an
//! end at most [`super::frame::PATIENCE`]; after the process ended, reading goes on until the pipes close or [`DRAIN`] has passed, so the last words are kept.

use std::io::{self, PipeReader, PipeWriter, Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::sync::oneshot;

use super::ServiceLog;
use super::frame::{Framer, Stamp, Stream, Unfinished};
use super::watch::{LineWatch, Watch};
use super::writer::Writer;

/// How long after its end a process's pipes may stay open in other hands.
pub(super) const DRAIN: Duration = Duration::from_millis(250);

/// Bytes read at once.
const CHUNK: usize = 64 * 1024;

/// Asked of the kernel for each pipe, so that a writer seldom waits for us.
#[cfg(target_os = "linux")]
const PIPE: usize = 512 * 1024;

/// As much as this at once is a flood: then [`Writer`] writes while this thread reads, in larger
/// batches, until no output comes for [`CALM`].
const FLOOD: usize = 2 * CHUNK;
const FLOOD_BATCH: usize = 4 * CHUNK;
const CALM: Duration = Duration::from_secs(1);

/// Less than this in a round that follows another closely: many small writes, better taken together.
const SMALL: usize = 16 * 1024;
const NAP: Duration = Duration::from_millis(1);

/// A pump at work. Dropping it drains and ends the thread.
pub(in crate::supervise) struct Pump {
    stop: Option<PipeWriter>,
    done: Option<oneshot::Receiver<Option<Remains>>>,
}

/// What a pump leaves to the one that goes on for it: of standard output, then of standard error.
pub(in crate::supervise) struct Remains(pub(in crate::supervise) [Remainder; 2]);

/// One stream in the middle.
pub(in crate::supervise) struct Remainder {
    /// `None` once closed.
    pub(in crate::supervise) pipe: Option<PipeReader>,
    pub(in crate::supervise) line: Unfinished,
}

/// The ends of a process's two output pipes that the process gets.
pub(in crate::supervise) struct Outputs {
    pub(in crate::supervise) out: PipeWriter,
    pub(in crate::supervise) err: PipeWriter,
}

impl Pump {
    /// Makes the pipes and starts the thread.
    pub(in crate::supervise) fn start(
        log: Arc<ServiceLog>,
        watch: Option<LineWatch>,
    ) -> io::Result<(Self, Outputs)> {
        let (out, out_end) = pipe()?;
        let (err, err_end) = pipe()?;
        let sources = [
            Source { pipe: Some(out), framer: Framer::new(Stream::Out) },
            Source { pipe: Some(err), framer: Framer::new(Stream::Err) },
        ];
        let pump = Self::work(log, watch.map(Watch::new), sources)?;
        Ok((pump, Outputs { out: out_end, err: err_end }))
    }

    /// Goes on where another pump was told to rest.
    pub(in crate::supervise) fn go_on(log: Arc<ServiceLog>, remains: Remains) -> io::Result<Self> {
        let Remains([out, err]) = remains;
        let source = |stream, left: Remainder| Source {
            pipe: left.pipe,
            framer: Framer::go_on(stream, left.line),
        };
        Self::work(log, None, [source(Stream::Out, out), source(Stream::Err, err)])
    }

    fn work(log: Arc<ServiceLog>, watch: Option<Watch>, sources: [Source; 2]) -> io::Result<Self> {
        let (stop_end, stop) = io::pipe()?;
        let (done, finished) = oneshot::channel();
        let worker = Worker {
            log,
            watch,
            sources,
            stop: Some(stop_end),
            rests: false,
            batch: Vec::new(),
            lines: 0,
            writer: None,
        };
        std::thread::Builder::new().name("log".into()).stack_size(256 * 1024).spawn(move || {
            let _ = done.send(worker.run());
        })?;
        Ok(Self { stop: Some(stop), done: Some(finished) })
    }

    /// Stops after what was read so far is in the log; gives what another pump goes on with, unless
    /// both pipes are closed.
    pub(in crate::supervise) async fn rest(mut self) -> Option<Remains> {
        // A thread that has ended has closed its end.
        let _ = self.stop.as_mut()?.write_all(b"r");
        self.done.take()?.await.ok()?
    }

    /// The process has ended: reads what is left, then ends.
    pub(in crate::supervise) async fn finish(mut self) {
        self.stop = None;
        if let Some(done) = self.done.take() {
            let _ = done.await;
        }
    }
}

fn pipe() -> io::Result<(PipeReader, PipeWriter)> {
    let (reader, writer) = io::pipe()?;
    #[cfg(target_os = "linux")]
    // Beyond the user's limit the kernel refuses; the default size works, too.
    let _ = rustix::pipe::fcntl_setpipe_size(&reader, PIPE);
    let flags = rustix::fs::fcntl_getfl(&reader)?;
    rustix::fs::fcntl_setfl(&reader, flags | rustix::fs::OFlags::NONBLOCK)?;
    Ok((reader, writer))
}

struct Source {
    /// `None` once closed.
    pipe: Option<PipeReader>,
    framer: Framer,
}

struct Worker {
    log: Arc<ServiceLog>,
    watch: Option<Watch>,
    sources: [Source; 2],
    /// Closes when the process has ended; a byte means that another pump goes on.
    stop: Option<PipeReader>,
    rests: bool,
    batch: Vec<u8>,
    lines: u64,
    /// Writes instead of this thread, during a flood.
    writer: Option<Writer>,
}

impl Worker {
    fn run(mut self) -> Option<Remains> {
        let mut chunk = vec![0u8; CHUNK];
        let mut deadline: Option<Instant> = None;
        let mut last = Instant::now();
        while self.sources.iter().any(|s| s.pipe.is_some()) && !self.rests {
            let left = deadline.map(|d| d.saturating_duration_since(Instant::now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            let due = self.sources.iter().filter_map(|s| s.framer.due()).min();
            let flush = due.map(|d| d.saturating_duration_since(Instant::now()));
            self.wait(left.into_iter().chain(flush).min(), &mut deadline);
            let got = self.round(&mut chunk);
            self.adapt(got);
            if got > 0 {
                let now = Instant::now();
                if got < SMALL && now - last < NAP * 2 && deadline.is_none() {
                    self.nap(&mut deadline);
                }
                last = now;
            }
        }
        if self.rests {
            self.commit();
            // It writes what it has before it ends.
            self.writer = None;
            let left = |s: Source| Remainder { pipe: s.pipe, line: s.framer.rest() };
            return Some(Remains(self.sources.map(left)));
        }
        let stamp = Stamp::now();
        for source in &mut self.sources {
            self.lines += source.framer.finish(&stamp, &mut self.batch);
        }
        self.commit();
        None
    }

    /// The pipe that says stop said something: the process has ended, or another pump goes on.
    fn told(&mut self, deadline: &mut Option<Instant>) {
        let mut byte = [0u8; 1];
        match self.stop.as_mut().map(|stop| stop.read(&mut byte)) {
            Some(Ok(1)) => self.rests = true,
            Some(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
            _ => {
                self.stop = None;
                *deadline = Some(Instant::now() + DRAIN);
            }
        }
    }

    /// Starts the writer when a flood comes, ends it when it is over.
    fn adapt(&mut self, got: usize) {
        if got == 0 {
            // It writes what it has before it ends.
            self.writer = None;
            self.batch = Vec::new();
        } else if got >= FLOOD && self.writer.is_none() && self.watch.is_none() {
            // Without a thread this one goes on writing.
            self.writer = Writer::start(self.log.clone()).ok();
        }
    }

    /// Waits for output, or for the process's end, which sets the deadline.
    fn wait(&mut self, left: Option<Duration>, deadline: &mut Option<Instant>) {
        let pipes = self.sources.iter().filter_map(|s| s.pipe.as_ref()).chain(&self.stop);
        let mut fds: Vec<PollFd<'_>> = pipes.map(|p| PollFd::new(p, PollFlags::IN)).collect();
        let calm = self.writer.is_some().then_some(CALM);
        let timeout = left.or(calm).and_then(|l| Timespec::try_from(l).ok());
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, timeout.as_ref());
        let ended = self.stop.is_some() && fds.last().is_some_and(|f| !f.revents().is_empty());
        if ended {
            self.told(deadline);
        }
    }

    /// Lets small writes gather, unless the process ends.
    fn nap(&mut self, deadline: &mut Option<Instant>) {
        let Some(stop) = &self.stop else { return };
        let timeout = Timespec::try_from(NAP).ok();
        let _ = poll(&mut [PollFd::new(stop, PollFlags::IN)], timeout.as_ref());
        let mut fd = [PollFd::new(stop, PollFlags::IN)];
        if poll(&mut fd, Some(&Timespec::default())).is_ok_and(|n| n > 0) {
            self.told(deadline);
        }
    }

    /// Reads what there is, and commits it.
    fn round(&mut self, chunk: &mut [u8]) -> usize {
        let stamp = Stamp::now();
        let mut total = 0;
        for i in 0..self.sources.len() {
            let mut from_this = 0;
            // A flood on one stream must not starve the other.
            while from_this < 8 * CHUNK {
                let source = &mut self.sources[i];
                let Some(pipe) = &mut source.pipe else { break };
                match pipe.read(chunk) {
                    Ok(0) => source.pipe = None,
                    Ok(n) => {
                        from_this += n;
                        self.lines += source.framer.feed(&chunk[..n], &stamp, &mut self.batch);
                        let enough = if self.writer.is_some() { FLOOD_BATCH } else { CHUNK };
                        if self.batch.len() >= enough {
                            self.commit();
                        }
                    }
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                    Err(_) => source.pipe = None,
                }
            }
            total += from_this;
        }
        let now = Instant::now();
        for source in &mut self.sources {
            self.lines += source.framer.tick(now, &stamp, &mut self.batch);
        }
        self.commit();
        total
    }

    fn commit(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        if let Some(writer) = &self.writer {
            writer.write(&mut self.batch, self.lines);
            self.lines = 0;
            return;
        }
        self.log.commit(&self.batch, self.lines);
        if let Some(watch) = self.watch.take() {
            self.watch = watch.look(&self.batch);
        }
        self.batch.clear();
        self.lines = 0;
    }
}
