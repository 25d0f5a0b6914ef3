//! A histogram of durations.

use std::time::Duration;

/// Upper bounds in seconds: from what a local start takes to what a patient one may.
pub(super) const BOUNDS: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// Counts of durations at most as long as each bound, not cumulated.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub(super) struct Histogram {
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    pub(super) fn add(&mut self, value: Duration) {
        let seconds = value.as_secs_f64();
        if let Some(n) = BOUNDS.iter().position(|b| seconds <= *b) {
            self.counts[n] += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }

    /// Each bound with the number of values up to it.
    pub(super) fn cumulated(&self) -> impl Iterator<Item = (f64, u64)> {
        let mut total = 0;
        BOUNDS.iter().zip(self.counts).map(move |(bound, count)| {
            total += count;
            (*bound, total)
        })
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn sum(&self) -> f64 {
        self.sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cumulates_and_keeps_what_is_beyond_every_bound() {
        let mut histogram = Histogram::default();
        for ms in [1, 3, 600, 90_000] {
            histogram.add(Duration::from_millis(ms));
        }
        let up_to = |seconds: f64| {
            histogram.cumulated().find(|(b, _)| (*b - seconds).abs() < 1e-9).map(|(_, n)| n)
        };
        assert_eq!(
            (up_to(0.001), up_to(0.005), up_to(1.0), up_to(30.0)),
            (Some(1), Some(2), Some(3), Some(3))
        );
        assert_eq!(histogram.count(), 4);
        assert!((histogram.sum() - 90.604).abs() < 1e-9);
    }
}
