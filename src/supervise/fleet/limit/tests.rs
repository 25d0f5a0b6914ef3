//! Limited ends: whoever is asked later shortens, nobody lengthens.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::*;
use crate::supervise::spec::Condition;
use crate::supervise::state::testing::{RULES, at};
use crate::supervise::state::{Input, Output};
use crate::supervise::status::Exit;

fn name(text: &str) -> ServiceName {
    ServiceName::new(text).unwrap()
}

/// `a` ← `b` ← `c`, all ready, each with a minute to end.
fn chain() -> Fleet {
    let rules = || crate::supervise::state::Rules {
        grace: Duration::from_secs(60),
        ready_within: None,
        ..RULES
    };
    let on = |dep: &str| BTreeMap::from([(name(dep), Condition::Ready)]);
    let after = [(name("a"), BTreeMap::new()), (name("b"), on("a")), (name("c"), on("b"))];
    let rules = ["a", "b", "c"].map(|n| (name(n), rules()));
    let mut fleet = Fleet::new(rules.into(), after.into()).unwrap();
    fleet.start_all(at(0), &BTreeSet::new());
    for service in ["a", "b", "c"] {
        for input in [Input::GatePassed(1), Input::Spawned(1, 7)] {
            fleet.apply(at(0), &name(service), input);
        }
    }
    fleet
}

/// It ends and is swept.
fn ends(fleet: &mut Fleet, ms: u64, service: &str) -> Vec<Action> {
    let mut out = fleet.apply(at(ms), &name(service), Input::Exited(1, Exit::Signal(9)));
    out.extend(fleet.apply(at(ms), &name(service), Input::Swept(1)));
    out
}

#[test]
fn stubborn_services_are_killed_in_their_share_and_in_order() {
    let mut fleet = chain();
    // 3 s, of which a tenth is kept: 2.7 s for three.
    let out = fleet.stop_within(at(0), Duration::from_secs(3));
    assert_eq!(out, [(name("c"), Output::Signal(libc::SIGTERM))]);
    assert_eq!(fleet.wake_at(), Some(Duration::from_millis(900)));
    assert_eq!(fleet.tick(at(899)), []);
    assert_eq!(fleet.tick(at(900)), [(name("c"), Output::KillAll)]);
    let c = fleet.get(&name("c")).unwrap();
    let minute = Duration::from_secs(60);
    assert_eq!(c.cut_short(Duration::from_millis(900)), Some((Duration::from_millis(900), minute)));
    let out = ends(&mut fleet, 900, "c");
    assert!(out.contains(&(name("b"), Output::Signal(libc::SIGTERM))), "{out:?}");
    assert_eq!(fleet.wake_at(), Some(Duration::from_millis(1_800)));
    // Ends sooner than it might: the last one has the rest.
    ends(&mut fleet, 1_000, "b");
    assert_eq!(fleet.wake_at(), Some(Duration::from_millis(2_700)));
    assert_eq!(fleet.tick(at(2_700)), [(name("a"), Output::KillAll)]);
    ends(&mut fleet, 2_700, "a");
    assert!(fleet.is_at_rest());
}

#[test]
fn a_shorter_time_counts_and_a_longer_one_does_not() {
    let mut fleet = chain();
    fleet.stop_within(at(0), Duration::from_secs(3));
    fleet.stop_within(at(0), Duration::from_secs(30));
    assert_eq!(fleet.wake_at(), Some(Duration::from_millis(900)));
    fleet.stop_within(at(100), Duration::from_secs(1));
    assert_eq!(fleet.wake_at(), Some(Duration::from_millis(400)), "100 and a third of 900");
    // It may ask for more time, but not for more than its share.
    let more = crate::supervise::state::Notice::Extend(Duration::from_secs(20));
    fleet.apply(at(200), &name("c"), Input::Notice(1, more));
    assert_eq!(fleet.wake_at(), Some(Duration::from_millis(400)));
}

#[test]
fn a_stop_that_is_under_way_gets_a_limit_too() {
    let mut fleet = chain();
    fleet.ask(at(0), &[name("b")], &Input::Restart);
    assert_eq!(fleet.wake_at(), Some(Duration::from_secs(60)));
    fleet.stop_within(at(0), Duration::from_secs(3));
    let soon = fleet.wake_at().unwrap();
    assert!(soon <= Duration::from_millis(900), "{soon:?}");
    fleet.tick(at(2_700));
    ends(&mut fleet, 2_700, "b");
    ends(&mut fleet, 2_700, "c");
    assert_eq!(fleet.tick(at(2_700)), [(name("a"), Output::KillAll)]);
}
