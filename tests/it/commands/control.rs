//! `infra runtime start`, `stop`, `signal`, `events`, `why`, `metrics`, `watch`; `infra run --plan`

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;

use rustix::process::Signal;
use serde_json::Value;

use super::stack::{pid, ready, service};
use crate::support::{alive, finish, signal, wait_for};
use crate::world::World;

fn status(world: &World) -> Value {
    let outcome = world.env.infra(["runtime", "status", "--json"]);
    serde_json::from_str(&outcome.stdout).expect("JSON")
}

fn until(world: &World, name: &str, state: &str) -> Value {
    wait_for(&format!("{name} to be {state}"), || {
        let status = status(world);
        (service(&status, name)["state"] == state).then_some(status)
    })
}

#[test]
fn single_services_stop_and_start() {
    let world = ready();
    let before = world.json(["runtime", "up", "--json"]);
    world.env.ok(["runtime", "stop", "second"]);
    let stopped = until(&world, "second", "stopped");
    assert_eq!(pid(&before, "first"), pid(&stopped, "first"));
    let why = world.env.ok(["runtime", "why", "second"]).stdout;
    assert!(why.contains("second is stopped since") && why.contains("asked for `stop`"), "{why}");
    // With everything stopped by hand the supervisor goes on.
    world.env.ok(["runtime", "stop", "first"]);
    until(&world, "first", "stopped");
    // What it comes after is started with it.
    world.env.ok(["runtime", "start", "second"]);
    until(&world, "first", "ready");
    until(&world, "second", "ready");
    let running = status(&world);
    world.env.ok(["runtime", "start"]);
    assert_eq!(pid(&running, "second"), pid(&status(&world), "second"), "what runs is left alone");

    let first = pid(&status(&world), "first");
    world.env.ok(["runtime", "signal", "KILL", "first"]);
    wait_for("the restart", || {
        let now = status(&world);
        let first_now = service(&now, "first");
        (first_now["state"] == "ready" && first_now["pid"] != first).then_some(())
    });
    let refused = world.env.infra(["runtime", "signal", "STOP", "first"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("`STOP` is not a signal"), "{}", refused.stderr);
    let unknown = world.env.infra(["runtime", "stop", "frist"]);
    assert!(unknown.stderr.contains("`first`"), "{}", unknown.stderr);
}

#[test]
fn usage_and_metrics_are_read_when_asked() {
    let world = ready();
    world.env.ok(["runtime", "up", "-q"]);
    let status = status(&world);
    let usage = &service(&status, "first")["usage"];
    assert!(usage["rss_bytes"].as_u64() > Some(100_000), "{usage}");
    assert!(
        usage["open_fds"].as_u64() >= Some(3) && usage["processes"].as_u64() >= Some(1),
        "{usage}"
    );
    let shown = world.env.ok(["runtime", "status"]).stdout;
    assert!(shown.contains("MEMORY") && shown.contains(" MiB"), "{shown}");

    world.env.ok(["runtime", "restart", "first", "-q"]);
    let page = world.env.ok(["runtime", "metrics"]).stdout;
    let value = |sample: &str| -> f64 {
        let line = page.lines().find_map(|l| l.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{sample} in {page}")).parse().expect("a number")
    };
    assert_eq!(value("infra_service_starts_total{service=\"first\",cause=\"boot\"}"), 1.0);
    assert_eq!(value("infra_service_starts_total{service=\"first\",cause=\"manual\"}"), 1.0);
    assert_eq!(value("infra_service_exits_total{service=\"first\",reason=\"asked\"}"), 1.0);
    assert_eq!(value("infra_service_startup_duration_seconds_count{service=\"first\"}"), 2.0);
    assert_eq!(value("infra_service_restart_delay_seconds_count{service=\"first\"}"), 1.0);
    assert_eq!(value("infra_service_ready{service=\"second\"}"), 1.0);
    assert!(value("infra_service_memory_rss_bytes{service=\"first\"}") > 100_000.0);
    assert!(value("process_resident_memory_bytes") > 100_000.0);
    assert!(value("process_open_fds") >= 3.0);
}

#[test]
fn events_are_kept_followed_and_counted_on() {
    let world = ready();
    world.env.ok(["runtime", "up", "-q"]);
    let mut follower = world
        .env
        .command(["runtime", "events", "-f", "--json", "--since", "1h"])
        .spawn()
        .expect("start");
    let mut told = BufReader::new(follower.stdout.take().expect("stdout")).lines();
    let begin = told.next().expect("what is kept comes first").expect("text");
    assert!(begin.contains("\"event\":\"begin\""), "{begin}");
    let told = std::thread::spawn(move || told.map_while(Result::ok).collect::<Vec<_>>());
    let lines = |args: &[&str]| -> Vec<Value> {
        let text = world.env.ok([&["runtime", "events", "--json"], args].concat()).stdout;
        text.lines().map(|l| serde_json::from_str(l).expect("JSON")).collect()
    };
    world.env.ok(["runtime", "restart", "second", "-q"]);
    world.env.ok(["runtime", "down", "-q"]);
    assert_eq!(finish(follower).code, Some(0), "it ends with the stack");
    let told = told.join().expect("the rest");
    let live = told.iter().map(|l| serde_json::from_str::<Value>(l).expect("JSON"));
    let seqs: Vec<u64> = live.map(|r| r["seq"].as_u64().expect("a number")).collect();
    assert!(seqs.windows(2).all(|w| w[0] + 1 == w[1]), "nothing twice, nothing missing: {seqs:?}");
    assert!(told.iter().any(|l| l.contains("\"action\":\"restart\"")), "{told:?}");

    let first = lines(&[]);
    let seqs: Vec<u64> = first.iter().map(|r| r["seq"].as_u64().expect("a number")).collect();
    assert!(seqs.windows(2).all(|w| w[0] + 1 == w[1]), "{seqs:?}");
    assert_eq!(first[0]["event"], "begin");
    assert_eq!(first[0]["generation"], 1);
    assert_eq!(first.last().expect("one")["event"], "end");
    let asked = |r: &&Value| r["event"] == "asked" && r["action"] == "restart";
    assert!(first.iter().any(|r| asked(&r) && r["services"][0] == "second"), "{first:?}");
    let ready = first.iter().find(|r| r["event"] == "state" && r["to"] == "ready").expect("ready");
    assert!(ready["ready_ms"].is_u64() && ready["start"] == 1, "{ready}");
    let stopped = first.iter().rfind(|r| r["event"] == "state" && r["to"] == "stopped");
    assert!(stopped.expect("stopped")["exit"].is_object(), "{stopped:?}");

    // A line that a crash cut off harms nothing, and numbers go on.
    let path = world.env.project().join(".data/run/journal.jsonl");
    let mut text = std::fs::read(&path).expect("read");
    text.extend(b"{\"seq\":99999,\"at");
    std::fs::write(&path, text).expect("write");
    world.env.ok(["runtime", "up", "-q"]);
    let all = lines(&[]);
    let begins: Vec<_> = all.iter().filter(|r| r["event"] == "begin").collect();
    assert_eq!(begins.len(), 2, "{all:?}");
    assert_eq!(begins[1]["seq"].as_u64(), seqs.last().map(|n| n + 1));
    let since = begins[1]["at"].as_str().expect("a time");
    assert_eq!(lines(&["--since", since])[0]["seq"], begins[1]["seq"]);
    assert_eq!(lines(&["--since", "1h"]).len(), all.len());
    let words = world.env.ok(["runtime", "events"]).stdout;
    assert!(words.contains("first: starting → ready (ready, pid "), "{words}");
}

#[test]
fn why_explains_chains_with_and_without_a_supervisor() {
    let world = ready();
    world.edit("profiles/base.toml", "[\"serve\", \"first\"]", "[\"quit\", \"3\"]");
    world.env.infra(["runtime", "up", "-q"]);
    let why = wait_for("it to fail", || {
        let why = world.json(["runtime", "why", "second", "--json"]);
        let first = &why["waits_for"][0];
        let text = first["because"][0].as_str().unwrap_or_default();
        text.contains("exit code 3, ").then_some(why.clone())
    });
    assert_eq!(why["state"], "waiting", "{why}");
    assert_eq!(why["running"], true);
    let text = world.env.ok(["runtime", "why", "second"]).stdout;
    assert!(
        text.starts_with("second is waiting since ") && text.contains("): for first\n"),
        "{text}"
    );
    assert!(text.contains("\n  first is "), "{text}");
    assert!(text.contains("it ended by itself with exit code 3"), "{text}");

    let supervisor = status(&world)["supervisor"].as_u64().expect("pid");
    let supervisor = u32::try_from(supervisor).expect("pid");
    signal(supervisor, Signal::KILL);
    wait_for("the end", || (!alive(supervisor)).then_some(()));
    let text = world.env.ok(["runtime", "why", "second"]).stdout;
    assert!(text.starts_with("no supervisor runs: the last one ended without a word"), "{text}");
    assert!(text.contains("second was waiting from "), "{text}");
    assert!(!text.contains("next try"), "{text}");

    let nobody = world.env.infra(["runtime", "why", "nobody"]);
    assert_eq!(nobody.code, Some(2), "{}", nobody.stderr);
}

#[test]
fn a_plan_names_reasons_and_applies_to_what_changed_alone() {
    let world = ready();
    let plan = world.json(["run", "--plan", "--json"]);
    assert_eq!(plan["from"], Value::Null);
    assert!(plan["services"].as_array().is_some_and(|s| s.iter().all(|p| p["step"] == "start")));
    let before = world.json(["runtime", "up", "--json"]);
    let steps = |plan: &Value| -> Vec<(String, String)> {
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let services = plan["services"].as_array().expect("services");
        services.iter().map(|p| (text(&p["service"]), text(&p["step"]))).collect()
    };
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let plan = world.json(["run", "--plan", "--json"]);
    assert_eq!(steps(&plan), [pair("first", "keep"), pair("second", "keep")]);

    world.edit(
        "profiles/base.toml",
        "[service.second]",
        "[service.third]\ncommand = [\"serve\", \"third\"]\n\n[service.second]\nenv = { A = \"1\" }",
    );
    let plan = world.json(["run", "--plan", "--json"]);
    let wanted = [pair("first", "keep"), pair("third", "start"), pair("second", "restart")];
    assert_eq!(steps(&plan), wanted, "{plan}");
    assert_eq!(plan["services"][2]["reasons"][0], "env changed: A");
    assert_eq!((plan["from"].as_u64(), plan["to"].as_u64()), (Some(1), Some(2)));
    let generations = world.json(["env", "list", "--generations", "--json"]).to_string();
    assert!(!generations.contains("\"number\":2"), "a plan makes nothing current: {generations}");

    world.env.ok(["env", "build", "-q"]);
    let told = world.env.ok(["runtime", "status"]).stderr;
    assert!(told.contains("running generation 1, current is 2"), "{told}");
    let shown = world.env.ok(["runtime", "restart", "--changed"]).stdout;
    assert!(shown.contains("env changed: A"), "{shown}");
    let after = until(&world, "third", "ready");
    assert_eq!(after["generation"], 2);
    assert_eq!(pid(&before, "first"), pid(&after, "first"), "it did not change");
    assert_ne!(pid(&before, "second"), pid(&after, "second"));

    // And back.
    world.env.ok(["env", "rollback", "-q"]);
    world.env.ok(["runtime", "restart", "--changed", "-q"]);
    let back = status(&world);
    assert_eq!(back["generation"], 1);
    assert_eq!(back["services"].as_array().map(Vec::len), Some(2), "{back}");
    assert_eq!(pid(&before, "first"), pid(&back, "first"));
    assert!(!alive(pid(&after, "third")), "what is gone is stopped");
    world.env.ok(["runtime", "logs", "second"]);
}

#[test]
fn watching_applies_changes_and_keeps_what_runs_otherwise() {
    let world = ready();
    let before = world.json(["runtime", "up", "--json"]);
    let mut watcher = world.env.command(["runtime", "watch"]).spawn().expect("start");
    let (sender, lines) = std::sync::mpsc::channel();
    let err = BufReader::new(watcher.stderr.take().expect("stderr"));
    std::thread::spawn(move || {
        err.lines().map_while(Result::ok).for_each(|l| drop(sender.send(l)));
    });
    let until_line = |what: &str| {
        let mut seen = Vec::new();
        while let Ok(line) = lines.recv_timeout(std::time::Duration::from_secs(60)) {
            let found = line.contains(what);
            seen.push(line);
            if found {
                return;
            }
        }
        panic!("{what} in {seen:?}");
    };
    until_line("watching the files of dev");
    world.edit("profiles/base.toml", "[service.second]", "[service.second]\nenv = { A = \"1\" }");
    until_line("generation 2 applied: restart second");
    let after = status(&world);
    assert_eq!(pid(&before, "first"), pid(&after, "first"));
    assert_ne!(pid(&before, "second"), pid(&after, "second"));

    // A profile that is wrong, and one that the lock does not fit.
    world.edit("profiles/base.toml", "env = { A = \"1\" }", "evn = { A = \"1\" }");
    until_line("nothing was changed; what runs goes on");
    world.edit("profiles/base.toml", "evn = { A = \"1\" }", "env = { A = \"1\" }");
    world.edit("profiles/base.toml", "[dep]", "[dep]\nmore = \"path:tools\"");
    until_line("dep.lock.json");
    until_line("nothing was changed; what runs goes on");
    let same = status(&world);
    assert_eq!(pid(&after, "second"), pid(&same, "second"));
    assert_eq!(same["generation"], 2);
    world.env.ok(["runtime", "down", "-q"]);
    until_line("dev is stopped");
    assert_eq!(finish(watcher).code, Some(0));
}

#[test]
fn a_second_supervisor_says_who_the_first_is() {
    let world = ready();
    let up = world.json(["runtime", "up", "--json"]);
    let second = world.env.infra(["run"]);
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    let supervisor = up["supervisor"].as_u64().expect("pid");
    assert!(second.stderr.contains(&format!("pid {supervisor}")), "{}", second.stderr);
    assert!(
        second.stderr.contains("since 20") && second.stderr.contains("__supervise"),
        "{}",
        second.stderr
    );
    assert_eq!(world.env.infra(["runtime", "status"]).code, Some(0), "the first goes on");

    // What a killed one leaves is recovered without a word.
    signal(u32::try_from(supervisor).expect("pid"), Signal::KILL);
    let run = world.env.project().join(".data/run");
    let socket = run.join("control.sock");
    assert!(socket.exists(), "it is left behind");
    let again = world.env.ok(["runtime", "up"]);
    assert!(!again.stderr.contains("warning"), "{}", again.stderr);
    let mode = socket.metadata().expect("socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(run.metadata().expect("run").permissions().mode() & 0o777, 0o700);
}

#[test]
fn groups_and_selections() {
    let world = ready();
    world.edit("profiles/base.toml", "[service.second]", "[service.second]\ngroup = \"back\"");
    world.edit("profiles/base.toml", "[service.first]", "[service.first]\ngroup = [\"front\"]");
    let names = |args: &[&str]| -> Vec<String> {
        let plan = world.json([&["run", "--plan", "--json"], args].concat());
        let services = plan["services"].as_array().expect("services");
        services.iter().map(|p| p["service"].as_str().expect("name").to_owned()).collect()
    };
    assert_eq!(names(&["@back"]), ["first", "second"]);
    assert_eq!(names(&["--only", "@back"]), ["second"]);
    assert_eq!(names(&["--skip", "@back"]), ["first"]);
    let wrong = world.env.infra(["run", "--plan", "@bakc"]);
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);
    assert!(wrong.stderr.contains("@back"), "{}", wrong.stderr);
    world.env.ok(["runtime", "up", "-q", "--skip", "second"]);
    world.env.ok(["runtime", "restart", "@front", "-q"]);
    assert_eq!(status(&world)["services"].as_array().map(Vec::len), Some(1));
}
