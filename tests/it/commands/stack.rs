//! `infra run`, `infra runtime …`, `infra shutdown`

use std::io::{BufRead as _, BufReader};
use std::process::Child;

use rustix::process::Signal;

use crate::support::{alive, finish, signal, wait_for};
use crate::world::World;

/// A stack that is locked and built.
pub(crate) fn ready() -> World {
    let world = World::stack();
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    world
}

pub(crate) fn service<'a>(status: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let services = status["services"].as_array().expect("services");
    services.iter().find(|s| s["name"] == name).expect("the service")
}

pub(crate) fn pid(status: &serde_json::Value, name: &str) -> u32 {
    let pid = service(status, name)["pid"].as_u64().expect("a pid");
    u32::try_from(pid).expect("a pid")
}

/// Reads what a foreground run says until it is ready; the rest is read on.
fn until_ready(child: &mut Child) -> (Vec<String>, std::thread::JoinHandle<Vec<String>>) {
    let mut lines =
        BufReader::new(child.stderr.take().expect("stderr")).lines().map_while(Result::ok);
    let mut said = Vec::new();
    for line in lines.by_ref() {
        said.push(line);
        if said.last().is_some_and(|l| l.starts_with("ready after")) {
            break;
        }
    }
    (said, std::thread::spawn(move || lines.collect()))
}

#[test]
fn foreground_starts_in_order_and_stops_in_order() {
    let world = ready();
    let mut child = world.env.command(["run"]).spawn().expect("start");
    let (said, rest) = until_ready(&mut child);
    let at = |what: &str| {
        said.iter().position(|l| l.contains(what)).unwrap_or_else(|| panic!("{what} in {said:?}"))
    };
    assert!(at("ready    first") < at("ready    second"), "{said:?}");
    let status = world.json(["runtime", "status", "--json"]);
    let pids = [pid(&status, "first"), pid(&status, "second")];
    signal(child.id(), Signal::INT);
    let outcome = finish(child);
    let rest = rest.join().expect("the rest");
    assert_eq!(outcome.code, Some(0), "{rest:?}");
    let stopped: Vec<_> = rest.iter().filter(|l| l.starts_with("stopped")).collect();
    assert!(stopped[0].contains("second") && stopped[1].contains("first"), "{rest:?}");
    assert!(outcome.stdout.contains("second │ second: asked to end"), "{}", outcome.stdout);
    assert!(pids.iter().all(|p| !alive(*p)), "nothing is left");
}

#[test]
fn a_required_service_that_ends_makes_the_code_non_zero() {
    let world = World::stack();
    world.edit(
        "profiles/base.toml",
        "[\"serve\", \"second\"]",
        "[\"quit\", \"3\"]\nrestart = \"never\"",
    );
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    let up = world.env.infra(["runtime", "up"]);
    world.check_refusal("stack_up_required_ends", 1, &up);
    let status = world.env.infra(["runtime", "status", "--json"]);
    assert_eq!(status.code, Some(1), "{}", status.stdout);
    let status: serde_json::Value = serde_json::from_str(&status.stdout).expect("JSON");
    assert_eq!(status["down"], serde_json::json!(["second"]), "{status}");
    assert_eq!(service(&status, "first")["state"], "ready");
    world.env.ok(["runtime", "down"]);

    // One that is not required lets the stack be up.
    world.edit(
        "profiles/base.toml",
        "restart = \"never\"",
        "restart = \"never\"\nrequired = false",
    );
    world.env.ok(["runtime", "up"]);
    assert_eq!(world.env.infra(["runtime", "status"]).code, Some(0));
}

#[test]
fn foreground_of_a_stack_that_fails_ends_non_zero() {
    let world = World::stack();
    world.edit(
        "profiles/base.toml",
        "[\"serve\", \"second\"]",
        "[\"quit\", \"3\"]\nrestart = \"never\"",
    );
    world.env.ok(["dep", "lock", "-q"]);
    let mut child = world.env.command(["run"]).spawn().expect("start");
    let mut lines =
        BufReader::new(child.stderr.take().expect("stderr")).lines().map_while(Result::ok);
    let down = lines.by_ref().find(|l| l.contains("the required service `second` is down"));
    assert!(down.is_some(), "it is said");
    let rest = std::thread::spawn(move || lines.collect::<Vec<_>>());
    signal(child.id(), Signal::INT);
    let outcome = finish(child);
    let rest = rest.join().expect("the rest");
    assert_eq!(outcome.code, Some(1), "{rest:?}");
}

#[test]
fn background_from_up_to_down() {
    let world = ready();
    let list = world.env.ok(["runtime", "list"]);
    world.snapshot("stack_list", &list);
    assert_eq!(world.env.infra(["runtime", "status"]).code, Some(1), "nothing runs yet");
    let nothing = world.env.infra(["runtime", "status", "--json"]);
    assert_eq!(nothing.stdout, "{\n  \"env\": \"dev\",\n  \"running\": false\n}\n");

    let status = world.json(["runtime", "up", "--json"]);
    assert_eq!(service(&status, "first")["state"], "ready", "{status}");
    let again = world.env.ok(["runtime", "up"]);
    assert!(again.stderr.contains("dev is already running (supervisor pid "), "{}", again.stderr);
    let same = world.json(["runtime", "status", "--json"]);
    for name in ["first", "second"] {
        assert_eq!(pid(&status, name), pid(&same, name), "a second `up` starts nothing");
    }
    assert_eq!(same["running"], true);
    assert_eq!(same["current_generation"], 1);
    let digest = world.env.ok(["env", "digest"]).stdout;
    assert_eq!(same["digest"], digest.trim_end());
    let shown = world.env.ok(["runtime", "status"]);
    assert!(
        shown.stdout.lines().any(|l| l.starts_with("first") && l.contains("ready")),
        "{}",
        shown.stdout
    );
    let list = world.json(["runtime", "list", "--json"]);
    assert!(list.as_array().is_some_and(|l| l.iter().all(|s| s["state"] == "ready")), "{list}");

    let supervisor = u32::try_from(same["supervisor"].as_u64().expect("pid")).expect("pid");
    let pids = [pid(&same, "first"), pid(&same, "second"), supervisor];
    let down = world.env.ok(["runtime", "down"]);
    assert_eq!(down.stderr, "dev is stopped\n");
    wait_for("the end of every process", || (!pids.iter().any(|p| alive(*p))).then_some(()));
    assert_eq!(world.env.ok(["runtime", "down"]).stderr, "nothing is running for dev\n");
    assert_eq!(world.env.ok(["shutdown"]).stderr, "nothing is running for dev\n");
}

#[test]
fn restart_gives_new_processes_to_what_it_names() {
    let world = ready();
    let before = world.json(["runtime", "up", "--json"]);
    let after = world.json(["runtime", "restart", "second", "--json"]);
    assert_eq!(pid(&before, "first"), pid(&after, "first"));
    assert_ne!(pid(&before, "second"), pid(&after, "second"));
    let all = world.json(["runtime", "restart", "--json"]);
    assert_ne!(pid(&after, "first"), pid(&all, "first"));
    assert_eq!(service(&all, "second")["state"], "ready");
    assert_eq!(world.env.ok(["shutdown"]).stderr, "dev is stopped\n");
}

#[test]
fn a_service_that_is_killed_comes_back() {
    let world = ready();
    let before = world.json(["runtime", "up", "--json"]);
    let old = pid(&before, "first");
    signal(old, Signal::KILL);
    let after = wait_for("the restart", || {
        let status = world.env.infra(["runtime", "status", "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status.stdout).ok()?;
        let first = service(&status, "first");
        (first["state"] == "ready" && first["pid"].as_u64() != Some(old.into()))
            .then(|| status.clone())
    });
    assert_eq!(service(&after, "first")["restarts"], 1, "{after}");
}

#[test]
fn logs_of_a_running_and_of_a_stopped_stack() {
    let world = ready();
    world.env.ok(["runtime", "up", "-q"]);
    let running = world.env.ok(["runtime", "logs", "first"]).stdout;
    assert!(running.contains("first: ready") && !running.contains("second"), "{running}");
    let all = world.env.ok(["runtime", "logs"]).stdout;
    assert!(all.contains("first: ready") && all.contains("second: ready"), "{all}");

    // Following ends with the stack.
    let mut follower = world.env.command(["runtime", "logs", "--follow"]).spawn().expect("start");
    let mut lines =
        BufReader::new(follower.stdout.take().expect("stdout")).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|l| l.contains("first: ready") || l.contains("second: ready")));
    let rest = std::thread::spawn(move || lines.collect::<Vec<_>>());
    world.env.ok(["runtime", "down", "-q"]);
    assert_eq!(finish(follower).code, Some(0));
    let rest = rest.join().expect("the rest");
    assert!(rest.iter().any(|l| l.contains("asked to end")), "{rest:?}");

    let stopped = world.env.ok(["runtime", "logs", "first", "--lines", "1000"]).stdout;
    assert!(stopped.contains("first: asked to end"), "{stopped}");
    let one = world.env.ok(["runtime", "logs", "first", "-n", "1"]).stdout;
    assert_eq!(one.lines().count(), 1, "{one}");
}

#[test]
fn only_what_is_named_runs_with_what_it_comes_after() {
    let world = ready();
    let status = world.json(["runtime", "up", "first", "--json"]);
    assert_eq!(status["services"].as_array().map(Vec::len), Some(1), "{status}");
    world.env.ok(["runtime", "down"]);
    let status = world.json(["runtime", "up", "second", "--json"]);
    assert_eq!(status["services"].as_array().map(Vec::len), Some(2), "{status}");
}

#[test]
fn environments_run_beside_each_other() {
    let world = ready();
    let dev = world.json(["runtime", "up", "--json"]);
    let test = world.json(["runtime", "up", "--env", "test", "--json"]);
    assert_ne!(dev["supervisor"], test["supervisor"]);
    let port = |status: &serde_json::Value| service(status, "first")["ports"]["main"].clone();
    assert_ne!(port(&dev), port(&test), "each has its own");
    world.env.ok(["runtime", "down"]);
    assert_eq!(world.env.infra(["runtime", "status", "--env", "test"]).code, Some(0));
}

#[test]
fn a_newer_generation_is_announced() {
    let world = ready();
    world.env.ok(["runtime", "up", "-q"]);
    world.edit("profiles/base.toml", "[port]", "[env]\nMORE = 1\n\n[port]");
    world.env.ok(["env", "build", "-q"]);
    let status = world.env.ok(["runtime", "status"]);
    assert!(status.stderr.contains("running generation 1, current is 2"), "{}", status.stderr);
    // What runs is not collected.
    world.env.ok(["store", "gc", "-q"]);
    world.env.ok(["runtime", "restart", "first", "-q"]);
}

#[test]
fn services_get_the_environment_and_their_secrets_alone() {
    let mut world = World::stack();
    world.script("tools/bin/show", "#!/bin/sh\n/usr/bin/env\necho shown\nexec /bin/sleep 600\n");
    world.profiles(
        "[dep]\ntools = \"path:tools\"\n\n[port]\nmain = \"auto\"\n\n[env]\nPLAIN = \"p\"\n\n\
         [service.show]\ncommand = [\"show\"]\nready = { log = \"shown\" }\nsecrets = [\"API_KEY\"]\n\
         env = { OWN = \"${port.main}\" }\nlisten = [\"main\"]\n",
    );
    world.env.set("API_KEY", "hunter2").set("OTHER_SECRET", "x");
    world.env.ok(["dep", "lock", "-q"]);
    let status = world.json(["runtime", "up", "--json"]);
    let port = service(&status, "show")["ports"]["main"].clone();
    let shown = world.env.ok(["runtime", "logs", "show"]).stdout;
    for line in ["PLAIN=p", "API_KEY=hunter2", "INFRA_ENV_NAME=dev", &format!("OWN={port}")] {
        assert!(shown.lines().any(|l| l.ends_with(line)), "{line} in {shown}");
    }
    assert!(!shown.contains("OTHER_SECRET") && !shown.contains("PIP_INDEX_URL"), "{shown}");
    for (path, _) in world.listing().iter().filter(|(p, _)| !p.contains("/.data/logs/")) {
        let file = match path.strip_prefix("project/") {
            Some(rest) => world.env.project().join(rest),
            None => world.env.root().join(path),
        };
        let bytes = std::fs::read(&file).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("hunter2"), "the secret is in {path}");
    }
}

#[test]
fn tasks_copies_conditions_and_what_was_stopped_by_hand() {
    let world = World::stack();
    world.edit(
        "profiles/base.toml",
        "[service.first]\ncommand = [\"serve\", \"first\"]\nready = { log = \"first: ready\" }\n",
        "[service.migrate]\nkind = \"task\"\ncommand = [\"quit\", \"4\"]\n\
         success-exit-codes = [4]\n\n\
         [service.nightly]\nkind = \"task\"\nschedule = \"0 3 * * *\"\ncommand = [\"quit\", \"0\"]\n\n\
         [service.first]\ncommand = [\"serve\", \"first${replica}\"]\nreplicas = 2\n\
         env = { AT = \"${port.main}\" }\nafter = { migrate = \"completed\" }\n\
         pre-start = [\"quit\", \"0\"]\nready = { exec = [\"quit\", \"0\"] }\n",
    );
    world.env.ok(["dep", "lock", "-q"]);
    let status = world.json(["runtime", "up", "--json"]);
    let state = |status: &serde_json::Value, name: &str| {
        service(status, name)["state"].as_str().expect("a state").to_owned()
    };
    assert_eq!(state(&status, "migrate"), "completed", "{status}");
    assert_eq!(state(&status, "nightly"), "scheduled");
    assert!(service(&status, "nightly")["next_ms"].as_u64().is_some());
    let port = |n: &str| service(&status, n)["ports"]["main"].as_u64().expect("a port");
    assert_ne!(port("first.1"), port("first.2"), "{status}");
    assert_eq!(service(&status, "first.2")["replica_of"], "first");
    let log = world.env.ok(["runtime", "logs", "first.2"]).stdout;
    assert!(log.contains("first2: ready") && log.contains("quitting with 0"), "{log}");

    // A name means all copies; a copy's own name means that one.
    let stopped = world.json(["runtime", "stop", "first", "--json"]);
    assert_eq!(state(&stopped, "first.1"), "stopped");
    assert_eq!(state(&stopped, "first.2"), "stopped");
    let started = world.json(["runtime", "start", "first.1", "--json"]);
    assert_eq!(state(&started, "first.1"), "ready");
    assert_eq!(state(&started, "first.2"), "stopped");
    let reload = world.env.infra(["runtime", "reload", "second"]);
    assert_eq!(reload.code, Some(1));
    assert!(reload.stderr.contains("service `second` has no `reload`"), "{}", reload.stderr);

    // Stopped by hand is no failure, also for the next run; until it is asked for.
    world.env.ok(["runtime", "down"]);
    let again = world.json(["runtime", "up", "--json"]);
    assert_eq!(state(&again, "first.2"), "stopped", "{again}");
    assert_eq!(world.env.infra(["runtime", "status"]).code, Some(0));
    world.env.ok(["runtime", "down"]);
    let all = world.json(["runtime", "up", "--all", "--json"]);
    assert_eq!(state(&all, "first.2"), "ready", "{all}");
    world.env.ok(["runtime", "down"]);
}
