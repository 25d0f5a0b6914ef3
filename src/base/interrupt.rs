//! Named interruption points: where the crash tests kill the process.
//!
//! A step that must survive `kill -9` calls [`point`] with its name just before and after the
//! instruction that matters; a step that others may disturb calls it where they would. In a normal run this is one atomic load. When [`arm`] was called
//! (the program does so from [`super::vars::INTERRUPT_AT`]) the process ends at the named point as
//! abruptly as SIGKILL would end it: no destructor, no flush. Armed with a file, it waits there instead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

static ARMED: OnceLock<Armed> = OnceLock::new();

struct Armed {
    name: String,
    /// Made when the point is reached; what waits there goes on when it is gone.
    pause: Option<std::path::PathBuf>,
    /// How often the point is still passed unharmed.
    spared: AtomicU32,
}

/// Every point there is, so that tests can walk them and a typo cannot hide.
pub const POINTS: &[&str] = &[
    "download.part",
    "download.done",
    "artifact.admitted",
    "unpack.entry",
    "object.staged",
    "object.renamed",
    "object.registered",
    "lock.staged",
    "lock.written",
    "env.staged",
    "env.linked",
    "env.switched",
    "root.linked",
    "pin.linked",
    "gc.unregistered",
    "gc.renamed",
    "optimise.staged",
    "optimise.renamed",
    "push.part",
    "push.nar",
    "push.narinfo",
    "cache.unlisted",
    "cache.removed",
    "pull.object",
    "import.object",
];

/// Points where nothing is being written: a process may wait there, and need not be killed.
pub const WAITS: &[&str] = &["service.checked", "upgrade.ready"];

/// Ends the process at `POINT` from now on, or with `POINT:N` when it comes there the Nth time.
/// `POINT@FILE` waits there while FILE, which it makes, exists, at most half a minute. Only the first
/// call counts.
pub fn arm(what: &str) {
    let (what, pause) = match what.split_once('@') {
        Some((what, file)) => (what, Some(file.into())),
        None => (what, None),
    };
    let (name, nth) = match what.rsplit_once(':') {
        Some((name, nth)) => (name, nth.parse().unwrap_or(1)),
        None => (what, 1),
    };
    let spared = AtomicU32::new(u32::saturating_sub(nth, 1));
    let _ = ARMED.set(Armed { name: name.to_owned(), pause, spared });
}

/// An interruption point.
#[inline]
pub fn point(name: &'static str) {
    if let Some(armed) = ARMED.get() {
        debug_assert!(POINTS.contains(&name) || WAITS.contains(&name), "{name} is not listed");
        if armed.name == name && armed.is_due() {
            match &armed.pause {
                Some(file) => pause(file),
                None => std::process::abort(),
            }
        }
    }
}

fn pause(file: &std::path::Path) {
    let made = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(file);
    for _ in 0..30_000 {
        if made.is_err() || !file.exists() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
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
        let armed =
            Armed { name: "lock.staged".to_owned(), pause: None, spared: AtomicU32::new(2) };
        assert_eq!([(); 4].map(|()| armed.is_due()), [false, false, true, true]);
    }
}
