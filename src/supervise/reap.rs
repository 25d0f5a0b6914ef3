//! Children of this process: how their end is seen, and who collects them.
//!
//! Owns the list of known children. As a sub-reaper the supervisor also gets orphans of its
//! services; those are collected here, too. Invariants: the status of a known child is taken only
//! by its own [`Child`], and only by [`Child::reap`]: until then its pid, session and group numbers
//! cannot be reused; a child of another part of this process (same session as ours) is never taken.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, waitid};

use super::process;
use super::procfs::{self, Process};
use super::status::Exit;

/// Pids of children that have an owner.
static KNOWN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

fn known() -> MutexGuard<'static, BTreeSet<u32>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A process that we started. It leads its own session and process group.
#[derive(Debug)]
pub(super) struct Child {
    pid: u32,
    start: u64,
    /// `None` where the kernel has no pidfd.
    pidfd: Option<OwnedFd>,
}

/// Starts a child with the list held, so that nobody can collect it before it is known.
pub(super) fn register(spawn: impl FnOnce() -> io::Result<u32>) -> io::Result<Child> {
    let mut known = known();
    let pid = spawn()?;
    known.insert(pid);
    drop(known);
    // It cannot vanish before it is reaped, so this is about the right process.
    Ok(Child { pid, start: procfs::start_time(pid), pidfd: open(pid) })
}

/// A child that another program in this process started; `None` when it is none.
pub(super) fn adopt(pid: u32, start: u64) -> Option<Child> {
    let us = std::process::id();
    procfs::process(pid).filter(|p| p.parent == us && p.start == start)?;
    known().insert(pid);
    Some(Child { pid, start, pidfd: open(pid) })
}

#[cfg(target_os = "linux")]
fn open(pid: u32) -> Option<OwnedFd> {
    use rustix::process::{PidfdFlags, pidfd_open};
    pidfd_open(raw(pid)?, PidfdFlags::NONBLOCK)
        .or_else(|_| pidfd_open(raw(pid).unwrap_or(Pid::INIT), PidfdFlags::empty()))
        .ok()
}

#[cfg(not(target_os = "linux"))]
fn open(_pid: u32) -> Option<OwnedFd> {
    None
}

pub(super) fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

fn exit_of(status: WaitIdStatus) -> Exit {
    match status.terminating_signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(status.exit_status().unwrap_or(0)),
    }
}

impl Child {
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn start(&self) -> u64 {
        self.start
    }

    /// How it ended, if it has; leaves it to be reaped.
    pub(super) fn peek(&self) -> Option<Exit> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(raw(self.pid)?), options) {
            Ok(status) => status.map(exit_of),
            // Somebody else took it: the code is lost, the end is not.
            Err(rustix::io::Errno::CHILD) => Some(Exit::Code(0)),
            Err(_) => None,
        }
    }

    /// Waits until it ends; leaves it to be reaped.
    pub(super) async fn ended(&self) -> Exit {
        if let Some(exit) = self.watch().await {
            return exit;
        }
        // No pidfd: one waiting thread for this child.
        let Some(pid) = raw(self.pid) else { return Exit::Code(0) };
        let wait = move || loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) => return exit_of(status),
                Ok(None) | Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Exit::Code(0),
            }
        };
        tokio::task::spawn_blocking(wait).await.unwrap_or(Exit::Code(0))
    }

    async fn watch(&self) -> Option<Exit> {
        let fd = self.pidfd.as_ref()?.try_clone().ok()?;
        let fd = process::readable(fd)?;
        loop {
            let mut guard = fd.readable().await.ok()?;
            if let Some(exit) = self.peek() {
                return Some(exit);
            }
            guard.clear_ready();
        }
    }

    /// Collects it. Its numbers may be reused from now on.
    pub(super) fn reap(&self) {
        let mut known = known();
        if let Some(pid) = raw(self.pid) {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
        known.remove(&self.pid);
    }

    /// Sends a signal to its whole process group; nothing once it was reaped.
    pub(super) fn signal(&self, number: i32) {
        let known = known();
        if !known.contains(&self.pid) {
            return;
        }
        if let (Some(pid), Some(signal)) = (raw(self.pid), Signal::from_named_raw(number)) {
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

impl Child {
    /// Sends a signal to it alone; nothing once it was reaped.
    pub(super) fn signal_alone(&self, number: i32) {
        let known = known();
        if !known.contains(&self.pid) {
            return;
        }
        if let (Some(pid), Some(signal)) = (raw(self.pid), Signal::from_named_raw(number)) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }
}

/// Sends a signal to exactly this process, not to one that reuses its pid.
pub(super) fn signal_exact(process: &Process, signal: Signal) {
    let Some(pid) = raw(process.pid) else { return };
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
        if let Ok(fd) = pidfd_open(pid, PidfdFlags::empty()) {
            if procfs::start_time(process.pid) == process.start {
                let _ = pidfd_send_signal(&fd, signal);
            }
            return;
        }
    }
    if procfs::start_time(process.pid) == process.start {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

/// Makes orphans of our services our children.
pub(super) fn become_subreaper() {
    #[cfg(target_os = "linux")]
    // Where the kernel refuses, orphans go to pid 1 and the session sweep still finds most.
    let _ = rustix::process::set_child_subreaper(Some(Pid::INIT));
}

/// Orphans that became our children: in another session than ours, and started by nobody here.
/// `all` gives every process, for where there is no shorter way.
pub(super) fn strays(all: impl FnOnce() -> Vec<Process>) -> Vec<Process> {
    let us = std::process::id();
    let our_session = procfs::process(us).map_or(0, |p| p.session);
    // Held while the children are read, so that none is collected meanwhile.
    let known = known();
    let mut found = match procfs::children() {
        Some(mut pids) => {
            pids.retain(|pid| !known.contains(pid));
            pids.into_iter().filter_map(procfs::process).collect()
        }
        None => all(),
    };
    found.retain(|p| p.parent == us && p.session != our_session && !known.contains(&p.pid));
    found
}

/// Collects orphans that have ended. Called when SIGCHLD says that some child did.
pub(super) fn collect_strays() -> usize {
    let any = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    if !matches!(waitid(WaitId::All, any), Ok(Some(_))) {
        return 0;
    }
    let mut count = 0;
    for stray in strays(procfs::all).iter().filter(|p| p.zombie) {
        if let Some(pid) = raw(stray.pid) {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            let _reading = known();
            count += usize::from(matches!(waitid(WaitId::Pid(pid), options), Ok(Some(_))));
        }
    }
    count
}
