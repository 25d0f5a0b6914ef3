//! Start, readiness, restart, stop.

use super::*;
use crate::base::{Diagnose, Kind};
use crate::fs;
use crate::supervise::status::{Cause, Exit};

#[test]
fn starts_in_order_as_things_become_ready_and_ends_in_reverse() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.path().join("journal");
    let line = |word: &str, name: &str| format!("echo {word} {name} >> {}", journal.display());
    let service = |name: &str| {
        let text = format!(
            "trap '{}; exit 0' TERM; {}; echo {name} is up; while :; do sleep 0.01; done",
            line("end", name),
            line("start", name)
        );
        script(name, &text).ready(ProbeSpec::Log("is up".into()))
    };
    let mut run = Run::start(stack(
        dir.path(),
        [service("web").after("db"), service("db").after("bus"), service("bus")],
    ));
    run.until_ready();
    let (outcome, events) = run.stop();
    assert!(outcome.asked && outcome.down.is_empty(), "{outcome:?}");
    assert_eq!(
        fs::read_to_string(&journal).unwrap(),
        "start bus\nstart db\nstart web\nend web\nend db\nend bus\n"
    );
    let states: Vec<String> = events
        .iter()
        .filter_map(|e| match e {
            Event::State(c) if c.service.as_str() == "db" => Some(c.to.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(states[0], "waiting");
    assert_eq!(states[states.len() - 3..], ["ready", "stopping", "stopped"]);
    assert!(outcome.last.services.iter().all(|s| s.last_exit == Some(Exit::Code(0))));

    let log = fs::read_to_string(&dir.path().join("logs/db.log")).unwrap();
    assert!(log.contains(" sup environment test, generation 7, sha256-test\n"), "{log}");
    assert!(log.contains(" out db is up\n"), "{log}");
    assert!(!fs::exists(&dir.path().join("run/lease.json")).unwrap());
    assert!(!fs::exists(&dir.path().join("run/control.sock")).unwrap());
}

#[test]
fn ready_by_tcp_and_by_http() {
    let dir = tempfile::tempdir().unwrap();
    let server = |service: &str, probe: fn(u16) -> ProbeSpec| {
        let port = free_port();
        let mut command = roles::command("listener", &[&port.to_string()]);
        let mut spec = script(service, "").ready(probe(port));
        spec.program = command.remove(0).into();
        spec.args = command;
        spec.ports.insert("main".into(), port);
        spec
    };
    let tcp = server("tcp", |p| ProbeSpec::Tcp(([127, 0, 0, 1], p).into()));
    let http = server("http", |p| {
        ProbeSpec::Http(format!("http://127.0.0.1:{p}/healthz").parse().unwrap())
    });
    let mut run = Run::start(stack(dir.path(), [tcp, http]));
    run.until_ready();
    let (outcome, _) = run.stop();
    assert!(outcome.down.is_empty());
    assert!(outcome.last.services.iter().all(|s| s.ready_ms.is_some()));
}

#[test]
fn a_stranger_that_answers_is_not_the_service() {
    let dir = tempfile::tempdir().unwrap();
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap();
    // The port is not declared, so only the readiness check can tell.
    let mut spec = script("s", "echo last words; sleep 1000").ready(ProbeSpec::Tcp(address));
    spec.ready.as_mut().unwrap().timeout = Duration::from_millis(300);
    let mut run = Run::start(stack(dir.path(), [spec]));
    let reason = run.until(|e| match e {
        Event::StackFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    let who = format!("is answered by pid {}", std::process::id());
    assert!(reason.contains(&who) && reason.ends_with("\n  last words"), "{reason}");
    run.stop();
}

#[test]
fn not_ready_in_time_says_what_was_seen() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let probe = ProbeSpec::Tcp(([127, 0, 0, 1], port).into());
    let mut spec = script("s", "echo one; echo two >&2; exec sleep 1000").ready(probe);
    spec.ready.as_mut().unwrap().timeout = Duration::from_millis(200);
    let mut run = Run::start(stack(dir.path(), [spec]));
    let reason = run.until(|e| match e {
        Event::StackFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(
        reason.starts_with(&format!(
            "not ready in time: connect to 127.0.0.1:{port}: connection refused\n  "
        )),
        "{reason}"
    );
    let change = run.until_state("s", State::Backoff);
    assert!(change.retry_ms.is_some_and(|ms| (50..=110).contains(&ms)), "{change:?}");
    let (outcome, _) = run.stop();
    assert_eq!(outcome.down, [name("s")]);
}

#[test]
fn a_crash_is_seen_at_once_and_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let spec = script("s", "echo up; exec sleep 1000").ready(ProbeSpec::Log("up".into()));
    let mut run = Run::start(stack(dir.path(), [spec]));
    let first = run.until_state("s", State::Ready).pid.unwrap();
    kill(first, rustix::process::Signal::KILL);
    let down = run.until_state("s", State::Backoff);
    assert_eq!(down.why, Cause::Exited(Exit::Signal(9)));
    assert_eq!(down.retry_ms, Some(0));
    let again = run.until_state("s", State::Ready);
    assert_ne!(again.pid, Some(first));
    // The mark is 10 ms; a machine that runs all tests at once is no place to measure.
    assert!(again.at_ms - down.at_ms < 2000, "{down:?} {again:?}");
    let (outcome, _) = run.stop();
    assert_eq!(outcome.last.services[0].restarts, 1);
}

#[test]
fn ignoring_the_signal_leads_to_a_kill() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = script("s", "trap '' TERM; echo up; while :; do sleep 0.05; done")
        .ready(ProbeSpec::Log("up".into()));
    spec.stop_grace = Duration::from_millis(1500);
    let mut run = Run::start(stack(dir.path(), [spec]));
    run.until_ready();
    let (outcome, events) = run.stop();
    assert_eq!(outcome.last.services[0].last_exit, Some(Exit::Signal(9)));
    let waits = |e: &Event| matches!(e, Event::StopWaits { signal: libc::SIGTERM, .. });
    assert!(events.iter().any(waits), "who is waited for is told");
}

#[test]
fn the_stop_signal_is_the_services_own() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = script("s", "trap 'exit 42' QUIT; echo up; while :; do sleep 0.01; done")
        .ready(ProbeSpec::Log("up".into()));
    spec.stop_signal = libc::SIGQUIT;
    let mut run = Run::start(stack(dir.path(), [spec]));
    run.until_ready();
    assert_eq!(run.stop().0.last.services[0].last_exit, Some(Exit::Code(42)));
}

#[test]
fn the_environment_is_exact() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = script("s", "/usr/bin/env; pwd; echo in: $(cat); echo end");
    spec.env.insert("A".into(), "1 2".into());
    spec.cwd = dir.path().canonicalize().unwrap();
    spec.restart = RestartRule::Never;
    let mut run = Run::start(stack(dir.path(), [spec]));
    run.until_line("s", "end");
    let outcome = run.end().unwrap();
    assert!(!outcome.asked && outcome.down.is_empty(), "ended for good with success");
    let log = fs::read_to_string(&dir.path().join("logs/s.log")).unwrap();
    let mut own: Vec<&str> =
        log.lines().filter_map(|l| l.split_once(" out ")).map(|l| l.1).collect();
    own.retain(|l| {
        !l.starts_with("INFRA_RUN=s@") && !l.starts_with("_=") && !l.starts_with("PWD=")
    });
    own.retain(|l| !l.starts_with("SHLVL=") && !l.starts_with("OLDPWD="));
    own.sort_unstable();
    let cwd = dir.path().canonicalize().unwrap();
    let mut expected =
        vec!["A=1 2", "PATH=/usr/bin:/bin:/usr/local/bin", "end", "in:", cwd.to_str().unwrap()];
    expected.sort_unstable();
    assert_eq!(own, expected);
}

#[derive(Debug, thiserror::Error)]
#[error("a file of `s` was changed")]
struct Tampered;

impl Diagnose for Tampered {
    fn kind(&self) -> Kind {
        Kind::Integrity
    }
    fn details(&self) -> Vec<String> {
        vec!["expected  1".into()]
    }
}

/// Refuses the first start.
struct Once(std::sync::atomic::AtomicU32);

impl Gate for Once {
    fn check(&self, _service: &ServiceName) -> Result<(), Problem> {
        match self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Err(Tampered.into()),
            _ => Ok(()),
        }
    }
}

#[test]
fn what_the_gate_refuses_stays_down_and_holds_what_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let sleeper = |n: &str| script(n, "exec sleep 1000");
    let mut stack =
        stack(dir.path(), [sleeper("s"), sleeper("t").after("s"), sleeper("u").after("t")]);
    let gate = Arc::new(Once(0.into()));
    stack.gate = gate.clone();
    let outcome = Run::start(stack).end().unwrap();
    assert_eq!(outcome.down.len(), 3);
    let s = &outcome.last.services[0];
    assert_eq!(s.state, State::Blocked);
    assert_eq!(s.why, Cause::GateRefused("a file of `s` was changed; expected  1".into()));
    assert_eq!(outcome.last.services[2].waits_for, [name("t")]);
    assert_eq!(gate.0.load(std::sync::atomic::Ordering::SeqCst), 1, "asked once");
}

#[test]
fn programs_that_cannot_start_say_why() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str, mode: u32| {
        let path = dir.path().join(name);
        fs::write_atomic(&path, text.as_bytes()).unwrap();
        fs::chmod(&path, mode).unwrap();
        path
    };
    let with = |service: &str, program: PathBuf| {
        let mut spec = script(service, "");
        spec.program = program;
        spec
    };
    let mut lost = script("lost", "");
    lost.cwd = dir.path().join("nowhere");
    let services = [
        with("missing", dir.path().join("no-such-program")),
        with("plain", file("plain", "#!/bin/sh\n", 0o644)),
        with("interpreter", file("interpreter", "#!/no/such/interpreter\n", 0o755)),
        with("foreign", file("foreign", "\u{1}\u{2}\u{3}", 0o755)),
        lost,
    ];
    let outcome = Run::start(stack(dir.path(), services)).end().unwrap();
    for (service, words) in [
        ("missing", "there is no program"),
        ("plain", "may not be executed"),
        ("interpreter", "needs an interpreter"),
        ("foreign", "is not a program for this machine"),
        ("lost", "nowhere` cannot be entered"),
    ] {
        let status = outcome.last.services.iter().find(|s| s.name.as_str() == service).unwrap();
        assert_eq!(status.state, State::Blocked, "{service}");
        assert!(status.why.to_string().contains(words), "{service}: {}", status.why);
    }
}

#[test]
fn flapping_ends_in_failed_and_the_reason_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::start(stack(dir.path(), [script("s", "echo no luck >&2; exit 3")]));
    let reason = run.until(|e| match e {
        Event::StackFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.starts_with("ended by itself with exit code 3"), "{reason}");
    assert!(reason.ends_with("\n  no luck"), "{reason}");
    let (outcome, _) = run.stop();
    assert_eq!((outcome.down, outcome.last.services[0].restarts), (vec![name("s")], 4));
}

#[test]
fn a_taken_port_names_its_holder_who_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let stranger = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = stranger.local_addr().unwrap().port();
    let marker = dir.path().join("started");
    let mut spec = script("s", "exec sleep 1000");
    spec.ports.insert("nats".into(), port);
    let other = script("other", &format!("touch {}", marker.display()));
    let error = Run::start(stack(dir.path(), [other, spec])).end().unwrap_err();
    let text = error.to_string();
    let expected =
        format!("port {port} (`nats` of service `s`) is taken by pid {} (`", std::process::id());
    assert!(text.starts_with(&expected), "{text}");
    assert!(!fs::exists(&marker).unwrap(), "nothing starts before all ports are checked");
    assert!(error.hints()[0].0.contains("left alone"));
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
}

#[test]
fn a_cycle_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (script("a", "").after("b"), script("b", "").after("a"));
    let error = Run::start(stack(dir.path(), [a, b])).end().unwrap_err();
    assert_eq!(error.to_string(), "services wait for each other: `a`, `b`");
}

#[test]
fn every_process_and_its_end_are_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let service = script("s", "echo up; exec sleep 1000").ready(ProbeSpec::Log("up".into()));
    let mut run = Run::start(stack(dir.path(), [service]));
    run.until_ready();
    Client::connect(dir.path()).unwrap().unwrap().restart(&[name("s")]).unwrap();
    run.until(|e| {
        matches!(e, Event::State(c) if c.to == State::Ready && c.start == 2).then_some(())
    });
    let (_, events) = run.stop();
    let told = |e: &Event| match e {
        Event::State(c) => Some((c.to, c.start, c.pid.is_some(), c.exit)),
        _ => None,
    };
    let ended = Some(Exit::Signal(libc::SIGTERM));
    assert_eq!(
        events.iter().filter_map(told).collect::<Vec<_>>(),
        [
            (State::Starting, 1, false, None),
            (State::Starting, 1, true, None),
            (State::Ready, 1, true, None),
            (State::Stopping, 1, true, None),
            // The next start follows at once.
            (State::Starting, 2, false, ended),
            (State::Starting, 2, true, None),
            (State::Ready, 2, true, None),
            (State::Stopping, 2, true, None),
            (State::Stopped, 2, false, ended),
        ]
    );
}

#[test]
fn a_slow_start_that_fails_is_told_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let slow = script("slow", "sleep 1.1; echo the reason; exit 3")
        .ready(ProbeSpec::Log("no such line".into()));
    let mut run = Run::start(stack(dir.path(), [slow]));
    let reason = run.until(|event| match event {
        Event::StackFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(reason.contains("exit code 3") && reason.contains("the reason"), "{reason}");
    let second = |e: &Event| matches!(e, Event::State(c) if c.start > 1);
    assert!(!run.seen.iter().any(second), "{:?}", run.seen);
    run.stop();
}
