//! What the kernel says about processes, read from `/proc`.
//!
//! Owns the parsing of `/proc/PID/stat` and the question "who belongs to this service". Starts and
//! signals nothing. Invariant: a process is known by pid *and* start time, so that a reused pid is
//! never taken for the old process. Without `/proc` (other Unix) everything here finds nothing.

use std::ffi::OsString;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use crate::fs;

/// One process that exists now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    pub(super) session: u32,
    /// Clock ticks from boot to its start (`stat` field 22).
    pub(super) start: u64,
    /// Ended, not yet reaped.
    pub(super) zombie: bool,
}

/// Reads `/proc/PID/stat`.
pub(super) fn process(pid: u32) -> Option<Process> {
    let mut buffer = [0u8; 1024];
    let mut file = fs::open(&PathBuf::from(format!("/proc/{pid}/stat"))).ok()?;
    let mut len = 0;
    while len < buffer.len() {
        match file.read(&mut buffer[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(_) => return None,
        }
    }
    parse_stat(&buffer[..len])
}

/// `proc_pid_stat(5)`: the second field is the program's name in parentheses and may hold anything,
/// so fields count from the last `)`.
fn parse_stat(stat: &[u8]) -> Option<Process> {
    let close = memchr::memrchr(b')', stat)?;
    let pid = std::str::from_utf8(&stat[..memchr::memchr(b' ', stat)?]).ok()?.parse().ok()?;
    let rest = std::str::from_utf8(&stat[close + 1..]).ok()?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().take(20).collect();
    let number = |i: usize| fields.get(i)?.parse::<u32>().ok();
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X" | "x"),
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start: fields.get(19)?.parse().ok()?,
    })
}

/// Every process there is.
pub(super) fn all() -> Vec<Process> {
    let names = fs::read_dir_names_if_exists(Path::new("/proc")).unwrap_or_default();
    names.iter().filter_map(|n| n.to_str()?.parse().ok()).filter_map(process).collect()
}

/// The children of this process, zombies included; `None` where the kernel keeps no list of them.
/// Complete only while nobody collects one, see `proc_tid_children(5)`.
pub(super) fn children() -> Option<Vec<u32>> {
    let tasks = Path::new("/proc/self/task");
    // Each thread has its own. One that ends gives them to another, which may have been read.
    let of_all = || {
        let mut found = Vec::new();
        for thread in fs::read_dir_names(tasks).ok()? {
            let text = fs::read_to_string(&tasks.join(thread).join("children")).ok()?;
            found.extend(text.split_ascii_whitespace().filter_map(|n| n.parse::<u32>().ok()));
        }
        Some(found)
    };
    (0..3).find_map(|_| of_all())
}

/// The start time of a process that exists, 0 where that cannot be known.
pub(super) fn start_time(pid: u32) -> u64 {
    process(pid).map_or(0, |p| p.start)
}

/// Identifies this boot of the machine; empty where there is no such thing.
pub(super) fn boot_id() -> String {
    let text = fs::read_to_string(Path::new("/proc/sys/kernel/random/boot_id"));
    text.map(|t| t.trim().to_owned()).unwrap_or_default()
}

/// The arguments that this process was started with, its own name first.
pub(super) fn arguments() -> Vec<OsString> {
    let raw = fs::read(Path::new("/proc/self/cmdline")).unwrap_or_default();
    let raw = raw.strip_suffix(b"\0").unwrap_or(&raw);
    raw.split(|b| *b == 0).map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// The command line, for people.
pub(super) fn command_line(pid: u32) -> Option<String> {
    let raw = fs::read(&PathBuf::from(format!("/proc/{pid}/cmdline"))).ok()?;
    let text = String::from_utf8_lossy(&raw).replace('\0', " ");
    let text = text.trim();
    if !text.is_empty() {
        return Some(text.chars().take(120).collect());
    }
    // Kernel threads and zombies have none.
    let name = fs::read_to_string(&PathBuf::from(format!("/proc/{pid}/comm"))).ok()?;
    Some(name.trim().to_owned())
}

/// The value of one variable in the environment that a process was started with.
pub(super) fn variable(pid: u32, name: &str) -> Option<Vec<u8>> {
    let raw = fs::read(&PathBuf::from(format!("/proc/{pid}/environ"))).ok()?;
    raw.split(|b| *b == 0)
        .find_map(|entry| entry.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
        .map(<[u8]>::to_vec)
}

/// Processes of a session, and all that descend from them or from `roots`, without zombies.
pub(super) fn members(all: &[Process], session: Option<u32>, roots: &[u32]) -> Vec<Process> {
    let mut found: Vec<Process> = Vec::new();
    let mut known: std::collections::BTreeSet<u32> = roots.iter().copied().collect();
    let mut grew = true;
    while grew {
        grew = false;
        for p in all {
            let ours =
                session == Some(p.session) || known.contains(&p.parent) || roots.contains(&p.pid);
            if ours && !found.iter().any(|f| f.pid == p.pid) {
                known.insert(p.pid);
                found.push(*p);
                grew = true;
            }
        }
    }
    found.retain(|p| !p.zombie);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_with_a_hostile_name() {
        let line = b"42 (a) Z 1 (x) S 7 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1 2 3\n";
        let p = parse_stat(line).unwrap();
        assert_eq!((p.pid, p.parent, p.group, p.session), (42, 7, 42, 41));
        assert_eq!((p.start, p.zombie), (987_654, false));
        assert_eq!(parse_stat(b"42 (x"), None);
        assert_eq!(parse_stat(b""), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn finds_ourselves() {
        let me = process(std::process::id()).unwrap();
        assert!(all().contains(&me));
        assert!(members(&all(), Some(me.session), &[]).contains(&me));
        // Those of other tests come and go.
        let parent = |pid: &u32| process(*pid).is_none_or(|p| p.parent == me.pid);
        assert!(children().is_none_or(|all| all.iter().all(parent)));
        assert!(!boot_id().is_empty());
    }
}
