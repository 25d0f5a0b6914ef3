//! Named interruption points: where the crash tests kill the process.
//!
//! A step that must survive `kill -9` calls [`point`] with its name just before and after the
//! instruction that matters. In a normal run this is one atomic load. When [`arm`] was called
//! (the program does so from [`super::vars::INTERRUPT_AT`]) the process ends at the named point as
//! abruptly as SIGKILL would end it: no destructor, no flush.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

static ARMED: OnceLock<Armed> = OnceLock::new();

struct Armed {
    name: String,
    /// How often the point is still passed unharmed.
    spared: AtomicU32,
}

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
    "optimise.staged",
    "optimise.renamed",
    "push.part",
    "push.nar",
    "push.narinfo",
    "pull.object",
    "import.object",
];

/// Ends the process at `POINT` from now on, or with `POINT:N` when it comes there the Nth time.
/// Only the first call counts.
pub fn arm(what: &str) {
    let (name, nth) = match what.rsplit_once(':') {
        Some((name, nth)) => (name, nth.parse().unwrap_or(1)),
        None => (what, 1),
    };
    let spared = AtomicU32::new(u32::saturating_sub(nth, 1));
    let _ = ARMED.set(Armed { name: name.to_owned(), spared });
}

/// An interruption point.
#[inline]
pub fn point(name: &'static str) {
    if let Some(armed) = ARMED.get() {
        debug_assert!(POINTS.contains(&name), "{name} is not listed");
        if armed.name == name && armed.is_due() {
            std::process::abort();
        }
    }
}

impl Armed {
    fn is_due(&self) -> bool {
        let less = |left: u32| left.checked_sub(1);
        self.spared.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nth_time_is_due() {
        let armed = Armed { name: "lock.staged".to_owned(), spared: AtomicU32::new(2) };
        assert_eq!([(); 4].map(|()| armed.is_due()), [false, false, true, true]);
    }
}
