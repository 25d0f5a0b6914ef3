//! Who holds a lock, as the kernel knows it.
//!
//! `/proc/locks` names the processes that hold a `flock` on a file, shared holders too, which write
//! no name; `/proc/PID/cmdline` says what they run. Refuses nothing: what cannot be read, as in
//! another container or on another system, is nobody. Invariant: a process that is gone is never
//! named.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Longest command shown.
const SHOWN: usize = 120;

/// Pids that hold a lock on this file, in our own namespace; ours is left out.
pub(super) fn of(path: &Path) -> Vec<u32> {
    let Ok(meta) = File::open(path).and_then(|file| file.metadata()) else { return Vec::new() };
    let text = fs::read_to_string("/proc/locks").unwrap_or_default();
    let mut pids = parse(&text, meta.dev(), meta.ino());
    pids.retain(|pid| *pid != std::process::id());
    pids.sort_unstable();
    pids.dedup();
    pids
}

/// Inode numbers of every file that a process holds a `flock` on, of any filesystem: a number that is
/// missing is of no file that a process of this namespace has locked. `None` where nobody tells.
pub fn locked_inodes() -> Option<BTreeSet<u64>> {
    let text = fs::read_to_string("/proc/locks").ok()?;
    Some(text.lines().filter_map(|line| held(line)?.1.rsplit(':').next()?.parse().ok()).collect())
}

/// `infra dep sync (pid 7)`, for each of the first three.
pub(super) fn shown(pids: &[u32]) -> Option<String> {
    let mut names: Vec<String> = pids.iter().take(3).map(|pid| shown_one(*pid)).collect();
    if pids.len() > names.len() {
        names.push(format!("{} more", pids.len() - names.len()));
    }
    (!names.is_empty()).then(|| names.join(", "))
}

fn shown_one(pid: u32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let mut words = text.split('\0').filter(|word| !word.is_empty());
    let program = words.next().map(|program| program.rsplit('/').next().unwrap_or(program));
    let line: Vec<&str> = program.into_iter().chain(words).collect();
    let line: String = line.join(" ").chars().filter(|c| !c.is_control()).take(SHOWN).collect();
    match line.as_str() {
        "" => format!("pid {pid}"),
        line => format!("{line} (pid {pid})"),
    }
}

/// The holder and the place in a line such as `1: FLOCK  ADVISORY  WRITE 4242 fe:00:131 0 EOF`
/// (proc(5)); waiting ones have `->`.
fn held(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    if words.next() != Some("FLOCK") {
        return None;
    }
    Some((words.nth(2)?, words.next()?))
}

fn parse(text: &str, device: u64, inode: u64) -> Vec<u32> {
    let place =
        format!("{:02x}:{:02x}:{inode}", rustix::fs::major(device), rustix::fs::minor(device));
    let pid = |line: &str| {
        let (pid, at) = held(line)?;
        if at == place { pid.parse().ok().filter(|pid| *pid > 0) } else { None }
    };
    text.lines().filter_map(pid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_of_one_file_and_nobody_who_waits() {
        let text = "1: FLOCK  ADVISORY  WRITE 12 fe:00:131 0 EOF\n\
                    1: -> FLOCK  ADVISORY  WRITE 13 fe:00:131 0 EOF\n\
                    2: POSIX  ADVISORY  WRITE 14 fe:00:131 0 EOF\n\
                    3: FLOCK  ADVISORY  READ 15 fe:00:131 0 EOF\n\
                    4: FLOCK  ADVISORY  READ 0 fe:00:131 0 EOF\n\
                    5: FLOCK  ADVISORY  READ 16 fe:00:132 0 EOF\n\
                    nonsense\n";
        assert_eq!(parse(text, rustix::fs::makedev(0xfe, 0), 131), [12, 15]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_that_is_locked_is_among_them() {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join("lock");
        let inode = || fs::metadata(&path).expect("look").ino();
        let lock = super::super::FileLock::try_exclusive(&path, "a test").expect("lock");
        assert!(locked_inodes().expect("told").contains(&inode()));
        drop(lock.expect("free"));
        assert!(!locked_inodes().expect("told").contains(&inode()));
    }

    #[test]
    fn a_process_by_its_command() {
        let us = shown(&[std::process::id()]).expect("named");
        assert!(us.ends_with(&format!("(pid {})", std::process::id())), "{us}");
        assert_eq!(shown(&[]), None);
        let many = shown(&[u32::MAX - 1, u32::MAX - 2, u32::MAX - 3, u32::MAX - 4]).expect("named");
        assert!(many.ends_with("1 more"), "{many}");
    }
}
