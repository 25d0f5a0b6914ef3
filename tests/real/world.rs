//! This repository's own project, copied, with a store that all tests share.
//!
//! Owns where downloads land and which of the caller's variables reach `infra`: those that
//! configure the ecosystems, and PATH, on which their clients lie. Invariant: a project that goes
//! away takes every process with it that was started for it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::processes;
use crate::support::{Outcome, TestEnv, alive, finish, signal};

/// What configures pip, uv, npm and Go, and how the network is reached.
const ECOSYSTEMS: [&str; 10] = [
    "PIP_",
    "UV_",
    "NPM_CONFIG_",
    "SSL_CERT_",
    "NODE_EXTRA_CA_CERTS",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "GOPROXY",
    "GOSUMDB",
    "GONOSUMDB",
];
/// Files in the home directory that do the same.
const FILES: [&str; 6] = [".npmrc", ".netrc", ".pip", ".config/pip", ".config/uv", ".config/go"];

/// A copy of this repository's `profiles/` and lock, and everything started for it.
pub struct Project {
    pub env: TestEnv,
}

impl Project {
    /// With the shared store, which has every dep of this platform.
    pub fn new() -> Self {
        Self::with_store(store())
    }

    fn with_store(store: &Path) -> Self {
        let project = Self::empty(store);
        copy(&repository().join("profiles"), &project.env.project().join("profiles"));
        project.env.write("dep.lock.json", committed_lock());
        project
    }

    /// Without profiles and lock.
    pub fn bare() -> Self {
        Self::empty(store())
    }

    fn empty(store: &Path) -> Self {
        let mut env = TestEnv::new()
            .var("INFRA_STORE", store.to_str().expect("UTF-8"))
            .var("INFRA_RETRIES", "4")
            .var("PATH", std::env::var("PATH").expect("PATH"));
        for (name, value) in std::env::vars() {
            let upper = name.to_uppercase();
            if ECOSYSTEMS.iter().any(|p| upper.starts_with(p)) || upper.ends_with("_PROXY") {
                env = env.var(&name, value);
            }
        }
        if let Some(home) = std::env::home_dir() {
            std::fs::create_dir(env.home().join(".config")).expect("create");
            for file in FILES.map(Path::new).iter().filter(|f| home.join(f).exists()) {
                let link = env.home().join(file);
                std::os::unix::fs::symlink(home.join(file), link).expect("link");
            }
        }
        Self { env }
    }

    /// Runs `infra` in it to its end.
    pub fn infra(&self, words: &str) -> Outcome {
        self.env.infra(words.split(' '))
    }

    /// Like [`Self::infra`]; it has to succeed.
    pub fn ok(&self, words: &str) -> Outcome {
        self.env.ok(words.split(' '))
    }

    /// The JSON that a command which succeeds prints.
    pub fn json(&self, words: &str) -> Value {
        serde_json::from_str(&self.ok(words).stdout).expect(words)
    }

    /// `infra`, with directories before the rest of PATH.
    pub fn with_path_first(&self, dir: &Path, args: &[&str]) -> Outcome {
        let path = format!("{}:{}", dir.display(), std::env::var("PATH").expect("PATH"));
        let mut command: Command = self.env.command(args);
        finish(command.env("PATH", path).spawn().expect("start infra"))
    }

    /// Processes that were started for this project and live.
    pub fn processes(&self) -> Vec<processes::Found> {
        processes::naming(self.env.root())
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        // A supervisor first: it would start services anew.
        let mut found = self.processes();
        found.sort_by_key(|p| !p.command.starts_with(env!("CARGO_BIN_EXE_infra")));
        for process in &found {
            signal(process.pid, Signal::KILL);
        }
        // Their directory goes away next. No panic here: the test may be panicking already.
        let end = Instant::now() + Duration::from_secs(10);
        while found.iter().any(|p| alive(p.pid)) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of the lock in the repository.
pub fn committed_lock() -> String {
    std::fs::read_to_string(repository().join("dep.lock.json")).expect("dep.lock.json")
}

/// Nix's name for this platform.
pub fn platform() -> String {
    let system = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
    format!("{}-{system}", std::env::consts::ARCH)
}

/// The store that all tests share, filled when the first asks.
///
/// It lies among the build's files under this process's number; what earlier processes left is
/// removed.
pub fn store() -> &'static Path {
    static STORE: OnceLock<PathBuf> = OnceLock::new();
    STORE.get_or_init(|| {
        let parent = Path::new(env!("CARGO_TARGET_TMPDIR"));
        for entry in std::fs::read_dir(parent).expect("list").map(|e| e.expect("entry")) {
            let name = entry.file_name().into_string().unwrap_or_default();
            if name.strip_prefix("real-").is_some_and(|p| p.parse().is_ok_and(|p| !alive(p))) {
                remove(&entry.path());
            }
        }
        let store = parent.join(format!("real-{}", std::process::id()));
        remove(&store);
        Project::with_store(&store).ok("dep sync");
        store
    })
}

/// Removes a tree, also one that nobody may write.
fn remove(path: &Path) {
    let Ok(meta) = path.symlink_metadata() else { return };
    if !meta.is_dir() {
        std::fs::remove_file(path).expect("remove");
        return;
    }
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).expect("chmod");
    for entry in std::fs::read_dir(path).expect("list") {
        remove(&entry.expect("entry").path());
    }
    std::fs::remove_dir(path).expect("remove");
}

/// Copies a tree; directories of the copy can be written.
pub fn copy(from: &Path, to: &Path) {
    let meta = from.symlink_metadata().expect("metadata");
    if meta.is_symlink() {
        std::os::unix::fs::symlink(from.read_link().expect("link"), to).expect("link");
    } else if meta.is_dir() {
        std::fs::create_dir(to).expect("create");
        for entry in std::fs::read_dir(from).expect("list").map(|e| e.expect("entry")) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).expect("copy");
    }
}
