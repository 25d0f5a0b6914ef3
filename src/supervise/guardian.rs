//! The guardian: one small process that ends what a dead supervisor left.
//!
//! The supervisor holds the write end of a pipe whose read end is the guardian's standard input,
//! and tells which sessions run. Any death of the supervisor, SIGKILL included, closes the pipe:
//! then the guardian ends those sessions, and whatever carries the run's mark, and itself.
//! Invariants: it lives in its own session, without death signal and without the supervisor's
//! other descriptors; it never touches a process that does not belong to the run it was told of.
//!
//! Lines: `! MARK` once, `@ GROUP` where the run has a control group, `+ PID START` when a service starts, `- PID` when nothing of it is left.

use std::ffi::OsString;
use std::io::{self, BufRead as _, BufReader, PipeWriter, Read, Write as _};
use std::os::fd::{AsRawFd as _, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::confined;
use super::contain::{self, RunMark};
use super::process::{self, Launch, Stdio};
use super::reap::Child;

/// The hidden subcommand that [`main`] serves.
pub const SUBCOMMAND: &str = "__guardian";

/// Between SIGTERM and SIGKILL, after the supervisor's death.
const GRACE: Duration = Duration::from_millis(300);

/// What the hidden subcommand does: reads `input` (standard input) to its end, then cleans up.
/// Starts no thread and no runtime.
pub fn main(input: impl Read) -> u8 {
    let mut mark = None;
    let mut sessions: Vec<(u32, u64)> = Vec::new();
    let mut group = None;
    let mut reader = BufReader::with_capacity(512, input);
    let mut line = String::new();
    // An unreadable pipe is a dead supervisor, too.
    while reader.read_line(&mut line).is_ok_and(|n| n > 0) {
        match line.trim_end().strip_prefix("@ ") {
            Some(path) => group = Some(PathBuf::from(path)),
            None => note(line.trim_end(), &mut mark, &mut sessions),
        }
        line.clear();
    }
    if let Some(mark) = mark {
        let group = group.filter(|group| confined::is_of(group, &mark));
        contain::end_run(&mark, &sessions, group.as_deref(), GRACE, true);
    }
    0
}

fn note(line: &str, mark: &mut Option<RunMark>, sessions: &mut Vec<(u32, u64)>) {
    let mut words = line.split(' ');
    let (kind, first, second) = (words.next(), words.next(), words.next());
    match (kind, first, second) {
        (Some("!"), Some(text), None) => *mark = Some(RunMark::from_text(text)),
        (Some("+"), Some(pid), Some(start)) => {
            if let (Ok(pid), Ok(start)) = (pid.parse(), start.parse()) {
                sessions.push((pid, start));
            }
        }
        (Some("-"), Some(pid), None) => {
            if let Ok(pid) = pid.parse::<u32>() {
                sessions.retain(|s| s.0 != pid);
            }
        }
        _ => {}
    }
}

/// The supervisor's end.
#[derive(Debug)]
pub(super) struct Guardian {
    pipe: PipeWriter,
    child: std::sync::Arc<Child>,
}

impl Guardian {
    /// Starts the guardian: `command` is a program and its arguments, our own with
    /// [`SUBCOMMAND`] unless a test says otherwise.
    pub(super) fn start(
        command: &[OsString],
        mark: &RunMark,
        group: Option<&Path>,
    ) -> io::Result<Self> {
        let (program, args) = match command.split_first() {
            Some((program, args)) => (PathBuf::from(program), args.to_vec()),
            None => (process::own_program()?, vec![SUBCOMMAND.into()]),
        };
        let (input, mut pipe) = io::pipe()?;
        // Into the pipe before anybody reads it: it knows the run even when we die at once.
        pipe.write_all(format!("! {}\n", mark.as_str()).as_bytes())?;
        if let Some(group) = group {
            pipe.write_all(format!("@ {}\n", group.display()).as_bytes())?;
        }
        let child = process::start(Launch {
            program,
            args,
            env: Vec::new(),
            // Keeps no directory in use.
            cwd: PathBuf::from("/"),
            stdin: input.into(),
            stdout: Stdio::null(),
            stderr: Stdio::null(),
            dies_with_us: false,
            ready: None,
        })
        .map_err(|e| io::Error::other(e.line()))?;
        Ok(Self { pipe, child: child.into() })
    }

    /// Goes on with a guardian that another program in this process started.
    pub(super) fn adopt(pipe: OwnedFd, child: Child) -> Self {
        Self { pipe: pipe.into(), child: child.into() }
    }

    /// The descriptor by which it learns of our death.
    pub(super) fn descriptor(&self) -> RawFd {
        self.pipe.as_raw_fd()
    }

    /// A service runs.
    pub(super) fn add(&mut self, child: &Child) -> io::Result<()> {
        self.tell(&format!("+ {} {}\n", child.pid(), child.start()))
    }

    /// Nothing of a service is left.
    pub(super) fn remove(&mut self, child: &Child) -> io::Result<()> {
        self.tell(&format!("- {}\n", child.pid()))
    }

    fn tell(&mut self, line: &str) -> io::Result<()> {
        self.pipe.write_all(line.as_bytes())
    }

    /// The process, to see it end.
    pub(super) fn child(&self) -> std::sync::Arc<Child> {
        self.child.clone()
    }

    /// Lets it look for leftovers of the run once more, and waits for its end.
    pub(super) async fn dismiss(self) {
        let Self { pipe, child } = self;
        drop(pipe);
        let _ = tokio::time::timeout(Duration::from_secs(2), child.ended()).await;
        child.reap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn understands_its_lines_and_nothing_else() {
        let (mut mark, mut sessions) = (None, Vec::new());
        for line in ["! 7.99", "+ 10 5", "+ 11 6", "- 10", "+ x y", "", "? 1", "- 99", "+ 12"] {
            note(line, &mut mark, &mut sessions);
        }
        assert_eq!(mark, Some(RunMark::from_text("7.99")));
        assert_eq!(sessions, [(11, 6)]);
    }
}
