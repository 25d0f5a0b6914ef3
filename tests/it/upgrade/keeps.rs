//! What an upgrade keeps: processes, output, counters, the lock, the guardian.

use rustix::process::Signal;
use serde_json::json;

use super::{another, events, last_line, lines, pids, status, up, upgrade};
use crate::commands::stack::{pid, service};
use crate::support::{alive, finish, signal, wait_for};

#[test]
fn three_upgrades_in_a_flood_lose_no_line_and_no_process() {
    let world = up("[service.flood]\ncommand = [\"flood\", \"${data}/enough\"]\n\
         [service.flood.logs]\nsize = \"2GiB\"\n\n\
         [service.halves]\ncommand = [\"halves\", \"${data}/other\"]\n");
    let before = status(&world);
    wait_for("the first half", || lines(&world, "halves").pop());
    let follow = |words: &[&str]| {
        let follower = world.env.command(words).spawn().expect("start");
        std::thread::spawn(move || finish(follower))
    };
    let logs = follow(&["runtime", "logs", "-f", "-n", "0", "halves"]);
    let followed = follow(&["runtime", "events", "-f", "--json", "--since", "1h"]);
    for number in 1..=3 {
        let written = service(&status(&world), "flood")["logged"]["lines"].as_u64();
        let done = upgrade(&world);
        assert_eq!((&done["outcome"], &done["number"]), (&json!("done"), &json!(number)), "{done}");
        let now = status(&world);
        assert_eq!(pids(&before), pids(&now));
        assert!(service(&now, "flood")["logged"]["lines"].as_u64() >= written, "counted on");
        wait_for("more lines", || {
            let now = service(&status(&world), "flood")["logged"]["lines"].as_u64();
            (now > written).then_some(())
        });
    }
    world.env.write(".data/enough", "");
    world.env.write(".data/other", "");
    let last = wait_for("the last line", || {
        last_line(&world, "flood").filter(|line| line.starts_with("last"))
    });
    let written = lines(&world, "flood");
    assert_eq!(last, format!("last {}", written.len() - 1));
    for (n, line) in written[..written.len() - 1].iter().enumerate() {
        assert_eq!(*line, format!("number {n}"), "nothing lost, nothing twice");
    }
    let whole =
        wait_for("the other half", || lines(&world, "halves").pop().filter(|l| l.len() > 8));
    assert_eq!(whole, "one half and the other");

    let shown = world.env.ok(["runtime", "status"]).stderr;
    assert!(shown.contains("the supervisor's program was replaced: "), "{shown}");
    let after = status(&world);
    for name in ["first", "second", "flood"] {
        for key in ["restarts", "start", "ready_ms", "why", "ports"] {
            assert_eq!(service(&before, name)[key], service(&after, name)[key], "{name} {key}");
        }
        let age = |s| service(s, name)["since_ms"].as_u64();
        assert!(age(&after) > age(&before), "its age goes on");
    }
    assert!(after["uptime_ms"].as_u64() > before["uptime_ms"].as_u64());
    let told = events(&world);
    let seqs: Vec<u64> = told.iter().map(|r| r["seq"].as_u64().expect("a number")).collect();
    assert!(seqs.windows(2).all(|w| w[0] + 1 == w[1]), "{seqs:?}");
    let upgraded = told.iter().filter(|r| r["event"] == "upgraded").count();
    let begun = told.iter().filter(|r| r["event"] == "begin").count();
    assert_eq!((upgraded, begun), (3, 1), "{told:?}");
    let runs: std::collections::BTreeSet<_> = told.iter().map(|r| r["run"].as_str()).collect();
    assert_eq!(runs.len(), 1, "one run");
    let why = world.env.ok(["runtime", "why", "first"]).stdout;
    world.env.ok(["runtime", "down", "-q"]);
    let logs = logs.join().expect("logs");
    assert_eq!(logs.code, Some(0));
    assert!(logs.stdout.contains("and the other"), "it was followed on: {}", logs.stdout);
    let followed = followed.join().expect("events");
    let told = followed.stdout.lines().map(serde_json::from_str::<serde_json::Value>);
    let seqs: Vec<u64> = told.map(|r| r.expect("JSON")["seq"].as_u64().expect("one")).collect();
    assert!(seqs.windows(2).all(|w| w[0] + 1 == w[1]), "nothing missed, nothing twice: {seqs:?}");

    assert!(why.contains("the supervisor's program was replaced"), "{why}");
}

#[test]
fn afterwards_crashes_are_noticed_and_the_stack_goes_down_in_order() {
    let world = up("");
    let before = status(&world);
    for _ in 0..2 {
        upgrade(&world);
    }
    let first = pid(&before, "first");
    signal(first, Signal::KILL);
    let now = another(&world, "first", first);
    assert_eq!(service(&now, "first")["restarts"], 1);
    assert_eq!(pid(&before, "second"), pid(&now, "second"));
    // What was started after an upgrade lives through the next, too.
    upgrade(&world);
    let later = status(&world);
    assert_eq!(pids(&now), pids(&later));
    assert_eq!(service(&later, "first")["restarts"], 1);
    world.env.ok(["runtime", "restart", "second", "-q"]);
    another(&world, "second", pid(&before, "second"));
    let page = world.env.ok(["runtime", "metrics"]).stdout;
    for line in [
        "infra_service_starts_total{service=\"first\",cause=\"boot\"} 1",
        "infra_service_starts_total{service=\"first\",cause=\"crash\"} 1",
    ] {
        assert!(page.contains(line), "{line} in {page}");
    }
    let last = status(&world);
    world.env.ok(["runtime", "down", "-q"]);
    assert!(pids(&last).iter().all(|p| !alive(u32::try_from(*p).expect("a pid"))));
    assert!(!world.env.project().join(".data/run/control.sock").exists());
    assert!(!world.env.project().join(".data/run/lease.json").exists());
    world.env.ok(["runtime", "up", "-q"]);
}

#[test]
fn the_guardian_still_ends_what_a_killed_supervisor_leaves() {
    let world = up("");
    for _ in 0..2 {
        upgrade(&world);
    }
    let running = status(&world);
    let supervisor = u32::try_from(running["supervisor"].as_u64().expect("a pid")).expect("a pid");
    let guardian = wait_for("the guardian", || {
        let children = format!("/proc/{supervisor}/task/{supervisor}/children");
        let children = std::fs::read_to_string(children).ok()?;
        let is_guardian = |pid: &u32| {
            let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline"));
            line.is_ok_and(|line| line.contains("__guardian"))
        };
        children.split_whitespace().filter_map(|p| p.parse().ok()).find(is_guardian)
    });
    signal(supervisor, Signal::KILL);
    let all: Vec<u32> = pids(&running).iter().map(|p| u32::try_from(*p).expect("a pid")).collect();
    wait_for("the end of all", || all.iter().all(|p| !alive(*p)).then_some(()));
    wait_for("the guardian's end", || (!alive(guardian)).then_some(()));
    world.env.ok(["runtime", "up", "-q"]);
}

#[test]
fn the_lock_and_the_leases_stay_held() {
    let world = up("");
    let running = status(&world);
    for _ in 0..2 {
        upgrade(&world);
    }
    let second = world.env.infra(["run", "--plain"]);
    assert_eq!(second.code, Some(1));
    let holder = format!("pid {}", running["supervisor"]);
    assert!(second.stderr.contains(&holder), "{}", second.stderr);
    // What runs is kept from collection, though another generation is current by now.
    world.edit("profiles/base.toml", "[port]", "[env]\nNEW = \"1\"\n\n[port]");
    world.env.ok(["env", "build", "-q"]);
    let before = world.env.infra(["runtime", "restart", "first", "-q"]);
    world.env.ok(["store", "gc", "--older-than", "0s", "-q"]);
    let after = world.env.infra(["runtime", "restart", "first", "-q"]);
    assert_eq!((before.code, after.code), (Some(0), Some(0)), "{}", after.stderr);
}

#[test]
fn two_at_once_are_one_after_the_other_or_refused() {
    let world = up("");
    let before = status(&world);
    let both: Vec<_> =
        (0..2).map(|_| world.env.command(["runtime", "upgrade"]).spawn().expect("start")).collect();
    let ended: Vec<_> = both.into_iter().map(finish).collect();
    for outcome in &ended {
        let refused = outcome.stderr.contains("another upgrade is under way");
        assert!(outcome.code == Some(0) || refused, "{}", outcome.stderr);
    }
    assert!(ended.iter().any(|o| o.code == Some(0)));
    assert_eq!(pids(&before), pids(&status(&world)));
}
