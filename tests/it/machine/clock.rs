//! A clock that is a year off, forward or back: nothing fresh, kept or in use is taken for old.

use std::path::Path;

use super::tools::{faketime, outcome};
use crate::crashes::fixture::{self, Upstream, success};
use crate::crashes::many::{Down, service};
use crate::crashes::points::{built, locked, locked_elsewhere};
use crate::support::{Outcome, TestEnv, signal, wait_for};

const FORWARD: &str = "+365d";
const BACK: &str = "-365d";

/// Runs the binary by another clock.
fn at(env: &TestEnv, library: &Path, time: &str, args: &[&str]) -> Outcome {
    let mut command = env.command(args);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME", time)
        // Only the wall clock, and no times of files.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("NO_FAKE_STAT", "1");
    outcome(&mut command)
}

fn objects(env: &TestEnv) -> Vec<String> {
    let entries = std::fs::read_dir(env.store().join("meta")).expect("list");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_clock_is_another_one() {
    let Some(library) = faketime() else { return };
    let env = TestEnv::new();
    // What is printed with a date: the year is another one.
    let year = |time: &str| {
        let up = Upstream::start();
        let env = locked(&up);
        success("build", &at(&env, &library, time, &["env", "build", "dev"]));
        let record = env.read(".infra/env/dev@1.json");
        record.split("\"created\"").nth(1).expect("created")[..20].to_owned()
    };
    assert_ne!(year(FORWARD), year(BACK));
    drop(env);
}

/// Added by one clock and collected by another, in every combination: `--older-than` keeps what is
/// fresh, although no root does.
#[test]
fn what_is_fresh_stays() {
    let Some(library) = faketime() else { return };
    for (added, collected) in [("+0", FORWARD), ("+0", BACK), (FORWARD, "+0"), (BACK, "+0")] {
        let up = Upstream::start();
        let env = locked_elsewhere(&up);
        success("dep sync", &at(&env, &library, added, &["dep", "sync"]));
        let before = objects(&env);
        assert_eq!(before.len(), 4, "{before:?}");
        let what = format!("added at {added}, collected at {collected}");
        let gc = ["store", "gc", "--older-than", "30d"];
        success(&what, &at(&env, &library, collected, &gc));
        assert_eq!(objects(&env), before, "{what}");
        success(&what, &at(&env, &library, collected, &["store", "verify"]));
        success(&what, &at(&env, &library, collected, &["--offline", "dep", "sync"]));
    }
}

/// What roots keep is kept by any clock, and the same lock is written.
#[test]
fn what_is_kept_stays() {
    let Some(library) = faketime() else { return };
    let up = Upstream::start();
    let env = built(&up);
    let (before, lock) = (objects(&env), env.read("dep.lock.json"));
    for time in [FORWARD, BACK] {
        for args in [
            &["store", "gc"][..],
            &["store", "gc", "--artifacts", "--older-than", "30d"],
            &["dep", "lock"],
            &["dep", "verify"],
            &["--offline", "env", "build", "dev"],
        ] {
            success(&format!("{args:?} at {time}"), &at(&env, &library, time, args));
        }
        let said = at(&env, &library, time, &["--offline", "env", "exec", "dev", "--", "tool"]);
        assert_eq!(said.stdout, "tool 1.0.0\n", "{}", said.stderr);
        assert_eq!(env.read("dep.lock.json"), lock, "{time}");
    }
    // Deps that an environment is made of are kept by it.
    assert_eq!(objects(&env), before);
}

/// A running process keeps its environment, whatever age its lease has by the clock.
#[test]
fn what_runs_stays() {
    let Some(library) = faketime() else { return };
    let up = Upstream::start();
    let env = built(&up);
    let _down = Down(&env);
    let child = env.command(["run"]).spawn().expect("start");
    wait_for("the service", || service(&env, "sleeper").ready_pid());
    // Nothing but the process keeps it from now on.
    std::fs::remove_dir_all(env.project().join(".infra/env")).expect("remove");
    let before = objects(&env);
    for time in [FORWARD, BACK] {
        success(time, &at(&env, &library, time, &["store", "gc"]));
        success(time, &at(&env, &library, time, &["store", "gc", "--older-than", "1d"]));
        assert_eq!(objects(&env), before, "{time}");
    }
    signal(child.id(), rustix::process::Signal::INT);
    crate::support::finish(child);
    success("afterwards", &env.infra(["store", "gc"]));
    assert_eq!(objects(&env).len(), 0);
}

/// A cut download survives a clock that goes back.
#[test]
fn a_cut_download_survives() {
    let Some(library) = faketime() else { return };
    let up = Upstream::start();
    let env = locked(&up);
    let artifact = fixture::cached(&env, "tool");
    std::fs::remove_file(&artifact).expect("remove");
    let killed = {
        let mut command = env.command(["dep", "sync"]);
        command.env("INFRA_INTERRUPT_AT", "download.part");
        outcome(&mut command)
    };
    assert_eq!(killed.signal, Some(libc::SIGABRT), "{}", killed.stderr);
    let partial = || {
        let entries = std::fs::read_dir(env.store().join("artifacts/partial")).expect("list");
        entries.filter(|e| e.as_ref().expect("entry").path().extension().is_none()).count()
    };
    assert_eq!(partial(), 1);
    success("gc", &at(&env, &library, BACK, &["store", "gc"]));
    assert_eq!(partial(), 1, "a clock that went back took a fresh part for an old one");
    success("dep sync", &env.infra(["dep", "sync"]));
}

/// What a push has written but not yet named is not collected from under it, although the clock is
/// a year ahead; nor is what it passed over because it was there.
#[test]
fn what_is_being_pushed_stays() {
    let Some(library) = faketime() else { return };
    let up = Upstream::start();
    let env = built(&up);
    env.ok(["cache", "init", "../cache"]);
    let nars = || std::fs::read_dir(env.root().join("cache/nar")).map_or(0, Iterator::count);
    let pause = env.root().join("pause");
    std::fs::create_dir(&pause).expect("create");
    let marker = pause.join("here");
    let mut push = env.command(["cache", "push", "--to", "../cache"]);
    push.env("INFRA_INTERRUPT_AT", format!("push.nar@{}", marker.display()));
    let push = push.spawn().expect("start");
    wait_for("an archive", || marker.exists().then_some(()));
    let before = nars();
    assert!(before > 0);
    let gc = ["cache", "gc", "--at", "../cache", "--keep", "dep.lock.json", "--older-than", "30d"];
    let collect = |wait: &str| {
        let mut command = env.command(gc);
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME", FORWARD)
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1")
            .env("INFRA_LOCK_TIMEOUT", wait);
        outcome(&mut command)
    };
    let refused = collect("1");
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("cache push"), "nobody is named: {}", refused.stderr);
    assert!(refused.stderr.contains("gc.lock"), "no path: {}", refused.stderr);
    assert!(nars() >= before);
    // Without the directory no later passage waits.
    std::fs::rename(&pause, env.root().join("paused")).expect("go on");
    success("cache push", &crate::support::finish(push));
    let all = nars();
    // By the clock that dates the files all of it is fresh, whatever roots keep.
    success("cache gc", &collect("30"));
    assert_eq!(nars(), all);
    success("cache verify", &env.infra(["cache", "verify", "--at", "../cache"]));
}
