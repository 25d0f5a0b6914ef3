//! What a command costs in a store of some objects and in one of many: system calls, which do not
//! depend on load.
//!
//! `dep sync` and `env print` ask only for what the project pins; `store info`, `store gc` and
//! `store verify --quick` look at every object, a known number of calls for each.

use std::path::Path;

use super::tools::{has_strace, outcome, strace};
use crate::crashes::fixture::success;
use crate::support::TestEnv;

/// Objects that are added between the two counts.
const MORE: u64 = 60;
/// Files in each, beside its directory.
const FILES: u64 = 5;

/// Calls that a command makes, without those that only unoptimised builds (`fcntl`) or the memory
/// and the threads of a run make.
fn calls(env: &TestEnv, args: &[&str]) -> u64 {
    let log = tempfile::NamedTempFile::new().expect("log");
    let traced = "trace=%file,%desc";
    let run = strace(&env.command(args), log.path(), &["-e", traced]);
    success(&args.join(" "), &outcome(&mut { run }));
    let record = std::fs::read_to_string(log.path()).expect("log");
    let of_memory = |line: &str| {
        // What is printed for each object is no cost of looking at it.
        ["fcntl(", "mmap(", "poll(", "/proc/", "/sys/", " write(1<"]
            .iter()
            .any(|part| line.contains(part))
    };
    record
        .lines()
        .filter(|line| line.contains('(') && !line.contains(" resumed>") && !of_memory(line))
        .count() as u64
}

fn add(env: &TestEnv, numbers: std::ops::Range<u64>) {
    let mut profile = "[dep]\n".to_owned();
    let dir = |name: &str| env.root().join("filler").join(name);
    for n in numbers {
        std::fs::create_dir_all(dir(&format!("deps/d{n}"))).expect("create");
        for file in 0..FILES {
            let text = format!("{n} {file}\n");
            std::fs::write(dir(&format!("deps/d{n}/f{file}")), text).expect("write");
        }
        profile += &format!("d{n} = {{ from = \"path:deps/d{n}\" }}\n");
    }
    std::fs::create_dir_all(dir("profiles")).expect("create");
    std::fs::write(dir("profiles/dev.toml"), profile).expect("write");
    for args in [["dep", "lock"], ["dep", "sync"]] {
        let mut command = env.command(args);
        command.current_dir(dir(""));
        success(&args.join(" "), &outcome(&mut command));
    }
}

fn objects(store: &Path) -> u64 {
    std::fs::read_dir(store.join("meta")).expect("list").count() as u64
}

#[test]
fn calls_for_each_object() {
    if !has_strace() {
        return;
    }
    let env = TestEnv::new();
    env.write("tools/bin/tool", "#!/bin/sh\n");
    env.write("profiles/dev.toml", "[dep]\ntool = { from = \"path:tools\" }\n");
    env.ok(["dep", "lock"]);
    env.ok(["env", "build", "dev"]);
    add(&env, 0..2);
    let commands: [(&[&str], u64); 5] = [
        (&["dep", "sync"], 0),
        (&["env", "print", "dev"], 0),
        // A registration: open, read, close.
        (&["store", "info"], 3),
        (&["store", "gc", "--dry-run"], 3),
        // Also: look at each entry; for the directory open, two times list, close.
        (&["store", "verify", "--quick"], 3 + (1 + FILES) + 4),
    ];
    let count = || commands.map(|(args, _)| calls(&env, args));
    count();
    let (before, some) = (count(), objects(&env.store()));
    add(&env, 2..2 + MORE);
    let (after, many) = (count(), objects(&env.store()));
    assert_eq!(many - some, MORE);
    for ((args, each), (before, after)) in commands.iter().zip(before.iter().zip(&after)) {
        let more = after.saturating_sub(*before);
        // Listings of a directory take another call now and then.
        let slack = if *each == 0 { 0 } else { 6 };
        let allowed = each * MORE + slack;
        assert!(
            more <= allowed,
            "`{}`: {before} calls, then {after}: {allowed} more are allowed",
            args.join(" ")
        );
    }
}
