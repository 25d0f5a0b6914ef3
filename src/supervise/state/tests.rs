//! The machine and the fleet, driven by a small world that answers their orders in any order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::base::ServiceName;
use crate::supervise::fleet::Fleet;
use crate::supervise::status::State;

const RULES: Rules = Rules {
    restart: RestartRule::Always,
    ready_within: Some(Duration::from_secs(5)),
    stop_signal: libc::SIGTERM,
    grace: Duration::from_secs(2),
};

fn at(ms: u64) -> Moment {
    Moment { now: Duration::from_millis(ms), jitter: 1.0 }
}

/// Brings a machine to `Ready` at time zero; its generation is 1.
fn ready(rules: Rules) -> Machine {
    let mut m = Machine::new(rules);
    assert_eq!(m.step(at(0), Input::Start), []);
    assert_eq!(m.state(), State::Waiting);
    assert_eq!(m.step(at(0), Input::Deps(true)), [Output::Gate(1)]);
    assert_eq!(m.step(at(0), Input::GatePassed(1)), [Output::Spawn(1)]);
    let probe = m.step(at(0), Input::Spawned(1, 7));
    if rules.ready_within.is_some() {
        assert_eq!(probe, [Output::Probe(1)]);
        m.step(at(0), Input::ProbeOk(1));
    }
    assert_eq!(m.state(), State::Ready);
    m
}

#[test]
fn a_crash_is_swept_then_started_again_through_the_gate() {
    let mut m = ready(RULES);
    let out = m.step(at(20_000), Input::Exited(1, Exit::Signal(9)));
    assert_eq!(out, [Output::EndProbe, Output::Sweep(1, Duration::ZERO)]);
    assert_eq!(m.state(), State::Backoff);
    assert_eq!(m.step(at(20_001), Input::Swept(1)), [Output::Gate(2)]);
    assert_eq!(m.step(at(20_001), Input::GateRefused(2, "changed".into())), []);
    assert_eq!(m.state(), State::Blocked);
    assert_eq!(m.step(at(90_000), Input::Tick), []);
}

#[test]
fn a_stop_escalates() {
    let mut m = ready(RULES);
    let out = m.step(at(0), Input::Stop);
    assert_eq!(out, [Output::EndProbe, Output::Signal(libc::SIGTERM)]);
    assert_eq!(m.step(at(1999), Input::Tick), []);
    assert_eq!(m.step(at(2000), Input::Tick), [Output::KillAll]);
    assert_eq!(m.step(at(2001), Input::Tick), []);
    m.step(at(2001), Input::Exited(1, Exit::Signal(9)));
    assert_eq!(m.state(), State::Stopping);
    m.step(at(2001), Input::Swept(1));
    assert_eq!((m.state(), m.why()), (State::Stopped, &Cause::StopAsked));
}

#[test]
fn not_ready_in_time_is_a_failure_with_the_last_reason() {
    let mut m = Machine::new(RULES);
    m.step(at(0), Input::Deps(true));
    m.step(at(0), Input::Start);
    m.step(at(0), Input::GatePassed(1));
    m.step(at(0), Input::Spawned(1, 7));
    m.step(at(10), Input::ProbeFailed(1, "connection refused".into()));
    let out = m.step(at(5000), Input::Tick);
    assert_eq!(out, [Output::EndProbe, Output::Signal(libc::SIGTERM)]);
    assert_eq!(m.why(), &Cause::NotReady("connection refused".into()));
    m.step(at(5001), Input::Exited(1, Exit::Code(0)));
    m.step(at(5002), Input::Swept(1));
    assert_eq!(m.state(), State::Backoff);
}

#[test]
fn rules_of_restart() {
    for (restart, exit, state) in [
        (RestartRule::Never, Exit::Code(1), State::Stopped),
        (RestartRule::Never, Exit::Code(0), State::Stopped),
        (RestartRule::OnFailure, Exit::Code(0), State::Stopped),
        (RestartRule::OnFailure, Exit::Code(1), State::Starting),
        (RestartRule::OnFailure, Exit::Signal(15), State::Starting),
        (RestartRule::Always, Exit::Code(0), State::Starting),
    ] {
        let mut m = ready(Rules { restart, ready_within: None, ..RULES });
        m.step(at(15_000), Input::Exited(1, exit));
        m.step(at(15_000), Input::Swept(1));
        assert_eq!(m.state(), state, "{restart:?} {exit}");
        assert_eq!(m.is_finished(), state == State::Stopped && exit.is_success());
    }
}

#[test]
fn old_news_changes_nothing() {
    let mut m = ready(RULES);
    m.step(at(0), Input::Restart);
    m.step(at(0), Input::Exited(1, Exit::Code(0)));
    assert_eq!(m.step(at(0), Input::Swept(1)), [Output::Gate(2)]);
    m.step(at(0), Input::GatePassed(2));
    m.step(at(0), Input::Spawned(2, 8));
    for old in [
        Input::ProbeOk(1),
        Input::Exited(1, Exit::Code(0)),
        Input::Swept(1),
        Input::Spawned(1, 7),
        Input::GatePassed(1),
    ] {
        assert_eq!(m.step(at(1), old), []);
        assert_eq!((m.state(), m.pid()), (State::Starting, Some(8)));
    }
}

/// What the outside does with orders: each becomes a possible answer, taken in any order.
struct World {
    fleet: Fleet,
    after: BTreeMap<ServiceName, BTreeSet<ServiceName>>,
    now: Time,
    answers: Vec<(ServiceName, Input)>,
    /// Every input ever given, to be given again as old news.
    past: Vec<(ServiceName, Input)>,
    alive: BTreeMap<ServiceName, Generation>,
    /// Services that were ready when the stack's stop began; what was not may have been asked to
    /// end before, on its own.
    ready_at_stop: BTreeSet<ServiceName>,
}

impl World {
    fn new(count: usize, edges: &[(usize, usize)], restart: RestartRule) -> Self {
        let name = |i: usize| ServiceName::new(format!("s{i}")).unwrap();
        let mut after: BTreeMap<_, BTreeSet<_>> =
            (0..count).map(|i| (name(i), BTreeSet::new())).collect();
        for &(a, b) in edges {
            let (low, high) = (a.min(b) % count, a.max(b) % count);
            if low < high {
                after.get_mut(&name(high)).unwrap().insert(name(low));
            }
        }
        let rules = after
            .keys()
            .enumerate()
            .map(|(i, n)| {
                let ready_within = (i % 3 != 2).then_some(Duration::from_secs(3));
                (n.clone(), Rules { restart, ready_within, ..RULES })
            })
            .collect();
        Self {
            fleet: Fleet::new(rules, after.clone()).unwrap(),
            after,
            now: Time::ZERO,
            answers: Vec::new(),
            past: Vec::new(),
            alive: BTreeMap::new(),
            ready_at_stop: BTreeSet::new(),
        }
    }

    fn moment(&self) -> Moment {
        Moment { now: self.now, jitter: 1.0 }
    }

    fn give(&mut self, name: &ServiceName, input: Input) {
        self.past.push((name.clone(), input.clone()));
        let actions = self.fleet.apply(self.moment(), name, input);
        self.obey(actions);
    }

    fn obey(&mut self, actions: Vec<(ServiceName, Output)>) {
        for (name, output) in actions {
            match output {
                Output::Gate(g) => self.answers.push((name, Input::GatePassed(g))),
                Output::Spawn(g) => {
                    assert!(!self.alive.contains_key(&name), "two processes of {name}");
                    for dep in &self.after[&name] {
                        assert!(self.fleet.get(dep).unwrap().satisfies(), "{name} before {dep}");
                    }
                    self.alive.insert(name.clone(), g);
                    self.answers.push((name, Input::Spawned(g, 1)));
                }
                Output::Probe(g) => self.answers.push((name, Input::ProbeOk(g))),
                Output::EndProbe => {}
                Output::Signal(_) | Output::KillAll => {
                    if self.ready_at_stop.contains(&name) {
                        for (other, deps) in &self.after {
                            if deps.contains(&name) && output != Output::KillAll {
                                assert!(
                                    !self.alive.contains_key(other),
                                    "{name} ends before {other}"
                                );
                            }
                        }
                    }
                    if let Some(g) = self.alive.get(&name) {
                        self.answers.push((name, Input::Exited(*g, Exit::Signal(15))));
                    }
                }
                Output::Sweep(g, _) => self.answers.push((name, Input::Swept(g))),
            }
        }
    }

    /// Lets the outside give one of its answers.
    fn answer(&mut self, pick: usize) {
        if self.answers.is_empty() {
            return;
        }
        let (name, input) = self.answers.remove(pick % self.answers.len());
        if let Input::Swept(g) = input
            && self.alive.get(&name) == Some(&g)
        {
            self.alive.remove(&name);
        }
        self.give(&name, input);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let actions = self.fleet.tick(self.moment());
        self.obey(actions);
    }
}

#[derive(Clone, Debug)]
enum Move {
    Answer(usize),
    Old(usize),
    Crash(usize),
    Restart(usize),
    Stop(usize),
    Kill(usize),
    Pass(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        6 => any::<usize>().prop_map(Move::Answer),
        1 => any::<usize>().prop_map(Move::Old),
        1 => any::<usize>().prop_map(Move::Crash),
        1 => any::<usize>().prop_map(Move::Restart),
        1 => any::<usize>().prop_map(Move::Stop),
        1 => any::<usize>().prop_map(Move::Kill),
        2 => (0u64..40_000).prop_map(Move::Pass),
    ];
    prop::collection::vec(one, 0..120)
}

proptest! {
    #[test]
    fn never_two_alive_order_kept_and_every_stop_ends(
        count in 1usize..6,
        edges in prop::collection::vec((0usize..6, 0usize..6), 0..8),
        restart in prop_oneof![
            Just(RestartRule::Always), Just(RestartRule::OnFailure), Just(RestartRule::Never)
        ],
        moves in moves(),
    ) {
        let mut world = World::new(count, &edges, restart);
        let names: Vec<ServiceName> = world.after.keys().cloned().collect();
        let actions = world.fleet.start_all(world.moment());
        world.obey(actions);
        for step in moves {
            match step {
                Move::Answer(n) => world.answer(n),
                Move::Old(n) if !world.past.is_empty() => {
                    // Only news of starts that are over: what is under way would be a second
                    // answer, which the outside never gives.
                    let (name, input) = world.past[n % world.past.len()].clone();
                    let current = world.fleet.get(&name).unwrap().generation();
                    let old = match input {
                        Input::GatePassed(g) | Input::Spawned(g, _) | Input::ProbeOk(g)
                        | Input::Exited(g, _) | Input::Swept(g) => g < current,
                        _ => false,
                    };
                    if old {
                        let before = world.fleet.get(&name).unwrap().state();
                        world.give(&name, input);
                        prop_assert_eq!(before, world.fleet.get(&name).unwrap().state());
                    }
                }
                Move::Old(_) => {}
                Move::Crash(n) => {
                    let name = names[n % count].clone();
                    if let Some(g) = world.alive.get(&name).copied()
                        && world.fleet.get(&name).unwrap().pid().is_some()
                    {
                        world.answers.push((name, Input::Exited(g, Exit::Code(1))));
                    }
                }
                Move::Restart(n) => world.give(&names[n % count].clone(), Input::Restart),
                Move::Stop(n) => world.give(&names[n % count].clone(), Input::Stop),
                Move::Kill(n) => world.give(&names[n % count].clone(), Input::Kill),
                Move::Pass(ms) => world.pass(Duration::from_millis(ms)),
            }
        }
        let ready = |n: &&ServiceName| world.fleet.get(n).unwrap().state() == State::Ready;
        world.ready_at_stop = names.iter().filter(ready).cloned().collect();
        let actions = world.fleet.stop_all(world.moment());
        world.obey(actions);
        for _ in 0..(count * 40) {
            while !world.answers.is_empty() {
                world.answer(0);
            }
            if world.fleet.is_at_rest() {
                break;
            }
            world.pass(Duration::from_secs(1));
        }
        prop_assert!(world.fleet.is_at_rest());
        prop_assert!(world.alive.is_empty());
        prop_assert!(world.fleet.iter().all(|(_, m)| m.is_at_rest()));
    }
}
