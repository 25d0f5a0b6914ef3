//! A new process of ours: the fork, into its control group where it has one.
//!
//! Owns `clone3(2)`. A child that joins a group by itself, by a write to `cgroup.procs`, makes the
//! kernel wait until every processor has passed a quiet moment, which takes up to some ten
//! milliseconds; one that is born in its group waits for nothing. Where the kernel or a filter refuses
//! that, it is an ordinary fork. Invariants: the child has no handler of ours and no blocked signal
//! when its steps begin; it never returns from [`fork`].

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};

/// What a child starts from; made before the fork.
pub(super) struct Birth<'a> {
    /// Its standard input, output and error; none of them is one of the first three descriptors.
    pub(super) streams: &'a [OwnedFd; 3],
    /// Its working directory.
    pub(super) cwd: &'a CString,
    /// The directory of its control group.
    pub(super) group: Option<BorrowedFd<'a>>,
}

/// Begins in its control group (`clone3(2)`).
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// Forks. The child takes its streams and directory, then `steps` with whether it was born in its
/// group; they do not come back but with the number of an error. `failed` is told that, or the
/// error of what came before, in the child, which then ends.
///
/// # Errors
/// That there can be no new process.
///
/// # Safety
/// `steps` and `failed` may do in the child only what is allowed between fork and exec: system
/// calls on data made before, nothing that allocates, locks or panics.
#[allow(unsafe_code, reason = "there is no safe interface to a fork")]
pub(super) unsafe fn fork(
    birth: &Birth<'_>,
    steps: impl FnOnce(bool) -> i32,
    failed: impl FnOnce(i32),
) -> io::Result<u32> {
    let before = block_signals();
    let (pid, joined) = clone(birth.group);
    if pid == 0 {
        super::process::reset_signals();
        // SAFETY: an empty set, made here; only this thread exists in the child.
        unsafe {
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        }
        let errno = match settle(birth) {
            0 => steps(joined),
            errno => errno,
        };
        failed(errno);
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(127) };
    }
    let error = io::Error::last_os_error();
    // SAFETY: the set is the one that was in force before.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    u32::try_from(pid).map_err(|_| error)
}

/// Blocks every signal, so that no handler of ours runs in the child; gives what was blocked.
#[allow(unsafe_code, reason = "there is no safe interface to signal masks")]
fn block_signals() -> libc::sigset_t {
    // SAFETY: both sets live here; the calls fill the one and read the other.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    }
}

/// Forks; whether the child was born in the group. 0 in the child, -1 for an error.
#[allow(unsafe_code, reason = "there is no safe interface to a fork")]
fn clone(group: Option<BorrowedFd<'_>>) -> (libc::c_long, bool) {
    if let Some(group) = group {
        let mut args = [0u64; 11];
        args[0] = CLONE_INTO_CGROUP;
        // The signal for its end.
        args[4] = u64::from(libc::SIGCHLD.unsigned_abs());
        args[10] = u64::from(group.as_raw_fd().unsigned_abs());
        // SAFETY: the structure has the size that is said and is only read. Without a stack of its
        // own and without shared memory this is a fork: the child goes on here with a copy.
        let pid =
            unsafe { libc::syscall(libc::SYS_clone3, args.as_ptr(), std::mem::size_of_val(&args)) };
        if pid >= 0 {
            return (pid, true);
        }
    }
    // SAFETY: the caller lets the child do only what is allowed.
    (unsafe { libc::fork() }.into(), false)
}

/// Takes streams and directory, and a session of its own; the number of the error, 0 for none.
#[allow(unsafe_code, reason = "the child's first steps have no safe interface")]
fn settle(birth: &Birth<'_>) -> i32 {
    for (stream, to) in birth.streams.iter().zip(0..) {
        // SAFETY: takes numbers of descriptors; the source stays open.
        if unsafe { libc::dup2(stream.as_raw_fd(), to) } < 0 {
            return errno();
        }
    }
    // SAFETY: the path ends with a null byte and lives as long as `birth`.
    if unsafe { libc::chdir(birth.cwd.as_ptr()) } < 0 {
        return errno();
    }
    // SAFETY: takes nothing; fails only for the leader of a group, which a new child is not.
    if unsafe { libc::setsid() } < 0 {
        return errno();
    }
    0
}

fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL)
}
