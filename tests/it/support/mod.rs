//! The hermetic test environment: own HOME, store and project, nothing of the caller's.
//!
//! Owns how the built binary is started and how its outcome is written down for snapshots (exit
//! code, stdout, stderr, with paths and other accidents replaced). Invariant: a test that uses this
//! reaches no network but loopback, and leaves no process.

#![allow(dead_code, reason = "each test module uses a part")]

use std::ffi::OsStr;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A temporary HOME, store and project.
pub struct TestEnv {
    root: tempfile::TempDir,
    vars: Vec<(String, String)>,
}

/// How a command ended.
pub struct Outcome {
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl TestEnv {
    /// An empty project.
    pub fn new() -> Self {
        let root = tempfile::Builder::new().prefix("infra-it-").tempdir().expect("tempdir");
        for dir in ["home", "project"] {
            std::fs::create_dir(root.path().join(dir)).expect("create");
        }
        Self { root, vars: Vec::new() }
    }

    /// Sets a variable for every command of this environment.
    pub fn var(mut self, name: &str, value: impl Into<String>) -> Self {
        self.vars.push((name.to_owned(), value.into()));
        self
    }

    /// Sets a variable from now on.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.vars.push((name.to_owned(), value.into()));
        self
    }

    pub fn root(&self) -> &Path {
        self.root.path()
    }

    pub fn project(&self) -> PathBuf {
        self.root.path().join("project")
    }

    pub fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    pub fn store(&self) -> PathBuf {
        self.root.path().join("store")
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: impl AsRef<[u8]>) -> &Self {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("create");
        std::fs::write(path, text).expect("write");
        self
    }

    /// Reads a file of the project.
    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.project().join(path)).expect("read")
    }

    /// The binary with arguments, not started yet.
    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_infra"));
        command
            .args(args)
            .current_dir(self.project())
            .env_clear()
            .env("HOME", self.home())
            .env("PATH", "/usr/bin:/bin")
            .env("INFRA_STORE", self.store())
            .env("INFRA_RETRIES", "1")
            .env("PIP_CONFIG_FILE", "/dev/null")
            .env("LANG", "C.UTF-8")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for (name, value) in &self.vars {
            command.env(name, value);
        }
        command
    }

    /// Runs the binary to its end.
    pub fn infra<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Outcome {
        finish(self.command(args).spawn().expect("start infra"))
    }

    /// Runs the binary and insists on success.
    pub fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Outcome {
        let outcome = self.infra(args);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        outcome
    }

    /// An outcome as a snapshot: accidents of this run replaced.
    pub fn snapshot(&self, outcome: &Outcome) -> String {
        let text = format!(
            "exit: {}\n--- stdout\n{}--- stderr\n{}",
            outcome.code.map_or_else(|| "signal".to_owned(), |c| c.to_string()),
            outcome.stdout,
            outcome.stderr
        );
        let real = std::fs::canonicalize(self.root()).expect("canonical");
        text.replace(&*real.to_string_lossy(), "[ROOT]")
            .replace(&*self.root().to_string_lossy(), "[ROOT]")
            .lines()
            .map(str::trim_end)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Collects a child's outcome; it may take two minutes.
pub fn finish(mut child: Child) -> Outcome {
    use std::os::unix::process::ExitStatusExt as _;
    let mut out = child.stdout.take();
    let mut err = child.stderr.take();
    let stderr = std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(pipe) = &mut err {
            let _ = pipe.read_to_end(&mut text);
        }
        text
    });
    let mut stdout = Vec::new();
    if let Some(pipe) = &mut out {
        let _ = pipe.read_to_end(&mut stdout);
    }
    let status = child.wait().expect("wait");
    Outcome {
        code: status.code(),
        signal: status.signal(),
        stdout: String::from_utf8_lossy(&stdout).into_owned(),
        stderr: String::from_utf8_lossy(&stderr.join().expect("join")).into_owned(),
    }
}

/// Waits until `ready` gives something; fails with `what` after a minute.
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(Instant::now() < end, "gave up waiting for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Whether a process exists and is no zombie.
pub fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or("").trim_start().starts_with('Z'))
}

/// Sends a signal to a process that a test started.
pub fn signal(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}
