//! Chaos: services of every bad habit, and by chance everything that can happen to them and to their
//! supervisor.
//!
//! [`habits`] are the services, [`events`] what happens, [`invariants`] what must hold whenever
//! things have settled, [`journal`] reads the journal again from its beginning. Chance comes from a
//! [`seed`], which is said; `CHAOS_SEED` repeats it. Invariants: nothing outside the stage is
//! touched, every wait is for a condition and bounded.

mod events;
mod habits;
mod invariants;
mod journal;
mod kills;
mod logs;
mod processes;
mod seed;
mod socket;
mod stage;

use crate::crashes::kills::say;
use stage::Stage;

#[test]
fn whatever_happens() {
    for seed in seed::seeds() {
        torment(seed, seed::events());
    }
}

fn torment(seed: u64, count: u64) {
    let (_said, mut random) = seed::Said::new(seed, count);
    let mut stage = Stage::new();
    stage.up();
    invariants::settle(&mut stage);
    for n in 0..count {
        let event = events::Event::draw(&mut random);
        if std::env::var_os("CHAOS_TELL").is_some() {
            say(&format!("{n}: {event:?}"));
        }
        event.happen(&mut stage);
        if random.below(4) == 0 {
            invariants::settle(&mut stage);
        }
    }
    stage.clock("+0");
    invariants::settle(&mut stage);
    invariants::recovers(&mut stage);
    invariants::settle(&mut stage);
    for service in habits::NAMES {
        stage.world.env.ok(["runtime", "why", service]);
    }
    let port = habits::port(&stage.world.env);
    events::down(&mut stage);
    assert!(std::net::TcpListener::bind(("127.0.0.1", port)).is_ok(), "port {port} is taken");
    logs::check(&stage.data());
    let told = journal::read(&stage.data()).unwrap_or_else(|why| panic!("{why}"));
    say(&format!(
        "chaos: seed {seed}: {:?}, {} starts, {} changes, {} ends in the journal",
        stage.counts,
        told.starts,
        told.changes,
        told.ends.len()
    ));
}
