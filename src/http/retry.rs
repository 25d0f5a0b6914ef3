//! When a failed request is tried again: exponential backoff with jitter, `Retry-After` first.
//!
//! Invariant: tries end; only real progress gives new ones.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::Duration;

use super::Error;

/// What only tests change.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Delay before the first retry; doubles with each.
    pub(super) first_delay: Duration,
    /// Longest delay, whether ours or the server's `Retry-After`.
    pub(super) longest_delay: Duration,
    /// Longest `Retry-After` that is waited for where there is another place to ask.
    pub(super) hasty_delay: Duration,
    /// Whether proxies are passed by.
    pub(super) direct: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_millis(200),
            longest_delay: Duration::from_secs(30),
            hasty_delay: Duration::from_secs(2),
            direct: false,
        }
    }
}

/// A failed try, and whether another can help.
#[derive(Debug)]
pub(super) struct Failure {
    /// What is told if this was the last try.
    pub(super) error: Error,
    /// Whether it was.
    pub(super) again: Again,
}

/// Whether another try can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// It cannot.
    Never,
    /// It may, after our own delay.
    Backoff,
    /// It may, after what the server asked for.
    After(Duration),
}

impl Failure {
    pub(super) fn last(error: Error) -> Self {
        Self { error, again: Again::Never }
    }

    pub(super) fn passing(error: Error) -> Self {
        Self { error, again: Again::Backoff }
    }
}

impl From<crate::fs::Error> for Failure {
    fn from(error: crate::fs::Error) -> Self {
        Self::last(error.into())
    }
}

/// The tries of one request.
#[derive(Debug)]
pub(super) struct Tries {
    pace: Pace,
    allowed: u32,
    used: u32,
    hasty: bool,
}

impl Tries {
    pub(super) fn new(pace: Pace, retries: u32, hasty: bool) -> Self {
        Self { pace, allowed: retries, used: 0, hasty }
    }

    /// Counts from the beginning again: the last try got somewhere.
    pub(super) fn reset(&mut self) {
        self.used = 0;
    }

    /// Waits until the next try, or gives the error when there is none.
    pub(super) async fn next(&mut self, failure: Failure) -> Result<(), Error> {
        if self.hasty && failure.error.is_away() {
            return Err(failure.error);
        }
        match self.delay(failure.again) {
            Some(delay) => {
                tokio::time::sleep(delay).await;
                Ok(())
            }
            None => Err(failure.error),
        }
    }

    fn delay(&mut self, again: Again) -> Option<Duration> {
        let hurried =
            matches!(again, Again::After(asked) if self.hasty && asked > self.pace.hasty_delay);
        if again == Again::Never || self.used >= self.allowed || hurried {
            return None;
        }
        let exponential = self.pace.first_delay.saturating_mul(1 << self.used.min(16));
        self.used += 1;
        let delay = match again {
            Again::After(asked) => asked,
            // Half fixed, half random: many clients that failed together come back apart.
            _ => exponential.min(self.pace.longest_delay).mul_f64(0.5 + random_fraction() / 2.0),
        };
        Some(delay.min(self.pace.longest_delay))
    }
}

/// Between 0 and 1; each `RandomState` has its own keys.
fn random_fraction() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 11;
    bits as f64 / (1u64 << 53) as f64
}

/// The value of `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
pub(super) fn retry_after(value: &str, now: jiff::Timestamp) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(value).ok()?.timestamp();
    Some(Duration::try_from(date.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tries(retries: u32) -> Tries {
        Tries::new(Pace::default(), retries, false)
    }

    #[test]
    fn haste_waits_for_nobody() {
        let mut tries = Tries::new(Pace::default(), 9, true);
        assert!(tries.delay(Again::Backoff).is_some());
        assert!(tries.delay(Again::After(Duration::from_secs(1))).is_some());
        assert_eq!(tries.delay(Again::After(Duration::from_secs(5))), None);
    }

    #[test]
    fn delays_grow_within_their_jitter_and_end() {
        let mut tries = tries(3);
        for (low, high) in [(100, 200), (200, 400), (400, 800)] {
            let delay = tries.delay(Again::Backoff).unwrap().as_millis();
            assert!((low..=high).contains(&delay), "{delay} not in {low}..={high}");
        }
        assert_eq!(tries.delay(Again::Backoff), None);
        tries.reset();
        assert!(tries.delay(Again::Backoff).is_some());
    }

    #[test]
    fn a_server_is_heard_up_to_a_limit() {
        let mut tries = tries(9);
        assert_eq!(tries.delay(Again::After(Duration::ZERO)), Some(Duration::ZERO));
        let patient = Duration::from_secs(3600);
        assert_eq!(tries.delay(Again::After(patient)), Some(Duration::from_secs(30)));
        assert_eq!(tries.delay(Again::Never), None);
    }

    #[test]
    fn many_tries_do_not_overflow() {
        let mut tries = tries(u32::MAX);
        for _ in 0..100 {
            assert!(tries.delay(Again::Backoff).unwrap() <= Duration::from_secs(30));
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: jiff::Timestamp = "2015-10-21T07:28:00Z".parse().unwrap();
        let check = |text, want: Option<u64>| {
            assert_eq!(retry_after(text, now), want.map(Duration::from_secs), "{text}");
        };
        check("0", Some(0));
        check(" 120 ", Some(120));
        check("Wed, 21 Oct 2015 07:28:10 GMT", Some(10));
        check("Wed, 21 Oct 2015 07:27:00 GMT", Some(0));
        check("soon", None);
        check("-1", None);
    }
}
