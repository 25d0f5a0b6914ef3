//! One attempt in a child of its own.
//!
//! Invariant: the child ends within two seconds, whatever the attempt does, and [`run`] waits for it.

use crate::sandbox::apply::Confinement;

/// What a child ends with when its attempt worked; also what the foreign program ends with.
pub(super) const WORKED: libc::c_int = 42;

/// Runs an attempt in a child, under rules where there are some; gives whether it worked.
#[allow(unsafe_code, reason = "an attempt needs a process of its own, not a program")]
pub(super) fn run(rules: Option<&Confinement>, attempt: &dyn Fn() -> bool) -> bool {
    // SAFETY: this process has one thread, so the child may do what it could do itself.
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        // Nothing was tried. With rules that is no refusal: say that it worked.
        return rules.is_some();
    }
    if pid == 0 {
        // SAFETY: takes integers; the alarm outlives an exec and ends what hangs.
        unsafe { libc::alarm(2) };
        silence();
        let applied = rules.is_none_or(|rules| rules.apply(false).is_ok());
        // Rules that cannot be applied are no rules.
        let worked = !applied || attempt();
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(if worked { WORKED } else { 0 }) };
    }
    let mut status = 0;
    loop {
        // SAFETY: `pid` is our child, and `status` lives for the call.
        let waited = unsafe { libc::waitpid(pid, &raw mut status, 0) };
        if waited == pid {
            return libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == WORKED;
        }
        if std::io::Error::last_os_error().kind() != std::io::ErrorKind::Interrupted {
            return rules.is_some();
        }
    }
}

/// Standard output is our answer, and loaders complain.
#[allow(unsafe_code, reason = "the child redirects its own streams")]
fn silence() {
    // SAFETY: the path is a constant string; the descriptors are this process's own.
    unsafe {
        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
        if null >= 0 {
            for stream in 0..3 {
                libc::dup2(null, stream);
            }
        }
    }
}
