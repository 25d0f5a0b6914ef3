//! Which processes there are, from `/proc`, and whether ports answer.

use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::{alive, wait_for};

/// A process that lives.
#[derive(Debug)]
pub struct Found {
    pub pid: u32,
    /// Its arguments, separated by spaces.
    pub command: String,
}

fn all() -> impl Iterator<Item = u32> {
    let names = std::fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
    names.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(|pid| alive(*pid))
}

fn found(pid: u32) -> Found {
    let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    Found { pid, command: String::from_utf8_lossy(&command).replace('\0', " ") }
}

/// Processes whose arguments, environment or working directory name a directory.
pub fn naming(dir: &Path) -> Vec<Found> {
    let needle = dir.as_os_str().as_bytes();
    let names = |pid: &u32| {
        let has = |text: &[u8]| text.windows(needle.len()).any(|w| w == needle);
        let file = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let cwd = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
        has(&file("cmdline")) || has(&file("environ")) || cwd.starts_with(dir)
    };
    all().filter(names).map(found).collect()
}

/// The children of a process.
pub fn children(parent: u32) -> Vec<Found> {
    let is_child = |pid: &u32| {
        // Fields after the name, which may hold anything: state, parent, …
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after = stat.rsplit(')').next().unwrap_or_default();
        after.split_whitespace().nth(1) == Some(&*parent.to_string())
    };
    all().filter(is_child).map(found).collect()
}

/// The guardian of a supervisor, once there is one other than `before`.
pub fn guardian(supervisor: u32, before: Option<u32>) -> u32 {
    wait_for("a guardian", || {
        let children = children(supervisor);
        let found = children.iter().find(|p| p.command.contains("__guardian"));
        found.map(|p| p.pid).filter(|pid| Some(*pid) != before)
    })
}

/// How long it takes until none of these lives.
pub fn time_until_gone(pids: &[u32]) -> Duration {
    let start = Instant::now();
    wait_for("processes to end", || (!pids.iter().any(|pid| alive(*pid))).then_some(()));
    start.elapsed()
}

/// Whether something accepts connections on a loopback port.
pub fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
