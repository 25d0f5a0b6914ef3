//! Things that lead back to themselves: `after`, and `${env.*}` in `[env]`.
//!
//! Invariant: a profile without an error here can be started, and expanded, in some order.

use std::collections::{BTreeMap, BTreeSet};

use super::check::after;
use super::error::{Error, Result};
use super::flaw::Flaw;
use super::layer::{Entries, Layer};
use super::spot::Spot;
use super::template::{Reference, Template};

/// `after` never leads back to where it started.
pub(super) fn services(layer: &Layer) -> Result<()> {
    let edges = layer.services.iter().map(|(name, entry)| {
        let after = entry.value.as_ref().map_or(&[][..], after);
        (name.as_str(), after.iter().map(|a| a.value.as_str()).collect())
    });
    let Some(chain) = circle(edges.collect()) else { return Ok(()) };
    let spot = layer
        .services
        .get(chain[0])
        .and_then(|e| e.value.as_ref())
        .and_then(|s| after(s).iter().find(|a| a.value.as_str() == chain[1]))
        .map(|a| &a.spot);
    Err(cycle("`after`", &chain, spot))
}

/// `${env.*}` never leads back to where it started.
pub(super) fn variables(env: &Entries<String, Template>) -> Result<()> {
    let edges = env.iter().map(|(name, entry)| {
        let names = entry.value.iter().flat_map(Template::references).filter_map(|r| match r {
            Reference::Env(n) => Some(n.as_str()),
            _ => None,
        });
        (name.as_str(), names.collect())
    });
    let Some(chain) = circle(edges.collect()) else { return Ok(()) };
    Err(cycle("`[env]`", &chain, env.get(chain[0]).map(|e| &e.spot)))
}

fn cycle(what: &'static str, chain: &[&str], spot: Option<&Spot>) -> Error {
    let flaw = Flaw::Cycle { what, chain: chain.join(" → ") };
    match spot {
        Some(spot) => Error::at(spot, flaw, "part of the circle"),
        None => unreachable!("a circle is made of entries that were read"),
    }
}

/// The first circle of a graph, its first name repeated at the end.
fn circle<'a>(mut edges: BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    // Whatever leads nowhere is part of no circle; what is left leads on for ever.
    loop {
        let before = edges.len();
        let left: BTreeSet<&str> = edges.keys().copied().collect();
        edges.retain(|_, to| {
            to.retain(|t| left.contains(t));
            !to.is_empty()
        });
        if edges.len() == before {
            break;
        }
    }
    let mut chain = vec![*edges.keys().next()?];
    loop {
        let next = *edges.get(chain.last()?)?.first()?;
        let seen = chain.iter().position(|c| *c == next);
        chain.push(next);
        if let Some(start) = seen {
            return Some(chain.split_off(start));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::circle;

    #[test]
    fn finds_the_circle_alone() {
        let edges = |list: &[(&'static str, &[&'static str])]| {
            list.iter().map(|(k, v)| (*k, v.to_vec())).collect()
        };
        assert_eq!(circle(edges(&[("a", &["b"]), ("b", &[])])), None);
        let led_into = edges(&[("a", &["b"]), ("b", &["c", "x"]), ("c", &["b"]), ("x", &[])]);
        assert_eq!(circle(led_into), Some(vec!["b", "c", "b"]));
        assert_eq!(circle(edges(&[("a", &["a"])])), Some(vec!["a", "a"]));
    }
}
