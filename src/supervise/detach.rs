//! Running the supervisor in the background, and knowing when it is ready.
//!
//! The command line executes itself again with a hidden subcommand ([`spawn`]); the child leads
//! its own session, writes to `<data>/logs/supervisor.log`, and tells over a pipe what became of
//! its stack ([`Notifier`]). Invariant: the parent always learns an end: the pipe closes when the
//! child does, whatever it dies of.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead as _, BufReader, PipeReader, Write as _};
use std::os::fd::{AsFd as _, AsRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec};
use serde::{Deserialize, Serialize};

use super::Error;
use super::process::{self, Launch, Stdio};
use super::reap::Child;
use super::status::Event;
use crate::base::Diagnose;
use crate::fs;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Ready,
    /// `ends`: the supervisor has nothing left to do but end.
    Failed {
        reason: String,
        hints: Vec<String>,
        ends: bool,
    },
}

/// How long an ending supervisor is waited for.
const ENDING: Duration = Duration::from_secs(10);

/// A supervisor that was started in the background.
#[derive(Debug)]
pub struct Detached {
    /// Its process.
    pub pid: u32,
    /// Its own log.
    pub log: PathBuf,
    verdict: BufReader<PipeReader>,
    child: Child,
}

/// Starts our own program with `args` in the background, in `cwd` and with exactly `env`.
pub fn spawn(
    args: Vec<OsString>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
    cwd: &Path,
    data: &Path,
) -> Result<Detached, Error> {
    let system = |action| move |source| Error::System { action, source };
    let dir = data.join("logs");
    let log = dir.join("supervisor.log");
    let files = |source| Error::RunDirectory { source };
    fs::create_dir_all(&dir).map_err(files)?;
    let out = fs::open_append(&log).map_err(files)?;
    let err = out.try_clone().map_err(system("share its log"))?;
    let (verdict, writer) = std::io::pipe().map_err(system("make a pipe"))?;
    let child = process::start(Launch {
        program: process::own_program().map_err(system("find its own program"))?,
        args,
        env: env.into_iter().collect(),
        cwd: cwd.to_owned(),
        // Not to read from: the one descriptor that a program is sure to find again.
        stdin: writer.into(),
        stdout: Stdio::from(out),
        stderr: Stdio::from(err),
        dies_with_us: false,
        ready: None,
    })
    .map_err(|e| Error::System {
        action: "start itself in the background",
        source: std::io::Error::other(e.line()),
    })?;
    Ok(Detached { pid: child.pid(), log, verdict: BufReader::new(verdict), child })
}

impl Detached {
    /// Waits until the stack is ready; the error says why it is not. After an error the supervisor
    /// may still run: what failed is tried again, and the rest is up. One that only ends is gone
    /// when this returns.
    pub fn wait(mut self) -> Result<(), Error> {
        let mut line = String::new();
        let read = self.verdict.read_line(&mut line);
        let (reason, hints) = match (read, serde_json::from_str(&line)) {
            (Ok(_), Ok(Verdict::Ready)) => return Ok(()),
            (Ok(_), Ok(Verdict::Failed { reason, hints, ends })) => {
                if ends {
                    self.wait_for_end();
                }
                (reason, hints)
            }
            _ => {
                self.wait_for_end();
                ("the supervisor ended without a word".to_owned(), Vec::new())
            }
        };
        Err(Error::Detached { reason, hints, log: self.log })
    }

    fn wait_for_end(&self) {
        let end = Instant::now() + ENDING;
        while self.child.peek().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// The background supervisor's end of the pipe.
#[derive(Debug)]
pub struct Notifier(Option<File>);

impl Notifier {
    /// Takes the pipe from standard input, which becomes `/dev/null`. Call it first of all.
    pub fn from_stdin() -> Result<Self, Error> {
        let system = |action| move |source: std::io::Error| Error::System { action, source };
        let stdin = std::io::stdin();
        let pipe =
            fcntl_dupfd_cloexec(stdin.as_fd(), 3).map_err(|e| system("keep its pipe")(e.into()))?;
        debug_assert!(rustix::io::fcntl_getfd(&pipe).is_ok_and(|f| f.contains(FdFlags::CLOEXEC)));
        let null =
            fs::open(Path::new("/dev/null")).map_err(|source| Error::RunDirectory { source })?;
        rustix::stdio::dup2_stdin(&null).map_err(|e| system("close its input")(e.into()))?;
        Ok(Self(Some(File::from(pipe))))
    }

    /// Goes on with a pipe that another program in this process had, if the stack was not up yet.
    pub fn adopt(pipe: Option<OwnedFd>) -> Self {
        Self(pipe.map(File::from))
    }

    /// The pipe, as long as nothing was told.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.0.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// Watches events; the first that decides is told. Give it every event of the run.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::StackReady { .. } => self.tell(&Verdict::Ready),
            Event::StackFailed { service, reason } => {
                let reason = format!("service `{service}`: {reason}");
                let hints = vec![
                    "what could start goes on: `infra runtime status` shows it, \
                     `infra runtime down` stops it"
                        .to_owned(),
                ];
                self.tell(&Verdict::Failed { reason, hints, ends: false });
            }
            _ => {}
        }
    }

    /// The run could not begin: why, and what its error says to do about it.
    pub fn failed(&mut self, error: &dyn Diagnose) {
        let hints = error.hints().iter().map(ToString::to_string).collect();
        self.tell(&Verdict::Failed { reason: error.to_string(), hints, ends: true });
    }

    fn tell(&mut self, verdict: &Verdict) {
        let Some(mut pipe) = self.0.take() else { return };
        if let Ok(mut line) = serde_json::to_vec(verdict) {
            line.push(b'\n');
            // Nobody may be waiting any more.
            let _ = pipe.write_all(&line);
        }
    }
}
