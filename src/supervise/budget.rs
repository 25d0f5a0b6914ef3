//! How long each service may take to end when the end of all has a limit.
//!
//! Pure: times and edges in, times out. A service is asked to end when all that come after it have
//! ended, so what may not exceed the limit is the sum along each chain of services. Shares are
//! max-min fair: whoever needs little keeps all of it, and what is cut is cut to the same length
//! along a chain, however long its own time is. Invariants: no chain's sum exceeds the limit; nobody
//! gets more than it wants; nobody who was cut could have more while the others keep theirs, but for
//! less than a millisecond for each service.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::order::{self, After};
use crate::base::ServiceName;

/// Times by service.
pub type Times = BTreeMap<ServiceName, Duration>;

/// The part of a limit that services may use: the rest is for what follows the last SIGKILL (the
/// sweep, the last lines of logs, the journal). A tenth, at most half a second.
pub fn usable(limit: Duration) -> Duration {
    limit - (limit / 10).min(Duration::from_millis(500))
}

/// Shares `limit` among services that want `wants`. `first` names who must have ended before each;
/// names that want nothing take no time. Whole milliseconds.
pub fn share(wants: &Times, first: &After, limit: Duration) -> Times {
    let chains = Chains::new(wants, first);
    let limit = millis(limit);
    let mut given: Vec<Option<u64>> = vec![None; chains.wants.len()];
    while given.iter().any(Option::is_none) {
        let weights = |cap: u64| -> Vec<u64> {
            let each = chains.wants.iter().zip(&given);
            each.map(|(want, given)| given.unwrap_or_else(|| (*want).min(cap))).collect()
        };
        let fits = |cap: u64| chains.longest(&weights(cap)) <= limit;
        let most = chains.wants.iter().copied().max().unwrap_or(0);
        let cap = if fits(most) { most } else { largest(most, fits) };
        // Whoever would make a chain too long with one more has found its share.
        let more = weights(cap.saturating_add(1));
        let through = chains.through(&more);
        for (n, given) in given.iter_mut().enumerate().filter(|(_, g)| g.is_none()) {
            let want = chains.wants[n];
            if want <= cap || through[n] > limit {
                *given = Some(want.min(cap));
            }
        }
    }
    let given = given.into_iter().map(|ms| Duration::from_millis(ms.unwrap_or(0)));
    chains.names.into_iter().cloned().zip(given).collect()
}

/// The largest number below `most` that fits; 0 when none does.
fn largest(most: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, most);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Who waits for whom, by number, in the order of their ends.
struct Chains<'a> {
    names: Vec<&'a ServiceName>,
    wants: Vec<u64>,
    first: Vec<Vec<usize>>,
}

impl<'a> Chains<'a> {
    fn new(wants: &'a Times, first: &After) -> Self {
        let none = BTreeSet::new();
        let known: After = wants
            .keys()
            .map(|name| (name.clone(), first.get(name).unwrap_or(&none).clone()))
            .collect();
        // A circle was refused long before; its members would simply have no order.
        let order = order::layers(&known).map_or_else(|all| all, |layers| layers.concat());
        let place: BTreeMap<&ServiceName, usize> =
            order.iter().enumerate().map(|(n, name)| (name, n)).collect();
        let (mut names, mut times, mut before) = (Vec::new(), Vec::new(), Vec::new());
        for name in &order {
            let Some((name, want)) = wants.get_key_value(name) else { continue };
            let here = place[name];
            let earlier = known[name].iter().filter_map(|n| place.get(n).copied());
            names.push(name);
            times.push(millis(*want));
            before.push(earlier.filter(|n| *n < here).collect());
        }
        Self { names, wants: times, first: before }
    }

    /// When each has ended, when each takes its weight.
    fn ends(&self, weights: &[u64]) -> Vec<u64> {
        let mut ends: Vec<u64> = Vec::with_capacity(weights.len());
        for (weight, first) in weights.iter().zip(&self.first) {
            let begin = first.iter().map(|n| ends[*n]).max().unwrap_or(0);
            ends.push(begin.saturating_add(*weight));
        }
        ends
    }

    fn longest(&self, weights: &[u64]) -> u64 {
        self.ends(weights).into_iter().max().unwrap_or(0)
    }

    /// The longest chain that each is part of.
    fn through(&self, weights: &[u64]) -> Vec<u64> {
        let mut longest = self.ends(weights);
        // What follows each; known for a number before any smaller one is looked at.
        let mut after = vec![0u64; weights.len()];
        for n in (0..weights.len()).rev() {
            let rest = after[n].saturating_add(weights[n]);
            for earlier in &self.first[n] {
                after[*earlier] = after[*earlier].max(rest);
            }
            longest[n] = longest[n].saturating_add(after[n]);
        }
        longest
    }
}

#[cfg(test)]
mod tests;
