//! Asking a program whether it could go on with a supervisor's work, before anything is touched.
//!
//! Owns the hidden subcommand [`SUBCOMMAND`]. The program is opened once; what is asked and what is
//! executed later is that descriptor. Refuses scripts (the kernel could not hand them the descriptor),
//! programs that do not answer in time, that are none of ours, or that do not read our state.

#![allow(clippy::disallowed_methods, reason = "this room owns starting programs")]

use std::fs::File;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::STATE;
use crate::fs;

/// The hidden subcommand that [`answer`] serves.
pub const SUBCOMMAND: &str = "__supervise-check";

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer.
const LONGEST: u64 = 4096;

/// What a program says of itself.
#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    program: String,
    version: String,
    /// The versions of the state that it reads.
    states: Vec<u32>,
}

/// A program that was asked and can go on.
#[derive(Debug)]
pub(in crate::supervise) struct Checked {
    pub(in crate::supervise) path: PathBuf,
    pub(in crate::supervise) version: String,
    pub(in crate::supervise) file: File,
}

/// What the hidden subcommand prints.
pub fn answer() -> String {
    let answer = Answer {
        program: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        states: vec![STATE],
    };
    serde_json::to_string(&answer).unwrap_or_default() + "\n"
}

/// Asks the program at a path. Blocking. `Err` says why it cannot take over.
pub(in crate::supervise) fn check(path: &Path) -> Result<Checked, String> {
    let shown = path.display();
    let mut file = fs::open(path).map_err(|e| crate::base::chain(&e))?;
    let mut magic = [0u8; 4];
    if file.read_exact(&mut magic).is_err() || magic != *b"\x7fELF" {
        return Err(format!("`{shown}` is not a program of this machine"));
    }
    let said = ask(&file).map_err(|why| format!("`{shown}` {why}"))?;
    let answer: Answer = serde_json::from_slice(&said)
        .ok()
        .filter(|a: &Answer| a.program == env!("CARGO_PKG_NAME"))
        .ok_or_else(|| format!("`{shown}` is not a version of infra that can take over"))?;
    if !answer.states.contains(&STATE) {
        return Err(format!(
            "`{shown}` (version {}) does not read the state of this supervisor (version {})",
            answer.version,
            env!("CARGO_PKG_VERSION")
        ));
    }
    Ok(Checked { path: path.to_owned(), version: answer.version, file })
}

fn ask(file: &File) -> Result<Vec<u8>, String> {
    // Of this process: the child has no such descriptor when it is executed.
    let program = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
    let mut child = Command::new(program)
        .arg(SUBCOMMAND)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("cannot be executed: {e}"))?;
    let output = child.stdout.take();
    let (told, heard) = std::sync::mpsc::channel();
    let reader = std::thread::Builder::new().name("check".into()).stack_size(128 * 1024);
    let reader = reader.spawn(move || {
        let mut said = Vec::new();
        let read = output.map(|o| o.take(LONGEST).read_to_end(&mut said));
        let _ = told.send(said);
        drop(read);
    });
    let said = match reader {
        Ok(_) => heard.recv_timeout(PATIENCE).ok(),
        Err(_) => None,
    };
    let limit = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if said.is_some() && Instant::now() < limit => {
                std::thread::sleep(Duration::from_millis(2));
            }
            _ => break None,
        }
    };
    let Some(status) = status else {
        let _ = child.kill();
        let _ = child.wait();
        return Err("did not say in time which version it is".to_owned());
    };
    match said {
        Some(said) if status.success() => Ok(said),
        _ => Err("did not say which version it is".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_infra_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("script");
        fs::write_atomic(&script, b"#!/bin/sh\nexit 0\n").unwrap();
        for (path, says) in [
            (Path::new("/bin/false"), "did not say which version it is"),
            (Path::new("/bin/echo"), "is not a version of infra"),
            (script.as_path(), "is not a program of this machine"),
            (dir.path(), "is"),
            (Path::new("/no/such/file"), "/no/such/file"),
        ] {
            let why = check(path).unwrap_err();
            assert!(why.contains(says), "{why}");
        }
    }

    #[test]
    fn our_own_answer_is_understood() {
        let answer: Answer = serde_json::from_str(&answer()).unwrap();
        assert!(answer.states.contains(&STATE) && answer.program == "infra");
    }
}
