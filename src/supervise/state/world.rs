//! The machines of a stack, driven by a small world that answers their orders in any order.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::testing::RULES;
use super::*;
use crate::base::ServiceName;
use crate::supervise::fleet::Fleet;
use crate::supervise::spec::{Condition, Kind};
use crate::supervise::status::State;

/// What the outside does with orders: each becomes a possible answer, taken in any order.
struct World {
    fleet: Fleet,
    after: BTreeMap<ServiceName, BTreeMap<ServiceName, Condition>>,
    rules: BTreeMap<ServiceName, Rules>,
    now: Time,
    answers: Vec<(ServiceName, Input)>,
    /// Every input ever given, to be given again as old news.
    past: Vec<(ServiceName, Input)>,
    alive: BTreeMap<ServiceName, Generation>,
    gating: BTreeMap<ServiceName, Generation>,
    stopped: bool,
    /// Services that were ready when the stack's stop began; what was not may have been asked to
    /// end before, on its own.
    ready_at_stop: BTreeSet<ServiceName>,
}

impl World {
    fn new(count: usize, edges: &[(usize, usize)], restart: RestartRule) -> Self {
        let name = |i: usize| ServiceName::new(format!("s{i}")).unwrap();
        let mut after: BTreeMap<_, BTreeMap<_, _>> =
            (0..count).map(|i| (name(i), BTreeMap::new())).collect();
        for &(a, b) in edges {
            let (low, high) = (a.min(b) % count, a.max(b) % count);
            if low < high {
                let on = [Condition::Ready, Condition::Started, Condition::Completed][(a + b) % 3];
                // Only a task is sure to complete.
                let on =
                    if low % 4 != 3 && on == Condition::Completed { Condition::Ready } else { on };
                after.get_mut(&name(high)).unwrap().insert(name(low), on);
            }
        }
        let rules: BTreeMap<ServiceName, Rules> = after
            .keys()
            .enumerate()
            .map(|(i, n)| {
                let task = i % 4 == 3;
                let rules = Rules {
                    kind: if task { Kind::Task } else { Kind::Service },
                    restart: if task { RestartRule::OnFailure } else { restart },
                    ready_within: (!task && i % 3 != 2).then_some(Duration::from_secs(3)),
                    pre_start: i % 2 == 1,
                    alive_failures: (!task && i % 2 == 0).then_some(2),
                    follow: [Follow::Keep, Follow::Restart, Follow::Reload][i % 3],
                    reloads: i % 3 == 2,
                    stop_command: i == 4,
                    ..RULES
                };
                (n.clone(), rules)
            })
            .collect();
        Self {
            fleet: Fleet::new(rules.clone(), after.clone()).unwrap(),
            after,
            rules,
            now: Time::ZERO,
            answers: Vec::new(),
            past: Vec::new(),
            alive: BTreeMap::new(),
            gating: BTreeMap::new(),
            stopped: false,
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

    fn ask(&mut self, name: &ServiceName, input: Input) {
        let names = std::slice::from_ref(name);
        let actions = self.fleet.ask(self.moment(), names, &input);
        self.obey(actions);
    }

    fn obey(&mut self, actions: Vec<(ServiceName, Output)>) {
        for (name, output) in actions {
            match output {
                Output::Gate(g) => {
                    let busy = self.gating.insert(name.clone(), g);
                    let waits = self.rules[&name].pre_start;
                    assert!(!waits || busy.is_none(), "two commands before a start of {name}");
                    assert!(!self.alive.contains_key(&name), "gate beside a process of {name}");
                    let answer = match (g, self.rules[&name].pre_start) {
                        (g, true) if g % 3 == 1 => Input::PreStartFailed(g, "no".into()),
                        (g, _) if g % 5 == 4 => Input::PortTaken(g, "taken".into()),
                        _ => Input::GatePassed(g),
                    };
                    self.answers.push((name, answer));
                }
                Output::EndGate => {}
                Output::AwaitPorts(g) => self.answers.push((name, Input::PortFree(g))),
                Output::Watch(g) => {
                    self.answers.push((name.clone(), Input::Alive(g, Err("no".into()))));
                    self.answers.push((name, Input::Alive(g, Ok(()))));
                }
                Output::Reload(g) => {
                    assert_eq!(self.alive.get(&name), Some(&g), "reload of a dead {name}");
                }
                Output::Spawn(g) => {
                    assert!(!self.alive.contains_key(&name), "two processes of {name}");
                    assert!(!self.stopped, "{name} starts after the stop");
                    for (dep, on) in &self.after[&name] {
                        let dep_machine = self.fleet.get(dep).unwrap();
                        assert!(dep_machine.satisfies(*on), "{name} before {dep}");
                    }
                    self.alive.insert(name.clone(), g);
                    self.answers.push((name, Input::Spawned(g, 1)));
                }
                Output::Probe(g) => self.answers.push((name, Input::ProbeOk(g))),
                Output::EndProbe => {}
                Output::Signal(_) | Output::KillAll | Output::StopCommand(_) => {
                    if self.ready_at_stop.contains(&name) {
                        for (other, deps) in &self.after {
                            if deps.contains_key(&name) && output != Output::KillAll {
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
        if matches!(input, Input::GatePassed(_) | Input::PreStartFailed(..) | Input::PortTaken(..))
        {
            self.gating.remove(&name);
        }
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
    Start(usize),
    Reload(usize),
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
        1 => any::<usize>().prop_map(Move::Start),
        1 => any::<usize>().prop_map(Move::Reload),
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
        let actions = world.fleet.start_all(world.moment(), &BTreeSet::new());
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
                        | Input::Exited(g, _) | Input::Swept(g) | Input::PortFree(g)
                        | Input::PortTaken(g, _) | Input::PreStartFailed(g, _)
                        | Input::Alive(g, _) => g < current,
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
                Move::Start(n) => world.ask(&names[n % count].clone(), Input::StartAsked),
                Move::Reload(n) => world.ask(&names[n % count].clone(), Input::Reload),
                Move::Stop(n) => world.ask(&names[n % count].clone(), Input::Stop),
                Move::Kill(n) => world.give(&names[n % count].clone(), Input::Kill),
                Move::Pass(ms) => world.pass(Duration::from_millis(ms)),
            }
        }
        let ready = |n: &&ServiceName| world.fleet.get(n).unwrap().state() == State::Ready;
        world.ready_at_stop = names.iter().filter(ready).cloned().collect();
        world.stopped = true;
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
