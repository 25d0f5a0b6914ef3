//! All that belongs to one service or one run, and how it is ended.
//!
//! A service is its session, the descendants of its members, and orphans that carry its mark: a
//! variable that every process of a run inherits. Blocking; called off the event loop. Invariant:
//! signals go only to processes that were found to belong, by pid and start time.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::confined;
use super::procfs::{self, Process};
use super::reap::{self, Child};
use crate::base::vars::exported;

/// How long SIGKILL may take before the rest is reported instead of waited for.
const KILL_LIMIT: Duration = Duration::from_secs(5);

/// Marks the processes of one run: pid and start time of its supervisor, and a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RunMark(String);

impl RunMark {
    /// A mark that no other run has.
    pub(super) fn fresh() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let pid = std::process::id();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        Self(format!("{pid}.{}.{count}", procfs::start_time(pid)))
    }

    pub(super) fn from_text(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The variable's value for one service.
    pub(super) fn of_service(&self, service: &str) -> String {
        format!("{service}@{}", self.0)
    }

    fn is_on(&self, process: &Process) -> bool {
        self.is_on_pid(process.pid)
    }

    /// Whether a process carries it.
    pub(super) fn is_on_pid(&self, pid: u32) -> bool {
        procfs::variable(pid, exported::RUN)
            .and_then(|v| Some(v.strip_suffix(self.0.as_bytes())?.ends_with(b"@")))
            .unwrap_or(false)
    }
}

/// What is left of a service whose leader has ended (or is about to): all of it but the leader.
fn rest(child: &Child, mark: &str, group: Option<&Path>) -> Vec<Process> {
    // Asked first: a leader's children become ours when it ends.
    let ended = child.peek().is_some();
    let mut strays = reap::strays(procfs::all);
    // What outlives a leader is our child, or descends from one that is: orphans come to us. So
    // after most ends there is nothing to look for.
    if ended && strays.iter().all(|p| p.zombie) {
        let mut found = of_group(group, &[]);
        found.retain(|p| p.pid != child.pid());
        return found;
    }
    let all = procfs::all();
    strays.retain(|p| all.iter().any(|one| one.pid == p.pid && one.start == p.start));
    let roots: Vec<u32> = strays
        .iter()
        .filter(|p| procfs::variable(p.pid, exported::RUN).as_deref() == Some(mark.as_bytes()))
        .map(|p| p.pid)
        .collect();
    let mut found = procfs::members(&all, Some(child.pid()), &roots);
    found.extend(of_group(group, &found));
    found.retain(|p| p.pid != child.pid());
    found
}

/// Processes of a control group that were not found yet.
fn of_group(group: Option<&Path>, found: &[Process]) -> Vec<Process> {
    let pids = group.map(confined::processes).unwrap_or_default();
    let new = pids.into_iter().filter(|pid| found.iter().all(|p| p.pid != *pid));
    new.filter_map(procfs::process).filter(|p| !p.zombie).collect()
}

/// Sends a signal to everything of a service that left its leader's process group.
pub(super) fn signal_others(child: &Child, mark: &str, group: Option<&Path>, number: i32) {
    let Some(signal) = Signal::from_named_raw(number) else { return };
    for process in rest(child, mark, group).iter().filter(|p| p.group != child.pid()) {
        reap::signal_exact(process, signal);
    }
}

/// Waits until nothing but the leader is left, with SIGKILL after `patience`. Gives how many had
/// to be killed, and how many are left all the same.
pub(super) fn sweep(
    child: &Child,
    mark: &str,
    group: Option<&Path>,
    patience: Duration,
) -> (usize, usize) {
    if !cfg!(target_os = "linux") {
        // Nothing can be found there; the process group is what can be reached.
        std::thread::sleep(patience.min(Duration::from_millis(50)));
        child.signal(libc::SIGKILL);
    }
    let find = || rest(child, mark, group);
    let swept = end(find, patience, None, group);
    reap::collect_strays();
    swept
}

/// Ends every process of a run whose supervisor is gone: SIGTERM, then SIGKILL after `grace`.
/// `sessions` holds the leaders' pid and start time. `group` is the run's control
/// group. `fresh` says that the supervisor died just
/// now, so that a session's number cannot have been given anew even if its leader is dead.
pub(super) fn end_run(
    mark: &RunMark,
    sessions: &[(u32, u64)],
    group: Option<&Path>,
    grace: Duration,
    fresh: bool,
) -> (usize, usize) {
    if !cfg!(target_os = "linux") {
        // Only right after the supervisor's death is a group's number sure to be the same.
        if fresh {
            end_groups(sessions, grace);
        }
        return (0, 0);
    }
    let us = std::process::id();
    let find = || {
        let all = procfs::all();
        let mut found: Vec<Process> = Vec::new();
        for &(session, start) in sessions {
            // A leader with another start time means that the number has been given anew. While
            // members of the old session live it cannot be.
            if all.iter().any(|p| p.pid == session && p.start != start) {
                continue;
            }
            // A dead leader tells nothing of who has its number now: then the mark decides.
            let sure = fresh || all.iter().any(|p| p.pid == session);
            let members = procfs::members(&all, Some(session), &[]);
            found.extend(members.iter().filter(|p| p.start >= start && (sure || mark.is_on(p))));
        }
        for process in &all {
            let seen = found.iter().any(|f| f.pid == process.pid);
            if !seen && !process.zombie && mark.is_on(process) {
                found.push(*process);
            }
        }
        found.extend(of_group(group, &found));
        found.retain(|p| p.pid != us);
        found
    };
    let ended = end(find, grace, Some(Signal::TERM), group);
    if let Some(group) = group {
        confined::remove(group);
    }
    ended
}

/// Where sessions cannot be looked into: ends the leaders' process groups.
fn end_groups(leaders: &[(u32, u64)], grace: Duration) {
    let groups = || leaders.iter().filter_map(|(pid, _)| reap::raw(*pid));
    // A group that is gone already is what is wanted.
    let send = |signal| {
        for group in groups() {
            let _ = rustix::process::kill_process_group(group, signal);
        }
    };
    send(Signal::TERM);
    let start = Instant::now();
    let alive = |g| rustix::process::test_kill_process_group(g).is_ok();
    while start.elapsed() < grace && groups().any(alive) {
        std::thread::sleep(Duration::from_millis(5));
    }
    send(Signal::KILL);
}

/// Ends orphans of a run that no service's sweep took: they left their session and dropped their
/// mark, but became our children.
pub(super) fn end_strays(mark: &RunMark) -> (usize, usize) {
    let find = || {
        reap::collect_strays();
        let all = procfs::all();
        let mut strays = reap::strays(|| all.clone());
        // Marked with another run: another supervisor of this process answers for it.
        strays.retain(|p| {
            !p.zombie && (mark.is_on(p) || procfs::variable(p.pid, exported::RUN).is_none())
        });
        let roots: Vec<u32> = strays.iter().map(|p| p.pid).collect();
        procfs::members(&all, None, &roots)
    };
    end(find, Duration::ZERO, None, None)
}

fn end(
    find: impl Fn() -> Vec<Process>,
    patience: Duration,
    ask: Option<Signal>,
    group: Option<&Path>,
) -> (usize, usize) {
    let start = Instant::now();
    let mut left = find();
    if let Some(signal) = ask {
        left.iter().for_each(|p| reap::signal_exact(p, signal));
    }
    let mut killed = Vec::new();
    let mut pause = Duration::from_millis(1);
    while !left.is_empty() {
        let waited = start.elapsed();
        if waited >= patience {
            // At once, however fast they fork.
            if let Some(group) = group {
                confined::kill(group);
            }
            for process in &left {
                reap::signal_exact(process, Signal::KILL);
                if !killed.contains(&process.pid) {
                    killed.push(process.pid);
                }
            }
            if waited >= patience + KILL_LIMIT {
                break;
            }
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
        left = find();
    }
    (killed.len(), left.len())
}
