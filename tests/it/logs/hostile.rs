//! Writers of every bad habit: nothing they wrote is lost or changed.

use super::{log_with, run, stack};
use crate::support::{alive, wait_for};

#[test]
fn bytes_that_are_no_text_are_kept_as_they_are() {
    let world = stack(
        &[("one", "printf 'a\\000b\\377c\\r\\n\\033[31mred\\n'; echo done; exec /bin/sleep 600")],
        "",
    );
    run(&world, &["one"]);
    let file = std::fs::read(world.env.project().join(".data/logs/one.log")).expect("the log");
    let holds = |text: &[u8]| file.windows(text.len()).any(|w| w == text);
    assert!(holds(b" out a\0b\xffc\r\n"));
    assert!(holds(b" out \x1b[31mred\n"));
}

#[test]
fn a_line_without_an_end_is_there_while_the_service_runs_and_after() {
    let world = stack(
        &[
            ("one", "printf 'password: '; /bin/sleep 0.4; printf 'none'; exec /bin/sleep 600"),
            ("two", "printf 'last words'"),
        ],
        "",
    );
    world.env.ok(["runtime", "up", "-q"]);
    let one = log_with(&world, "one", "…none");
    assert!(one.contains("Z password: \n"), "{one}");
    log_with(&world, "two", "last words\n");
    world.env.ok(["runtime", "down", "-q"]);
}

#[test]
fn an_endless_line_is_split_with_a_mark() {
    let world = stack(
        &[(
            "one",
            "/usr/bin/head -c 300000 /dev/zero | /usr/bin/tr '\\000' x; echo; echo done; exec /bin/sleep 600",
        )],
        "",
    );
    run(&world, &["one"]);
    let file =
        std::fs::read_to_string(world.env.project().join(".data/logs/one.log")).expect("log");
    let pieces: Vec<_> = file.lines().filter(|l| l.ends_with('x')).collect();
    assert!(pieces.iter().all(|l| l.len() <= 65536 + 30), "bounded");
    let count: usize = pieces.iter().map(|l| l.bytes().filter(|b| *b == b'x').count()).sum();
    assert_eq!(count, 300_000);
    let marks: Vec<_> = pieces.iter().map(|l| l.split(' ').nth(1).expect("tag")).collect();
    assert_eq!(marks[0], "out");
    assert!(marks[1..].iter().all(|m| *m == "out+"), "{marks:?}");
}

#[test]
fn closing_the_streams_does_not_end_a_service_and_a_fork_does_not_hold_its_end_up() {
    let world = stack(
        &[
            ("closes", "echo done; exec >&- 2>&-; exec /bin/sleep 600"),
            ("forks", "/bin/sleep 600 & echo 'said before the end'; printf done"),
        ],
        "",
    );
    world.env.ok(["runtime", "up", "-q"]);
    log_with(&world, "closes", "done");
    log_with(&world, "forks", "│ ");
    let status = wait_for("the end of `forks`", || {
        let status = world.env.infra(["runtime", "status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).ok()?;
        (status["services"][1]["state"] == "completed").then(|| status.clone())
    });
    assert_eq!(status["services"][0]["state"], "ready", "{status}");
    let pid = u32::try_from(status["services"][0]["pid"].as_u64().expect("a pid")).expect("a pid");
    assert!(alive(pid));
    let forks = log_with(&world, "forks", "done\n");
    assert!(forks.contains("said before the end"), "{forks}");
    world.env.ok(["runtime", "down", "-q"]);
}

#[test]
fn a_flood_on_both_streams_is_whole_and_the_old_is_compressed() {
    let flood = |fd: u8| {
        format!(
            "i=0; while [ $i -lt 60 ]; do /usr/bin/head -c 9999 /dev/zero | /usr/bin/tr '\\000' {fd}; echo; i=$((i+1)); done >&{fd}"
        )
    };
    let text = format!("({}) & ({}); wait; echo done; exec /bin/sleep 600", flood(1), flood(2));
    let world = stack(&[("one", &text)], "[logs]\nsize = \"128KiB\"\nkeep = 99\nage = \"1d\"\n");
    world.env.ok(["runtime", "up", "-q"]);
    log_with(&world, "one", "done");
    let dir = world.env.project().join(".data/logs");
    // Once rotation is calm, all but the current file are compressed.
    wait_for("compression", || {
        let names: Vec<_> =
            std::fs::read_dir(&dir).ok()?.flatten().map(|e| e.file_name()).collect();
        let old = names.iter().filter(|n| n.to_string_lossy().starts_with("one.log."));
        let packed = old.clone().filter(|n| n.to_string_lossy().ends_with(".gz")).count();
        (packed > 5 && packed == old.count()).then_some(())
    });
    world.env.ok(["runtime", "down", "-q"]);
    for (stream, digit) in [("stdout", "1"), ("stderr", "2")] {
        let shown = world.env.ok(["runtime", "logs", "--stream", stream, "-n", "100000"]).stdout;
        let count: usize = shown.lines().map(|l| l.matches(digit).count()).sum();
        assert_eq!(count, 60 * 9999, "{stream}");
    }
}
