//! Asking an installed client what it would use.
//!
//! The answer is remembered by the client's path, size and time, so that a client is started once,
//! not with every command. Invariant: bounded in time and output; a client that fails is the same
//! as none.

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::Environ;
use super::Machine;
use crate::fs;

/// Longest time a client may take.
const LIMIT: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const LONGEST: u64 = 64 << 10;
/// Where answers are remembered, in the cache's directory.
const FILE: &str = "clients.json";
/// How often a running client is looked at.
const TICK: Duration = Duration::from_millis(2);

/// What was asked and answered, by question and client.
type Memory = BTreeMap<String, Remembered>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Remembered {
    client: Stamp,
    answer: String,
}

/// What changes when a client is installed anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    size: u64,
    mtime: i64,
    mtime_nsec: i64,
}

impl Stamp {
    fn of(program: &Path) -> Option<Self> {
        let meta = fs::lstat(&fs::canonicalize(program).ok()?).ok()?;
        Some(Self { size: meta.size(), mtime: meta.mtime(), mtime_nsec: meta.mtime_nsec() })
    }
}

/// The first line that `program args…` prints, from memory if the client is still the same. `name`
/// identifies the question.
pub(super) fn ask(
    machine: &Machine<'_>,
    name: &str,
    program: &Path,
    args: &[&str],
) -> Option<String> {
    let stamp = Stamp::of(program)?;
    let key = format!("{name} {}", program.display());
    let file = machine.cache.map(|directory| directory.join(FILE));
    let mut memory = file.as_deref().map(recall).unwrap_or_default();
    if let Some(known) = memory.get(&key).filter(|known| known.client == stamp) {
        return Some(known.answer.clone());
    }
    let answer = first_line(program, args, machine.environ, LIMIT)?;
    // An answer with credentials in it is better asked for again than kept in a file.
    if let Some(file) = file.filter(|_| !answer.contains('@')) {
        memory.insert(key, Remembered { client: stamp, answer: answer.clone() });
        remember(&file, &memory);
    }
    Some(answer)
}

/// The first line that `program args…` prints. Asked anew each time, since it is a secret.
pub(super) fn secret(machine: &Machine<'_>, program: &Path, args: &[&str]) -> Option<String> {
    first_line(program, args, machine.environ, LIMIT)
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It ended with a failure; what it said.
    Failed(String),
    /// It was ended, since it took too long.
    Slow,
}

/// All that `program args…` prints when it is given a line. Asked anew each time, since it is a
/// secret.
pub(super) fn answer(
    machine: &Machine<'_>,
    program: &Path,
    args: &[&str],
    line: &str,
) -> Result<String, Silence> {
    let (text, success) = talk(program, args, Some(line), machine.environ, LIMIT);
    match (text, success) {
        (Some(text), true) => Ok(text),
        (Some(text), false) => Err(Silence::Failed(text)),
        (None, _) => Err(Silence::Slow),
    }
}

fn recall(file: &Path) -> Memory {
    fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// Not being able to is no failure: the client is asked again next time.
fn remember(file: &Path, memory: &Memory) {
    if let (Ok(text), Some(directory)) = (serde_json::to_vec_pretty(memory), file.parent()) {
        let _ = fs::create_dir_in_private(directory).and_then(|()| fs::write_atomic(file, &text));
    }
}

fn first_line(program: &Path, args: &[&str], environ: &Environ, limit: Duration) -> Option<String> {
    let (text, success) = talk(program, args, None, environ, limit);
    let line = text?.lines().next()?.trim().to_owned();
    (success && !line.is_empty()).then_some(line)
}

/// What a client prints, and whether it succeeds; nothing when it does not answer in time.
fn talk(
    program: &Path,
    args: &[&str],
    line: Option<&str>,
    environ: &Environ,
    limit: Duration,
) -> (Option<String>, bool) {
    let deadline = Instant::now() + limit;
    let Ok(mut child) = spawn(program, args, line.is_some(), environ, deadline) else {
        return (Some(String::new()), false);
    };
    if let (Some(mut stdin), Some(line)) = (child.stdin.take(), line) {
        // A line fits into the pipe; a client that does not read it is no failure yet.
        let _ = stdin.write_all(format!("{line}\n").as_bytes());
    }
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        std::thread::spawn(move || {
            let mut text = String::new();
            if stdout.take(LONGEST).read_to_string(&mut text).is_ok() {
                let _ = sender.send(text);
            }
        });
    }
    let text = receiver.recv_timeout(limit).ok();
    let ended = finish(&mut child, text.is_some(), deadline);
    // One that was ended has not answered, whatever it had printed.
    let is_done = ended.is_some_and(|status| status.code().is_some());
    (text.filter(|_| is_done), ended.is_some_and(|status| status.success()))
}

/// Starts a client away from any project, in a group of its own, so that it can be ended with
/// everything it starts.
#[allow(
    clippy::disallowed_methods,
    reason = "asking a client is the only reason to start one here"
)]
fn spawn(
    program: &Path,
    args: &[&str],
    is_told: bool,
    environ: &Environ,
    deadline: Instant,
) -> io::Result<Child> {
    loop {
        let started = Command::new(program)
            .args(args)
            .env_clear()
            .envs(environ.all())
            .current_dir("/")
            .stdin(if is_told { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        match started {
            // It is being written: an upgrade is under way.
            Err(e)
                if e.kind() == io::ErrorKind::ExecutableFileBusy && Instant::now() < deadline =>
            {
                std::thread::sleep(TICK);
            }
            other => return other,
        }
    }
}

/// Waits for the end of a client that has answered, ends one that has not.
fn finish(child: &mut Child, answered: bool, deadline: Instant) -> Option<ExitStatus> {
    while answered && Instant::now() < deadline {
        if let Some(status) = child.try_wait().ok()? {
            return Some(status);
        }
        std::thread::sleep(TICK);
    }
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    child.wait().ok()
}

#[cfg(test)]
mod tests {
    use super::super::testing::Fake;
    use super::*;

    #[test]
    fn a_client_is_asked_once_until_it_changes() {
        let fake = Fake::new(&[]);
        let client = fake.script("client", "echo asked >>\"$HOME/log\"; echo one; echo noise");
        let ask = || ask(&fake.machine(), "question", &client, &["a", "b"]);
        let asked = || fake.read("home/log").lines().count();
        assert_eq!(ask().as_deref(), Some("one"));
        assert_eq!(ask().as_deref(), Some("one"));
        assert_eq!(asked(), 1);
        fake.script("client", "echo asked >>\"$HOME/log\"; echo another");
        assert_eq!(ask().as_deref(), Some("another"));
        assert_eq!(asked(), 2);
    }

    #[test]
    fn a_damaged_memory_is_none() {
        let fake = Fake::new(&[]);
        fake.write("cache/clients.json", "{\"question");
        let client = fake.script("client", "echo one");
        assert_eq!(ask(&fake.machine(), "question", &client, &[]).as_deref(), Some("one"));
        assert!(fake.read("cache/clients.json").contains("\"answer\": \"one\""));
    }

    #[test]
    fn credentials_are_not_remembered() {
        let fake = Fake::new(&[]);
        let client = fake.script("client", "echo http://me:secret@mirror.invalid/");
        assert!(ask(&fake.machine(), "question", &client, &[]).is_some());
        assert!(!fake.exists("cache/clients.json"));
    }

    #[test]
    fn a_client_that_fails_is_none() {
        let fake = Fake::new(&[]);
        for body in ["echo one; exit 1", "exit 0", "echo", "printf '\\377'"] {
            let client = fake.script("client", body);
            assert_eq!(ask(&fake.machine(), "question", &client, &[]), None, "{body}");
        }
        assert_eq!(ask(&fake.machine(), "question", &fake.at("bin/none"), &[]), None);
    }

    #[test]
    fn a_client_that_hangs_is_ended() {
        let fake = Fake::new(&[("PATH", "/usr/bin:/bin")]);
        // The pipe stays open in the grandchild: only ending the group frees it.
        let client = fake.script("client", "echo one; sleep 1000 & wait");
        let limit = Duration::from_millis(100);
        assert_eq!(first_line(&client, &[], fake.machine().environ, limit), None);
        // One that has answered and closed its output may still not go on for ever.
        let client = fake.script("client", "echo one; exec >&-; exec sleep 1000");
        assert_eq!(first_line(&client, &[], fake.machine().environ, limit), None);
    }

    #[test]
    fn it_sees_the_given_environment_alone() {
        let fake = Fake::new(&[("GIVEN", "yes")]);
        let client = fake.script("client", "echo \"$GIVEN $CARGO $PWD\"");
        let answer = ask(&fake.machine(), "question", &client, &[]);
        assert_eq!(answer.as_deref(), Some("yes  /"));
    }
}
