//! Which chance a run has, and how long it is.
//!
//! `CHAOS_SEED` repeats one, `CHAOS_EVENTS` makes it longer. The same seed gives the same events;
//! what the kernel makes of them is its own.

use crate::crashes::kills::say;
use crate::crashes::random::Random;

/// Seeds of a run without `CHAOS_SEED`.
const SEEDS: [u64; 2] = [1, 2];

/// Events of each, without `CHAOS_EVENTS`.
const EVENTS: u64 = 30;

/// The seeds to try.
pub(super) fn seeds() -> Vec<u64> {
    match number("CHAOS_SEED") {
        Some(seed) => vec![seed],
        None => SEEDS.to_vec(),
    }
}

/// How many events each gets: 200 when a seed is asked for.
pub(super) fn events() -> u64 {
    let usual = if number("CHAOS_SEED").is_some() { 200 } else { EVENTS };
    number("CHAOS_EVENTS").unwrap_or(usual)
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: `{text}`")))
}

/// Says which seed runs, at once and again when the test fails.
pub(super) struct Said(u64, u64);

impl Said {
    pub(super) fn new(seed: u64, events: u64) -> (Self, Random) {
        say(&format!("chaos: seed {seed}, {events} events"));
        (Self(seed, events), Random(seed))
    }
}

impl Drop for Said {
    fn drop(&mut self) {
        if std::thread::panicking() {
            say(&format!("chaos failed: CHAOS_SEED={} CHAOS_EVENTS={} repeats it", self.0, self.1));
        }
    }
}
