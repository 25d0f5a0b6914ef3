//! Which lines are shown, and how.

use std::io::{BufRead as _, BufReader};

use super::{log_with, run, stack};
use crate::support::finish;
use crate::world::World;

fn two() -> World {
    let world = stack(
        &[
            ("one", "echo first; echo oops >&2; echo done; exec /bin/sleep 600"),
            ("two", "echo '{\"level\": \"info\"}'; echo second; echo done; exec /bin/sleep 600"),
        ],
        "",
    );
    run(&world, &["one", "two"]);
    world
}

/// Lines without those of the supervisor, sorted: two services write at once.
fn lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<_> = text.lines().filter(|l| !l.contains(" · ")).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn services_and_streams_are_told_apart_and_picked() {
    let world = two();
    let show = |words: &[&str]| world.env.ok([&["runtime", "logs"], words].concat()).stdout;
    let all = show(&[]);
    assert_eq!(
        lines(&all),
        [
            "one ! oops",
            "one │ done",
            "one │ first",
            "two │ done",
            "two │ second",
            "two │ {\"level\": \"info\"}"
        ]
    );
    assert_eq!(lines(&show(&["--stream", "stderr"])), ["one ! oops"]);
    assert_eq!(lines(&show(&["--grep", "^(sec|oo)"])), ["one ! oops", "two │ second"]);
    assert_eq!(lines(&show(&["--service", "two,one", "--grep", "s$"])), ["one ! oops"]);
    assert_eq!(lines(&show(&["two", "--tail", "1", "--stream", "stdout"])), ["two │ done"]);
    assert_eq!(show(&["two", "--tail", "0"]), "");
    assert_eq!(lines(&show(&["--since", "1h", "--grep", "first"])), ["one │ first"]);
    assert_eq!(show(&["--until", "1h"]), "");
    assert_eq!(show(&["--since", "2999-01-01"]), "");

    // Times order lines of all services.
    let timed = show(&["--timestamps"]);
    let times: Vec<_> = timed.lines().map(|l| l.split(' ').nth(2).expect("a time")).collect();
    assert!(times.iter().all(|t| t.len() == 24 && t.ends_with('Z')), "{timed}");
    assert!(times.is_sorted(), "{timed}");
}

#[test]
fn json_has_an_object_a_line() {
    let world = two();
    let text = world.env.ok(["runtime", "logs", "--json", "--stream", "stdout", "two"]).stdout;
    let values: Vec<serde_json::Value> =
        text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect();
    assert_eq!(values.len(), 3, "{text}");
    assert_eq!(values[0]["service"], "two");
    assert_eq!(values[0]["stream"], "stdout");
    assert_eq!(values[0]["line"], "{\"level\": \"info\"}");
    assert!(values[0]["time"].as_str().is_some_and(|t| t.ends_with('Z')));
}

#[test]
fn what_cannot_be_asked() {
    let world = two();
    for (name, words) in [
        ("logs_bad_since", &["--since", "yesterday"][..]),
        ("logs_bad_grep", &["--grep", "a(b"]),
        ("logs_bad_stream", &["--stream", "out"]),
        ("logs_unknown", &["--service", "one,twa"]),
    ] {
        let outcome = world.env.infra([&["runtime", "logs"], words].concat());
        world.check_refusal(name, 2, &outcome);
    }
}

#[test]
fn following_goes_on_over_rotation_and_ends_with_the_stack() {
    let text = "n=0; while [ $n -lt 9000 ]; do echo \"line $n ............................\"; \
                n=$((n+1)); done; echo done; exec /bin/sleep 600";
    let world = stack(
        &[("one", text)],
        "[logs]\nsize = \"128KiB\"\nkeep = 50\n[service.one.logs]\ncompress = false\n",
    );
    world.env.ok(["runtime", "up", "-q"]);
    let mut follower =
        world.env.command(["runtime", "logs", "-f", "-n", "100000"]).spawn().expect("start");
    let out = BufReader::new(follower.stdout.take().expect("stdout"));
    let reader = std::thread::spawn(move || out.lines().map_while(Result::ok).collect::<Vec<_>>());
    log_with(&world, "one", "done");
    world.env.ok(["runtime", "down", "-q"]);
    assert_eq!(finish(follower).code, Some(0));
    let seen = reader.join().expect("lines");
    let numbers: Vec<usize> = seen
        .iter()
        .filter_map(|l| l.strip_prefix("one │ line ")?.split(' ').next()?.parse().ok())
        .collect();
    assert_eq!(numbers, (0..9000).collect::<Vec<_>>());
    let files = std::fs::read_dir(world.env.project().join(".data/logs")).expect("logs").count();
    assert!(files > 4, "it rotated: {files} files");
}
