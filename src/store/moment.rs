//! Moments that a jump of the wall clock cannot move.
//!
//! A moment is a boot of this machine and the seconds since it. Within one boot ages are measured
//! by it, so that a clock that is set a year forward, or was a year behind, makes nothing fresh look
//! old. Refuses to compare moments of two boots: then only the wall clock is left. Invariant: an
//! age that is given is true.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fs;

/// A boot and the seconds since it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Moment {
    /// The kernel's random name for this boot.
    boot: String,
    /// Seconds since the boot, sleep included.
    seconds: u64,
}

impl Moment {
    /// Now; `None` where the system does not tell.
    #[cfg(target_os = "linux")]
    pub(super) fn now() -> Option<Self> {
        let path = std::path::Path::new("/proc/sys/kernel/random/boot_id");
        let boot = fs::read_to_string(path).ok()?.trim().to_owned();
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(time.tv_sec).ok()?;
        (!boot.is_empty()).then_some(Self { boot, seconds })
    }

    /// Unknown here.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn now() -> Option<Self> {
        None
    }

    /// How long ago it was at `now`; `None` when that was another boot.
    pub(super) fn age(&self, now: &Self) -> Option<Duration> {
        (self.boot == now.boot)
            .then(|| Duration::from_secs(now.seconds.saturating_sub(self.seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_within_a_boot() {
        let at = |boot: &str, seconds| Moment { boot: boot.to_owned(), seconds };
        assert_eq!(at("a", 5).age(&at("a", 65)), Some(Duration::from_secs(60)));
        assert_eq!(at("a", 5).age(&at("a", 4)), Some(Duration::ZERO));
        assert_eq!(at("a", 5).age(&at("b", 65)), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_boot_is_one() {
        let first = Moment::now().expect("a boot");
        assert!(first.age(&Moment::now().expect("a boot")).is_some_and(|age| age.as_secs() < 600));
    }
}
