//! What is killed, what is in the way, and what is down.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use rustix::process::Signal;

use crate::http::get;
use crate::processes::{self, time_until_gone};
use crate::running::{Run, Status, assert_nothing_left};
use crate::support::{alive, signal, wait_for};
use crate::world::Project;

/// The longest a service may outlive its supervisor.
const ORPHAN_LIMIT: Duration = Duration::from_secs(1);

#[test]
fn a_killed_service_starts_again_alone() {
    let project = Project::new();
    let run = Run::ready(&project);
    let mut before = Status::ready(&project);
    for (service, port, path) in [
        ("nats", "nats_monitor", "/healthz"),
        ("pocketbase", "pocketbase", "/api/health"),
        ("caddy", "caddy_admin", "/config/"),
    ] {
        signal(before.pid(service), Signal::KILL);
        let after = wait_for("the service to be ready again", || {
            let (status, _) = Status::of(&project, "test");
            let is_new = status.pids[service].is_some_and(|pid| pid != before.pid(service));
            (is_new && status.states[service] == "ready").then_some(status)
        });
        assert_eq!(get(after.port(port), path).expect(path).status, 200);
        assert_eq!(after.restarts[service], 1);
        assert_eq!(after.supervisor, run.pid());
        for other in before.pids.keys().filter(|name| *name != service) {
            assert_eq!(after.pid(other), before.pid(other), "{other} was left alone");
        }
        before = after;
    }
    let ended = run.end(Signal::INT);
    assert_eq!(ended.code, Some(0), "{}", ended.notes.join("\n"));
    for service in before.pids.keys() {
        let line = &ended.notes[ended.place("ended", service)];
        assert!(line.contains("signal"), "{line}");
    }
    assert_nothing_left(&project, &before);
}

#[test]
fn a_killed_supervisor_leaves_no_orphan() {
    let project = Project::new();
    let run = Run::ready(&project);
    let status = Status::ready(&project);
    let guardian = processes::guardian(run.pid(), None);
    signal(run.pid(), Signal::KILL);
    let took = time_until_gone(&status.all_pids());
    assert!(took < ORPHAN_LIMIT, "services lived for {took:?}");
    time_until_gone(&[guardian]);
    drop(run);
    assert_nothing_left(&project, &status);
    assert_eq!(project.infra("runtime status --env test").code, Some(1));

    // The next start finds the remains of the last and works.
    let run = Run::ready(&project);
    let status = Status::ready(&project);
    assert!(
        run.notes().iter().any(|n| n.contains("did not end in order")),
        "{}",
        run.notes().join("\n")
    );
    assert_eq!(run.end(Signal::INT).code, Some(0));
    assert_nothing_left(&project, &status);
}

#[test]
fn a_killed_background_supervisor_leaves_no_orphan() {
    let project = Project::new();
    let status = Status::from(&project.json("runtime up --env test --json"));
    signal(status.supervisor, Signal::KILL);
    let took = time_until_gone(&status.all_pids());
    assert!(took < ORPHAN_LIMIT, "services lived for {took:?}");
    let again = Status::from(&project.json("runtime up --env test --json"));
    assert_ne!(again.supervisor, status.supervisor);
    project.ok("runtime down --env test");
    assert_nothing_left(&project, &again);
}

#[test]
fn a_killed_guardian_is_replaced_and_its_successor_does_the_same() {
    let project = Project::new();
    let run = Run::ready(&project);
    let before = Status::ready(&project);
    let first = processes::guardian(run.pid(), None);
    signal(first, Signal::KILL);
    let second = processes::guardian(run.pid(), Some(first));
    assert_eq!(Status::ready(&project).pids, before.pids, "no service noticed");

    signal(run.pid(), Signal::KILL);
    let took = time_until_gone(&before.all_pids());
    assert!(took < ORPHAN_LIMIT, "services lived for {took:?}");
    time_until_gone(&[second]);
    drop(run);
    assert_nothing_left(&project, &before);
}

#[test]
fn supervisor_and_guardian_killed_at_once_leave_no_orphan() {
    let project = Project::new();
    let run = Run::ready(&project);
    let status = Status::ready(&project);
    // Stopped first, so that neither sees the other's end.
    let guardian = processes::guardian(run.pid(), None);
    for pid in [guardian, run.pid()] {
        signal(pid, Signal::STOP);
    }
    for pid in [guardian, run.pid()] {
        signal(pid, Signal::KILL);
    }
    let took = time_until_gone(&status.all_pids());
    assert!(took < ORPHAN_LIMIT, "services lived for {took:?}");
    drop(run);
    assert_nothing_left(&project, &status);
}

#[test]
fn a_foreign_listener_is_named_and_left_alone() {
    let project = Project::new();
    let foreign = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind");
    let port = foreign.local_addr().expect("address").port();
    project.env.write(
        "profiles/fixed.toml",
        format!("extends = \"test\"\ndata = \".data-fixed\"\n\n[port]\nnats_monitor = {port}\n"),
    );
    for words in ["run --env fixed", "runtime up --env fixed"] {
        let outcome = project.infra(words);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        let us = format!("pid {}", std::process::id());
        for named in [&*us, &*port.to_string(), "nats_monitor", "left alone"] {
            assert!(outcome.stderr.contains(named), "{words}: {named}:\n{}", outcome.stderr);
        }
        assert!(project.processes().is_empty(), "nothing was started");
        for service in ["nats", "pocketbase", "caddy"] {
            assert!(!project.env.project().join(".data-fixed").join(service).exists());
        }
    }
    assert!(processes::listens(port), "it still listens");
    drop(foreign);
    let run = Run::start(&project, "run --env fixed", "ready after");
    assert_eq!(run.end(Signal::INT).code, Some(0));
}

#[test]
fn a_second_supervisor_is_refused() {
    let project = Project::new();
    let run = Run::ready(&project);
    let before = Status::ready(&project);
    let second = project.infra("run --env test");
    assert_eq!(second.code, Some(1), "{}", second.stderr);
    assert!(second.stderr.contains(&format!("pid {}", run.pid())), "{}", second.stderr);
    assert_eq!(Status::ready(&project).pids, before.pids);
    assert_eq!(run.end(Signal::INT).code, Some(0));
}

#[test]
fn status_fails_while_a_required_service_is_down() {
    let project = Project::new();
    project.env.write(
        "profiles/broken.toml",
        "extends = \"test\"\ndata = \".data-broken\"\n\n[service.nats]\ncommand = [\"nats-server\", \
         \"--config\", \"/nonexistent.conf\"]\nrestart = \"never\"\n",
    );
    let run = Run::start(&project, "run --env broken", "warning: the required service `nats`");
    let status = wait_for("pocketbase to be ready", || {
        let (status, code) = Status::of(&project, "broken");
        assert_eq!(code, Some(1), "{status:?}");
        (status.states["pocketbase"] == "ready").then_some(status)
    });
    assert_eq!((&*status.states["nats"], &*status.states["caddy"]), ("stopped", "waiting"));
    assert_eq!(status.down, ["caddy", "nats"]);
    let table = project.infra("runtime status --env broken");
    assert_eq!(table.code, Some(1));
    assert!(table.stdout.contains("exit code 1"), "{}", table.stdout);
    let ended = run.end(Signal::INT);
    assert_eq!(ended.code, Some(1), "{}", ended.notes.join("\n"));
    assert!(!alive(status.pid("pocketbase")));

    // In the background the reason is named, not what merely waits for it.
    let up = project.infra("runtime up --env broken");
    assert_eq!(up.code, Some(1), "{}", up.stderr);
    assert!(up.stderr.contains("service `nats`: ended by itself"), "{}", up.stderr);
    assert!(up.stderr.contains("/nonexistent.conf"), "its last words: {}", up.stderr);
}
