//! The end of a container: in order, in time, at once.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Container, OBEYS, STUBBORN, profile, world};

/// Where a line is.
fn at(said: &[String], what: &str) -> usize {
    said.iter().position(|l| l.contains(what)).unwrap_or_else(|| panic!("{what} in {said:?}"))
}

#[test]
fn whatever_asks_for_the_end_ends_in_reverse_order() {
    let world = world(&[
        ("bus", OBEYS, "ready = { log = \"up\" }"),
        ("web", OBEYS, "ready = { log = \"up\" }\nafter = [\"bus\"]"),
    ]);
    let halt = Signal::from_named_raw(libc::SIGPWR).expect("a signal");
    for asks in [Signal::TERM, Signal::INT, Signal::QUIT, halt] {
        let container = Container::start(&world, &["run"]);
        container.until("ready after");
        let members = container.members();
        container.send(asks);
        let end = container.end();
        assert_eq!(end.code, Some(0), "{:?}", end.said);
        let said = &end.said;
        assert!(at(said, "stopped  web") < at(said, "stopping bus"), "{said:?}");
        assert!(said.iter().filter(|l| l.ends_with("asked to end")).count() == 2, "{said:?}");
        for pid in members {
            assert!(!crate::support::alive(pid), "{pid} is left");
        }
    }
}

#[test]
fn a_real_time_signal_of_container_engines_ends_it_too() {
    let world = world(&[("one", OBEYS, "ready = { log = \"up\" }")]);
    let container = Container::start(&world, &["run"]);
    container.until("ready after");
    let kill = std::process::Command::new("sh")
        .args(["-c", &format!("kill -37 {}", container.first)])
        .status()
        .expect("kill");
    assert!(kill.success());
    assert_eq!(container.end().code, Some(0));
}

#[test]
fn a_budget_cuts_who_does_not_end_and_names_it() {
    let grace = "ready = { log = \"up\" }\nstop = { grace = \"60s\" }";
    let world = profile(
        "[run]\nstop-within = \"2s\"",
        &[
            ("bus", OBEYS, "ready = { log = \"up\" }"),
            ("mule", STUBBORN, &format!("{grace}\nafter = [\"bus\"]")),
        ],
    );
    for args in [&["run"][..], &["run", "--stop-within", "1s"]] {
        let container = Container::start(&world, args);
        container.until("ready after").send(Signal::TERM);
        let start = Instant::now();
        let end = container.end();
        // Its own time is a minute: far from that, whatever else this machine does.
        assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
        assert_eq!(end.code, Some(0), "{:?}", end.said);
        let named = at(&end.said, "mule is killed after");
        assert!(end.said[named].contains("of the 60 s"), "{:?}", end.said);
        assert!(named < at(&end.said, "stopping bus"), "{:?}", end.said);
        assert!(at(&end.said, "bus  │ asked to end") > named, "bus still ends in order");
    }
}

#[test]
fn a_second_signal_kills_at_once() {
    let world = world(&[("mule", STUBBORN, "stop = { grace = \"1h\" }\nready = { log = \"up\" }")]);
    // Longer than the default, so that only the signal can end it.
    let container = Container::start(&world, &["run", "--stop-within", "1h"]);
    container.until("ready after").send(Signal::TERM).until("stopping mule");
    // Until then the same signal again is the same request.
    container.until("waiting for mule").send(Signal::TERM);
    let end = container.end();
    assert_eq!(end.code, Some(0), "{:?}", end.said);
}

#[test]
fn the_end_is_not_lost_while_the_stack_is_being_prepared() {
    let world = world(&[("one", OBEYS, "ready = { log = \"up\" }")]);
    // Somebody holds the data directory's name of the environment: the first process waits.
    let lock = world.env.project().join(".infra/env.lock");
    let held = std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(lock);
    let held = held.expect("lock file");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("lock");
    world.edit("profiles/base.toml", "[service.one]", "[env]\nNEW = \"1\"\n\n[service.one]");
    let container = Container::start(&world, &["run"]);
    crate::support::wait_for("it waits", || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", container.first)).ok()?;
        // It catches SIGTERM (15): from then on it is not lost.
        let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:"))?;
        let caught = u64::from_str_radix(caught.trim(), 16).ok()?;
        (caught & (1 << 14) != 0).then_some(())
    });
    container.send(Signal::TERM);
    let end = container.end();
    assert_eq!(end.code, Some(143), "{:?}", end.said);
    drop(held);
}
