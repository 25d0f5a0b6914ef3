//! Programs that take this process's place, or its terminal: commands and shells of an environment.
//!
//! Invariant: they get exactly the environment they are handed, and the default signal state.

#![allow(clippy::disallowed_methods, reason = "this room owns starting programs")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use crate::base::{Diagnose, Hint};

/// A program could not be started.
#[derive(Debug, thiserror::Error)]
#[error("cannot start `{}`", program.display())]
pub struct HandOverError {
    program: PathBuf,
    source: std::io::Error,
}

impl Diagnose for HandOverError {
    /// As shells have it: 127 when there is no such file, else 126.
    fn exit_code(&self) -> u8 {
        if self.source.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }
    }

    fn hints(&self) -> Vec<Hint> {
        let text = match self.source.kind() {
            std::io::ErrorKind::NotFound => {
                "check the path, and that its interpreter is on this host"
            }
            std::io::ErrorKind::PermissionDenied => "it must be a file that you may execute",
            _ => "it must be a program of this host, or a script that begins with `#!`",
        };
        vec![Hint::new(text)]
    }
}

/// Replaces this process by a program; comes back only with an error. `argv[0]` is what the user
/// typed.
pub fn exec(
    program: &Path,
    argv: &[OsString],
    env: &BTreeMap<OsString, OsString>,
) -> HandOverError {
    let mut command = Command::new(program);
    if let Some((first, rest)) = argv.split_first() {
        command.arg0(first).args(rest);
    }
    let source = command.env_clear().envs(env).exec();
    HandOverError { program: program.to_owned(), source }
}

/// Runs a program on this terminal until it ends. Signals of the terminal's keys reach it, not us.
pub fn run_interactive(
    argv: &[OsString],
    env: &BTreeMap<OsString, OsString>,
) -> Result<ExitStatus, HandOverError> {
    let Some((program, args)) = argv.split_first() else {
        let source = std::io::ErrorKind::NotFound.into();
        return Err(HandOverError { program: PathBuf::new(), source });
    };
    let failed = |source| HandOverError { program: PathBuf::from(program), source };
    let mut child =
        Command::new(program).args(args).env_clear().envs(env).spawn().map_err(failed)?;
    // After the start: what is ignored before it would stay ignored in the child.
    ignore_keyboard_signals();
    child.wait().map_err(failed)
}

#[allow(unsafe_code, reason = "the standard library cannot ignore signals")]
fn ignore_keyboard_signals() {
    for signal in [libc::SIGINT, libc::SIGQUIT] {
        // SAFETY: SIG_IGN is a valid disposition for these signals and runs no code of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}
