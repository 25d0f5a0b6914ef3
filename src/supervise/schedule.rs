//! When a scheduled task is due.
//!
//! Owns the meaning of `schedule`: five fields as in crontab(5), read as UTC unless a sixth names a
//! time zone. Takes the time from its caller. Invariants: however the clock jumps, one look at it
//! makes a task due once at most, so that missed runs never come in a burst; a clock that was set
//! back only moves the next time, it makes nothing due.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cronexpr::{Crontab, FallbackTimezoneOption, ParseOptions, parse_crontab_with};
use jiff::Timestamp;

/// The longest wait between two looks at the clock, which may have been set or have slept.
pub(super) const LOOK: Duration = Duration::from_secs(30);

/// Times at which a task runs.
#[derive(Clone)]
pub struct Schedule {
    text: String,
    cron: Crontab,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl FromStr for Schedule {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let mut options = ParseOptions::default();
        options.fallback_timezone_option = FallbackTimezoneOption::UTC;
        let cron = parse_crontab_with(text, options).map_err(|e| e.to_string())?;
        Ok(Self { text: text.to_owned(), cron })
    }
}

impl serde::Serialize for Schedule {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for Schedule {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Schedule {
    /// The first time after a moment; `None` when there is none in any near century.
    pub fn after(&self, moment: Timestamp) -> Option<Timestamp> {
        self.cron.find_next(moment).ok().map(|zoned| zoned.timestamp())
    }
}

/// One schedule and the time it waits for.
#[derive(Debug)]
pub(super) struct Timer {
    schedule: Schedule,
    next: Option<Timestamp>,
    seen: Timestamp,
}

impl Timer {
    pub(super) fn new(schedule: Schedule, now: Timestamp) -> Self {
        let next = schedule.after(now);
        Self { schedule, next, seen: now }
    }

    /// Whether its time came since the last look.
    pub(super) fn look(&mut self, now: Timestamp) -> bool {
        let back = now < self.seen;
        self.seen = now;
        let due = !back && self.next.is_some_and(|next| next <= now);
        if due || back {
            self.next = self.schedule.after(now);
        }
        due
    }

    /// Its position: the time it waits for, and when it looked last.
    pub(super) fn position(&self) -> (Option<Timestamp>, Timestamp) {
        (self.next, self.seen)
    }

    /// Goes on from a position, so that a time that came meanwhile is due at the next look.
    pub(super) fn go_on(&mut self, (next, seen): (Option<Timestamp>, Timestamp)) {
        (self.next, self.seen) = (next, seen);
    }

    /// How long until the time it waits for.
    pub(super) fn until(&self, now: Timestamp) -> Option<Duration> {
        Some(Duration::try_from(self.next?.duration_since(now)).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn is_utc_unless_it_says_otherwise() {
        let next = |s: &str, t: &str| s.parse::<Schedule>().unwrap().after(at(t)).unwrap();
        assert_eq!(next("*/5 * * * *", "2026-01-01T00:01:00Z"), at("2026-01-01T00:05:00Z"));
        assert_eq!(next("0 3 * * *", "2026-01-01T03:00:00Z"), at("2026-01-02T03:00:00Z"));
        assert_eq!(next("0 3 * * 1 UTC", "2026-01-01T00:00:00Z"), at("2026-01-05T03:00:00Z"));
        for bad in ["", "* * * *", "61 * * * *", "* * * * * Nowhere/City", "@sometimes"] {
            assert!(bad.parse::<Schedule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_jump_makes_one_run_at_most() {
        let mut timer = Timer::new("* * * * *".parse().unwrap(), at("2026-01-01T00:00:30Z"));
        assert_eq!(timer.until(at("2026-01-01T00:00:30Z")), Some(Duration::from_secs(30)));
        assert!(!timer.look(at("2026-01-01T00:00:59Z")));
        assert!(timer.look(at("2026-01-01T00:01:00Z")));
        assert!(!timer.look(at("2026-01-01T00:01:00Z")));
        // A night's sleep.
        assert!(timer.look(at("2026-01-01T08:00:10Z")));
        assert!(!timer.look(at("2026-01-01T08:00:11Z")));
        // Set back: nothing is due, and the next time is the next one from there.
        assert!(!timer.look(at("2025-06-01T00:00:10Z")));
        assert!(timer.look(at("2025-06-01T00:01:00Z")));
    }

    proptest! {
        #[test]
        fn any_clock_is_harmless(looks in prop::collection::vec(-400_000_000i64..400_000_000, 1..60)) {
            let start = at("2026-01-01T00:00:00Z");
            let mut timer = Timer::new("*/7 * * * *".parse().unwrap(), start);
            let mut before = start;
            for shift in looks {
                let now = Timestamp::from_second(start.as_second() + shift).unwrap();
                let due = timer.look(now);
                prop_assert!(!due || now > before, "due although the clock went back");
                prop_assert!(!timer.look(now), "due twice");
                prop_assert!(timer.next.is_some_and(|next| next > now));
                before = now;
            }
        }
        #[test]
        fn never_panics(s in "\\PC{0,30}") {
            let _ = s.parse::<Schedule>();
        }
    }
}
