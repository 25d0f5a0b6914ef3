//! The tools that make faults: strace for system calls, libfaketime for the clock.
//!
//! Where one is missing the tests say so and pass; in CI they fail.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::crashes::kills::say;
use crate::support::{Outcome, finish};

/// Passes a test over; in CI that is a failure.
pub(super) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "{why}");
    say(&format!("skipped: {why}"));
}

/// Whether strace can be used here.
pub(super) fn has_strace() -> bool {
    let tried = Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output();
    let works = tried.is_ok_and(|out| out.status.success());
    if !works {
        skip("strace is not installed, or may not trace here");
    }
    works
}

/// The same command under strace, which writes to `log`. Ended after 20 s: a failing call of the
/// runtime's own, which wakes its threads, may leave it waiting for ever.
pub(super) fn strace(plain: &Command, log: &Path, options: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-y", "-o"]).arg(log).args(options);
    command.args(["--", "timeout", "--signal=KILL", "20"]);
    command.arg(plain.get_program()).args(plain.get_args());
    command.env_clear();
    for (name, value) in plain.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    if let Some(directory) = plain.get_current_dir() {
        command.current_dir(directory);
    }
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped());
    command
}

/// Runs a command to its end.
pub(super) fn outcome(command: &mut Command) -> Outcome {
    finish(command.spawn().expect("start"))
}

/// The library that tells a program another time.
pub(crate) fn faketime() -> Option<PathBuf> {
    let places = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = places
        .map(|entry| entry.path().join("faketime/libfaketimeMT.so.1"))
        .find(|path| path.exists());
    if found.is_none() {
        skip("libfaketime is not installed");
    }
    found
}
