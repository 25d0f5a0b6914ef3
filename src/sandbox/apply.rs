//! What the child does to itself between fork and exec.
//!
//! Owns the order: control group, niceness, limits, mask, capabilities, identity, `no_new_privs`,
//! Landlock, seccomp. Invariants: everything here is a plain system call on data that was made before
//! the fork (nothing allocates, locks or can panic); after an error nothing is executed.

use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;

use super::plan::Person;
use super::seccomp;

/// Which step failed, for the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Step {
    /// None of ours: what the caller does around us.
    Start = 0,
    /// Joining the control group.
    Group = 1,
    /// Niceness.
    Nice = 2,
    /// Resource limits.
    Limits = 3,
    /// User and groups.
    Person = 4,
    /// `no_new_privs`.
    NoNewPrivs = 5,
    /// Landlock.
    Landlock = 6,
    /// seccomp.
    Seccomp = 7,
    /// The exec itself.
    Exec = 8,
}

impl Step {
    /// From its number.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Group,
            2 => Self::Nice,
            3 => Self::Limits,
            4 => Self::Person,
            5 => Self::NoNewPrivs,
            6 => Self::Landlock,
            7 => Self::Seccomp,
            8 => Self::Exec,
            _ => Self::Start,
        }
    }

    /// What could not be done, as a verb phrase.
    pub const fn says(self) -> &'static str {
        match self {
            Self::Start => "start it",
            Self::Group => "put it into its control group",
            Self::Nice => "set its niceness",
            Self::Limits => "set its resource limits",
            Self::Person => "become its user",
            Self::NoNewPrivs => "forbid it new privileges",
            Self::Landlock => "put it under its Landlock rules",
            Self::Seccomp => "put it under its system call filter",
            Self::Exec => "execute it",
        }
    }
}

/// The two ways into a control group.
#[derive(Debug)]
pub(super) struct Joining {
    /// Its directory: to be born in.
    pub(super) dir: OwnedFd,
    /// `cgroup.procs`, open for writing: to move into.
    pub(super) procs: OwnedFd,
}

/// What a child puts itself under. Made before the fork, used once or often.
#[derive(Debug, Default)]
pub struct Confinement {
    /// Landlock's rule set.
    pub(super) rules: Option<Arc<OwnedFd>>,
    /// Whether the system call filter is installed.
    pub(super) filter: bool,
    /// Its control group.
    pub(super) group: Option<Joining>,
    /// Resource and its soft and hard limit.
    pub(super) limits: Vec<(u32, u64)>,
    pub(super) person: Option<Person>,
    pub(super) umask: Option<u32>,
    pub(super) nice: Option<i32>,
}

/// Capabilities that undo the rules for root: raw memory and disks, kernel modules, programs in the
/// kernel, other processes, mounts, memory through `/proc/PID/map_files`.
const DROPPED: [libc::c_ulong; 9] = [
    16, // CAP_SYS_MODULE
    17, // CAP_SYS_RAWIO
    19, // CAP_SYS_PTRACE
    21, // CAP_SYS_ADMIN
    22, // CAP_SYS_BOOT
    27, // CAP_MKNOD
    38, // CAP_PERFMON
    39, // CAP_BPF
    40, // CAP_CHECKPOINT_RESTORE
];

fn done(result: libc::c_long, step: Step) -> Result<(), (Step, i32)> {
    if result < 0 { Err((step, seccomp::last_errno())) } else { Ok(()) }
}

impl Confinement {
    /// Whether there are rules.
    pub fn has_rules(&self) -> bool {
        self.rules.is_some()
    }

    /// The directory of its control group, for a process that is born in it.
    pub fn group(&self) -> Option<BorrowedFd<'_>> {
        self.group.as_ref().map(|group| group.dir.as_fd())
    }

    /// Puts the calling process under it. Call it in a child that has one thread. `joined` says that
    /// it is in its control group already.
    ///
    /// # Errors
    /// The step and the `errno` of the first call that failed.
    #[allow(unsafe_code, reason = "a child's own limits have no safe interface")]
    pub fn apply(&self, joined: bool) -> Result<(), (Step, i32)> {
        if let Some(Joining { procs, .. }) = self.group.as_ref().filter(|_| !joined) {
            // SAFETY: the descriptor is open; the buffer is one static byte. `0` is the writer.
            let wrote = unsafe { libc::write(procs.as_raw_fd(), b"0".as_ptr().cast(), 1) };
            done(wrote as libc::c_long, Step::Group)?;
        }
        if let Some(nice) = self.nice {
            // SAFETY: takes integers; 0 is the caller.
            let set = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
            done(set.into(), Step::Nice)?;
        }
        for (resource, value) in &self.limits {
            let limit =
                libc::rlimit { rlim_cur: *value as libc::rlim_t, rlim_max: *value as libc::rlim_t };
            // SAFETY: the structure lives for the call, which only reads it; the cast is between
            // integers that each libc declares in its own way.
            let set = unsafe { libc::setrlimit(*resource as _, &raw const limit) };
            done(set.into(), Step::Limits)?;
        }
        if let Some(mask) = self.umask {
            // SAFETY: takes an integer and cannot fail.
            unsafe { libc::umask(mask as libc::mode_t) };
        }
        if self.rules.is_some() {
            drop_capabilities();
        }
        if let Some(person) = &self.person {
            become_person(person)?;
        }
        if self.rules.is_some() || self.filter {
            // SAFETY: takes integers only.
            let set = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
            done(set.into(), Step::NoNewPrivs)?;
        }
        if let Some(rules) = &self.rules {
            // SAFETY: the descriptor is open, and the call takes integers only.
            let set =
                unsafe { libc::syscall(libc::SYS_landlock_restrict_self, rules.as_raw_fd(), 0u32) };
            done(set, Step::Landlock)?;
        }
        if self.filter {
            seccomp::install().map_err(|errno| (Step::Seccomp, errno))?;
        }
        Ok(())
    }
}

#[allow(unsafe_code, reason = "capabilities have no safe interface")]
fn drop_capabilities() {
    for capability in DROPPED {
        // SAFETY: takes integers only. Who is not privileged is refused, and has none to drop.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
    // SAFETY: takes integers only.
    unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
    // Out of every set as well: what is inheritable would come back with root's exec, and the probe
    // does not exec at all. `capset(2)`, version 3: effective, permitted, inheritable; then the same
    // for numbers from 32 on.
    let mut header: [u32; 2] = [0x2008_0522, 0];
    let mut sets: [u32; 6] = [0; 6];
    // SAFETY: header and sets have the sizes of version 3 (8 and 2 × 12 bytes) and live for both
    // calls; a refusal changes nothing.
    unsafe {
        if libc::syscall(libc::SYS_capget, header.as_mut_ptr(), sets.as_mut_ptr()) == 0 {
            for capability in DROPPED {
                let half = if capability < 32 { 0 } else { 3 };
                let keep = !(1 << (capability % 32));
                sets[half] &= keep;
                sets[half + 1] &= keep;
            }
            sets[2] = 0;
            sets[5] = 0;
            libc::syscall(libc::SYS_capset, header.as_mut_ptr(), sets.as_ptr());
        }
    }
}

/// The system calls themselves: libc's functions would change every thread, which takes locks.
#[allow(unsafe_code, reason = "a child's identity has no safe interface")]
fn become_person(person: &Person) -> Result<(), (Step, i32)> {
    let groups = person.groups.as_ptr();
    // SAFETY: the list has as many entries as it says and is only read; the others take integers.
    unsafe {
        done(libc::syscall(libc::SYS_setgroups, person.groups.len(), groups), Step::Person)?;
        let gid = person.gid;
        done(libc::syscall(libc::SYS_setresgid, gid, gid, gid), Step::Person)?;
        let uid = person.uid;
        done(libc::syscall(libc::SYS_setresuid, uid, uid, uid), Step::Person)
    }
}
