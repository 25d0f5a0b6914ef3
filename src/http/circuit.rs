//! Which origins are left alone for now, because they did not answer.
//!
//! ```text
//! closed ── cannot be reached, or STRIKES bad answers in a row ──▶ open
//!   ▲                                                              │ COOL later: one trial
//!   └──────────────────────── it answered ─────────────────────────┘
//! ```
//!
//! Shared by all clones of a client and kept nowhere else: a command that starts anew asks anew, so
//! a server that is well again is never passed over. Invariant: an origin that answers, be it with
//! "no such thing", is closed. Time is passed in.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use url::Url;

use super::Error;

/// Bad answers in a row that open a circuit.
const STRIKES: u32 = 3;
/// How long an open circuit lets nothing through.
const COOL: Duration = Duration::from_secs(30);

/// The circuits of all origins.
#[derive(Debug, Default)]
pub(super) struct Circuits {
    by_origin: Mutex<BTreeMap<String, Circuit>>,
}

#[derive(Debug, Default)]
struct Circuit {
    strikes: u32,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    /// When it opened, or when the last trial began.
    since: Instant,
    why: String,
}

/// What a finished request says of its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// It is there.
    Answered,
    /// It is there, but not well.
    Unwell,
    /// It is not there.
    Away,
}

impl Circuits {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Circuit>> {
        self.by_origin.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a URL's origin may be asked now.
    ///
    /// # Errors
    /// [`Error::Skipped`], with what the origin did before.
    pub(super) fn admit(&self, url: &Url, now: Instant) -> Result<(), Error> {
        let mut circuits = self.lock();
        let Some(open) = circuits.get_mut(&key(url)).and_then(|c| c.open.as_mut()) else {
            return Ok(());
        };
        if now.duration_since(open.since) < COOL {
            return Err(skipped(url, open));
        }
        // This one is the trial; who comes after it waits for what it finds.
        open.since = now;
        Ok(())
    }

    /// Takes note of how a request ended, its retries included. Only the failure that opens a
    /// circuit is told in full: those under way at the same time become [`Error::Skipped`].
    pub(super) fn settle<T>(
        &self,
        url: &Url,
        result: Result<T, Error>,
        now: Instant,
    ) -> Result<T, Error> {
        let (mark, why) = match &result {
            Ok(_) => (Mark::Answered, String::new()),
            Err(error) => match mark(error) {
                Some(mark) => (mark, why(error)),
                None => return result,
            },
        };
        let mut circuits = self.lock();
        let circuit = circuits.entry(key(url)).or_default();
        if mark == Mark::Answered {
            *circuit = Circuit::default();
            return result;
        }
        if let (Mark::Away, Some(open)) = (mark, &circuit.open)
            && now.duration_since(open.since) < COOL
            && open.why == why
        {
            return Err(skipped(url, open));
        }
        circuit.strikes += 1;
        if mark == Mark::Away || circuit.strikes >= STRIKES {
            circuit.open = Some(Open { since: now, why });
        }
        result
    }
}

fn key(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn skipped(url: &Url, open: &Open) -> Error {
    Error::Skipped { url: super::shown(url), reason: open.why.clone() }
}

/// What an error says of the origin; `None` when nothing.
fn mark(error: &Error) -> Option<Mark> {
    match error {
        Error::Dns { .. } | Error::Connect { .. } | Error::Tls { .. } | Error::Stalled { .. } => {
            Some(Mark::Away)
        }
        Error::Broken { .. } | Error::Later { .. } => Some(Mark::Unwell),
        Error::Status { status, .. } if *status >= 500 => Some(Mark::Unwell),
        Error::Status { .. } | Error::RateLimited { .. } => Some(Mark::Answered),
        _ => None,
    }
}

/// The error without its URL, since it is told of others of the same origin.
fn why(error: &Error) -> String {
    match error {
        Error::Dns { reason, .. }
        | Error::Connect { reason, .. }
        | Error::Tls { reason, .. }
        | Error::Broken { reason, .. } => reason.clone(),
        Error::Stalled { seconds, .. } => format!("it sent nothing for {seconds} s"),
        Error::Status { status, .. } | Error::Later { status, .. } => {
            format!("it answered {status} several times")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn away() -> Result<(), Error> {
        Err(Error::Connect { url: "x".to_owned(), reason: "connection refused".to_owned() })
    }

    fn status(status: u16) -> Result<(), Error> {
        Err(Error::Status { url: "x".to_owned(), status })
    }

    fn is_skipped(result: Result<(), Error>) -> bool {
        matches!(result, Err(Error::Skipped { .. }))
    }

    #[test]
    fn an_origin_that_cannot_be_reached_is_left_alone() {
        let circuits = Circuits::default();
        let now = Instant::now();
        let at = url("http://a.invalid/x?token=secret");
        assert!(circuits.admit(&at, now).is_ok());
        assert!(matches!(circuits.settle(&at, away(), now), Err(Error::Connect { .. })));
        let error = circuits.admit(&url("http://a.invalid/y?token=secret"), now).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("/y`") && text.contains("connection refused"), "{text}");
        assert!(!text.contains("secret"), "{text}");
        // Another port is another origin.
        assert!(circuits.admit(&url("http://a.invalid:81/"), now).is_ok());
        // What was under way meanwhile is told once.
        assert!(is_skipped(circuits.settle(&at, away(), now)));
    }

    #[test]
    fn one_trial_after_a_while() {
        let circuits = Circuits::default();
        let (now, at) = (Instant::now(), url("http://a.invalid/"));
        let _ = circuits.settle(&at, away(), now);
        assert!(is_skipped(circuits.admit(&at, now + COOL - Duration::from_millis(1))));
        let later = now + COOL;
        assert!(circuits.admit(&at, later).is_ok());
        assert!(is_skipped(circuits.admit(&at, later)), "one trial is enough");
        // A trial that nobody heard of again does not close it for ever.
        assert!(circuits.admit(&at, later + COOL).is_ok());
        assert!(circuits.settle(&at, Ok(()), later + COOL).is_ok());
        assert!(circuits.admit(&at, later + COOL).is_ok());
        assert!(circuits.admit(&at, later + COOL).is_ok());
    }

    #[test]
    fn bad_answers_count_only_in_a_row() {
        let circuits = Circuits::default();
        let (now, at) = (Instant::now(), url("http://a.invalid/"));
        for answer in [503, 503, 404, 503, 502] {
            let _ = circuits.settle(&at, status(answer), now);
            assert!(circuits.admit(&at, now).is_ok(), "{answer}");
        }
        assert!(matches!(circuits.settle(&at, status(500), now), Err(Error::Status { .. })));
        assert!(is_skipped(circuits.admit(&at, now)));
        // What says nothing of the origin changes nothing.
        let offline = Err(Error::Offline { url: "x".to_owned() });
        assert!(circuits.settle::<()>(&at, offline, now).is_err());
        assert!(is_skipped(circuits.admit(&at, now)));
    }
}
