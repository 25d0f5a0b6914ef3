//! Starting the toolchain, as whoever owns processes offers it.
//!
//! Owns the seam and nothing else. Invariant: a program sees exactly the variables of its [`Call`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// A program to run to its end.
#[derive(Clone, Debug)]
pub struct Call {
    /// The program, absolute.
    pub program: PathBuf,
    /// Its arguments.
    pub args: Vec<OsString>,
    /// Its whole environment.
    pub env: BTreeMap<OsString, OsString>,
    /// Where it runs.
    pub cwd: PathBuf,
}

/// How it ended.
#[derive(Clone, Debug)]
pub struct Ended {
    /// Whether with exit code 0.
    pub success: bool,
    /// What it complained about.
    pub stderr: String,
}

/// It did not start.
#[derive(Debug, thiserror::Error)]
#[error("`{program}` could not be started: {reason}")]
pub struct StartError {
    /// The program.
    pub program: String,
    /// Why.
    pub reason: String,
}

/// Runs programs. Blocking.
pub trait Runner: Send + Sync {
    /// Runs one to its end.
    fn run(&self, call: &Call) -> Result<Ended, StartError>;
}
