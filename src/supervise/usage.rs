//! What processes use, read from `/proc` when somebody asks.
//!
//! Keeps nothing between two questions. Where `/proc` does not show a process (it is gone, or not
//! ours to see) it counts as nothing.

use std::path::{Path, PathBuf};

use super::procfs::{self, Process};
use super::status::{StackStatus, Usage};
use crate::fs;

/// Ticks a second in `/proc/PID/stat` (`USER_HZ`): 100 on every architecture that we build for.
const TICKS: u64 = 100;

/// The supervisor itself, as process metrics have it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Own {
    pub(super) cpu_ms: u64,
    pub(super) rss_bytes: u64,
    pub(super) virtual_bytes: u64,
    pub(super) open_fds: u64,
    pub(super) max_fds: Option<u64>,
    pub(super) threads: u64,
    /// Seconds since 1970 at its start.
    pub(super) started: f64,
}

/// Fills in what each service uses. Blocking: looks at every process there is, once.
pub(super) fn fill(status: &mut StackStatus) {
    if status.services.iter().all(|s| s.pid.is_none()) {
        return;
    }
    let all = procfs::all();
    for service in &mut status.services {
        service.usage = service.pid.and_then(|pid| of_session(&all, pid));
    }
}

/// The processes of one session and their descendants; `None` when none can be seen.
fn of_session(all: &[Process], session: u32) -> Option<Usage> {
    let members = procfs::members(all, Some(session), &[session]);
    if members.is_empty() {
        return None;
    }
    let mut sum = Usage { open_fds: Some(0), ..Usage::default() };
    for process in members {
        let dir = PathBuf::from(format!("/proc/{}", process.pid));
        sum.processes += 1;
        sum.cpu_ms += cpu_ms(&dir).unwrap_or(0);
        sum.rss_bytes += kibibytes(&dir, "VmRSS:").unwrap_or(0) * 1024;
        sum.open_fds = sum.open_fds.zip(descriptors(&dir)).map(|(a, b)| a + b);
    }
    Some(sum)
}

/// This process.
pub(super) fn own() -> Own {
    let dir = Path::new("/proc/self");
    let now = jiff::Timestamp::now().as_millisecond();
    Own {
        cpu_ms: cpu_ms(dir).unwrap_or(0),
        rss_bytes: kibibytes(dir, "VmRSS:").unwrap_or(0) * 1024,
        virtual_bytes: kibibytes(dir, "VmSize:").unwrap_or(0) * 1024,
        open_fds: descriptors(dir).unwrap_or(0),
        max_fds: max_descriptors(dir),
        threads: line(dir, "Threads:").and_then(|t| t.trim().parse().ok()).unwrap_or(0),
        started: seconds(now) - age(dir).unwrap_or(0.0),
    }
}

/// When a process started, in UTC, to the second.
pub(super) fn since(pid: u32) -> Option<String> {
    let age = age(&PathBuf::from(format!("/proc/{pid}")))?;
    let age = std::time::Duration::try_from_secs_f64(age).ok()?;
    Some(format!("{:.0}", jiff::Timestamp::now().checked_sub(age).ok()?))
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of this age fit a double exactly")]
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1000.0
}

/// Seconds since the process started.
fn age(dir: &Path) -> Option<f64> {
    let uptime = fs::read_to_string(Path::new("/proc/uptime")).ok()?;
    let up: f64 = uptime.split_ascii_whitespace().next()?.parse().ok()?;
    let start: f64 = fields(dir)?.get(19)?.parse().ok()?;
    #[allow(clippy::cast_precision_loss, reason = "it is 100")]
    let start = start / TICKS as f64;
    Some((up - start).max(0.0))
}

/// Fields of `stat` from the third on (`proc_pid_stat(5)`), which follow the last `)`.
fn fields(dir: &Path) -> Option<Vec<String>> {
    let text = fs::read(&dir.join("stat")).ok()?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_ascii_whitespace().map(str::to_owned).collect())
}

/// Fields 14 to 17: its own time, and that of children it waited for.
fn cpu_ms(dir: &Path) -> Option<u64> {
    let fields = fields(dir)?;
    let ticks: u64 = fields.get(11..15)?.iter().filter_map(|f| f.parse::<u64>().ok()).sum();
    Some(ticks * (1000 / TICKS))
}

fn line(dir: &Path, key: &str) -> Option<String> {
    let text = fs::read_to_string(&dir.join("status")).ok()?;
    text.lines().find_map(|l| l.strip_prefix(key)).map(str::to_owned)
}

fn kibibytes(dir: &Path, key: &str) -> Option<u64> {
    line(dir, key)?.split_ascii_whitespace().next()?.parse().ok()
}

fn descriptors(dir: &Path) -> Option<u64> {
    fs::read_dir_names(&dir.join("fd")).ok().map(|names| names.len() as u64)
}

fn max_descriptors(dir: &Path) -> Option<u64> {
    let text = fs::read_to_string(&dir.join("limits")).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn sees_ourselves() {
        let me = procfs::process(std::process::id()).unwrap();
        let usage = of_session(&procfs::all(), me.session).unwrap();
        assert!(usage.processes >= 1 && usage.rss_bytes > 100_000, "{usage:?}");
        let own = own();
        assert!(own.rss_bytes > 100_000 && own.virtual_bytes >= own.rss_bytes, "{own:?}");
        assert!(own.open_fds >= 3 && own.threads >= 1 && own.max_fds > Some(3), "{own:?}");
        let year_2020 = 1_577_836_800.0;
        assert!(own.started > year_2020, "{own:?}");
    }
}
