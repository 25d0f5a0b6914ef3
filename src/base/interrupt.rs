//! Named interruption points: where the crash tests kill the process.
//!
//! A step that must survive `kill -9` calls [`point`] with its name just before and after the
//! instruction that matters. In a normal run this is one atomic load. When [`arm`] was called
//! (the program does so from [`super::vars::INTERRUPT_AT`]) the process ends at the named point as
//! abruptly as SIGKILL would end it: no destructor, no flush.

use std::sync::OnceLock;

static ARMED: OnceLock<String> = OnceLock::new();

/// Every point there is, so that tests can walk them and a typo cannot hide.
pub const POINTS: &[&str] = &[
    "download.part",
    "download.done",
    "unpack.entry",
    "object.staged",
    "object.renamed",
    "object.registered",
    "lock.staged",
    "lock.written",
    "env.staged",
    "env.linked",
    "env.switched",
    "gc.unregistered",
    "gc.renamed",
];

/// Ends the process at `name` from now on. Only the first call counts.
pub fn arm(name: String) {
    let _ = ARMED.set(name);
}

/// An interruption point.
#[inline]
pub fn point(name: &'static str) {
    if let Some(armed) = ARMED.get() {
        debug_assert!(POINTS.contains(&name), "{name} is not listed");
        if armed == name {
            std::process::abort();
        }
    }
}
