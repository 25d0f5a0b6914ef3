//! Running a tool of this machine to its end and taking what it printed.
//!
//! Owns what is asked of `git` and of toolchains; no service and no command of an environment is started here.
//! Refuses shells and terminals: standard input is empty, both outputs are collected. Invariant: a
//! tool sees exactly the environment it is handed, and has ended when [`run`] returns.

#![allow(clippy::disallowed_methods, reason = "this room owns starting programs")]

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::base::{Diagnose, Hint};
use crate::config::{Environ, find_on_path};

/// How a tool ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it complained about.
    pub stderr: String,
}

impl Finished {
    /// Whether it ended with 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Its output without the white space around it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).trim().to_owned()
    }
}

/// A tool that did not run.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// It is not on `PATH`.
    #[error("`{program}` is needed for this and is not on PATH")]
    Missing {
        /// Its name.
        program: String,
    },
    /// The system refused to start it.
    #[error("`{program}` could not be started")]
    Start {
        /// Its name.
        program: String,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl Diagnose for ToolError {
    fn hints(&self) -> Vec<Hint> {
        match self {
            Self::Missing { program } => vec![Hint::new(format!("install `{program}`"))],
            Self::Start { .. } => Vec::new(),
        }
    }
}

/// Runs a program of the caller's `PATH` in a directory until it ends.
///
/// # Errors
/// When it cannot be started; a tool that fails is an answer, in [`Finished::code`].
pub fn run<S: AsRef<OsStr>>(
    program: &str,
    args: impl IntoIterator<Item = S>,
    environ: &Environ,
    cwd: &Path,
) -> Result<Finished, ToolError> {
    let Some(path) = find_on_path(environ, program) else {
        return Err(ToolError::Missing { program: program.to_owned() });
    };
    let output = Command::new(path)
        .args(args)
        .env_clear()
        .envs(environ.all())
        .current_dir(cwd)
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ToolError::Start { program: program.to_owned(), source })?;
    Ok(Finished {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// Runs a program at a path with exactly these variables until it ends. Its output is dropped but
/// for what it complains about.
///
/// # Errors
/// When it cannot be started.
pub fn run_exactly(
    program: &Path,
    args: &[OsString],
    env: &BTreeMap<OsString, OsString>,
    cwd: &Path,
) -> Result<Finished, ToolError> {
    let output = Command::new(program)
        .args(args)
        .env_clear()
        .envs(env)
        .current_dir(cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .output()
        .map_err(|source| ToolError::Start { program: program.display().to_string(), source })?;
    Ok(Finished {
        code: output.status.code(),
        stdout: Vec::new(),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_to_the_end_with_what_it_is_handed() {
        let environ = Environ::from_vars([("PATH", "/usr/bin:/bin"), ("GIVEN", "yes")]);
        let script = "echo \"$GIVEN $HOME $PWD\"; echo no >&2; exit 3";
        let done = run("sh", ["-c", script], &environ, Path::new("/")).expect("runs");
        assert_eq!((done.code, done.success()), (Some(3), false));
        assert_eq!((done.text().as_str(), done.stderr.as_str()), ("yes  /", "no"));
        let error = run("no-such-tool", ["x"], &environ, Path::new("/")).expect_err("none");
        assert!(error.to_string().contains("not on PATH"));
    }
}
