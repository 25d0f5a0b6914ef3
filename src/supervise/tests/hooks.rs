//! Tasks, commands beside services, liveness, ports, and what somebody stopped.

use super::*;
use crate::fs;
use crate::supervise::spec::{AliveProbe, AliveSpec, ReloadSpec};
use crate::supervise::status::{Cause, Exit};

#[test]
fn a_task_completes_before_what_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let done = dir.path().join("done");
    let migrate = task("migrate", &format!("sleep 0.05; echo yes > {}", done.display()));
    let web = script("web", &format!("cat {}; exec sleep 1000", done.display()))
        .on("migrate", Condition::Completed)
        .ready(ProbeSpec::Log("yes".into()));
    let mut run = Run::start(stack(dir.path(), [migrate, web]));
    run.until_ready();
    let mut client = Client::connect(dir.path()).unwrap().unwrap();
    let status = client.status().unwrap();
    assert_eq!(status.services[0].state, State::Completed);
    assert!(status.down().is_empty());
    client.restart(&[name("migrate")]).unwrap();
    run.until_state("migrate", State::Starting);
    run.until_state("migrate", State::Completed);
    let (outcome, _) = run.stop();
    assert!(outcome.down.is_empty());
    assert_eq!(outcome.last.services[0].restarts, 1);
}

#[test]
fn a_task_that_fails_holds_what_comes_after_and_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let migrate = task("migrate", "echo no table >&2; exit 4");
    let web = script("web", "exec sleep 1000").on("migrate", Condition::Completed);
    let mut run = Run::start(stack(dir.path(), [migrate, web]));
    let failed = |e: &Event| match e {
        Event::StackFailed { service, reason } => Some((service.to_string(), reason.clone())),
        _ => None,
    };
    let (service, reason) = run.until(failed);
    assert_eq!(service, "migrate");
    assert_eq!(reason, "ended by itself with exit code 4\n  no table");
    let (service, reason) = run.until(failed);
    assert_eq!(service, "web");
    assert_eq!(reason, "waits for `migrate` (ended by itself with exit code 4)");
    let outcome = run.end().unwrap();
    assert_eq!(outcome.down, [name("migrate"), name("web")]);
    assert_eq!(outcome.last.services[0].state, State::Failed);
}

#[test]
fn ready_when_a_command_says_so_and_its_group_dies_in_time() {
    let dir = tempfile::tempdir().unwrap();
    let (flag, hung) = (dir.path().join("flag"), dir.path().join("hung"));
    // The first look hangs with a child of its own; later ones look for the flag.
    let look = format!(
        "if [ ! -e {hung} ]; then sleep 1000 & echo $! > {hung}.new; mv {hung}.new {hung}; wait; fi; \
         test -e {flag}",
        hung = hung.display(),
        flag = flag.display()
    );
    let spec = script("s", &format!("sleep 0.2; echo > {}; exec sleep 1000", flag.display()))
        .ready(ProbeSpec::Exec(command(&look)));
    let mut run = Run::start(stack(dir.path(), [spec]));
    run.until_state("s", State::Ready);
    let child = pids(dir.path(), &["hung"])[0];
    wait("the hung look's child is dead", || !lives(child));
    assert!(run.stop().0.down.is_empty());
}

#[test]
fn what_does_not_answer_any_more_is_restarted() {
    let dir = tempfile::tempdir().unwrap();
    let sick = dir.path().join("sick");
    let mut spec = script("s", "exec sleep 1000");
    spec.alive = Some(AliveSpec {
        probe: AliveProbe::Probe(ProbeSpec::Exec(command(&format!(
            "if test -e {0}; then rm {0}; exit 1; fi",
            sick.display()
        )))),
        interval: Duration::from_millis(10),
        timeout: Duration::from_secs(10),
        failures: 1,
    });
    let mut run = Run::start(stack(dir.path(), [spec]));
    let first = run.until_state("s", State::Ready).pid;
    fs::write_atomic(&sick, b"").unwrap();
    let change = run.until_state("s", State::Stopping);
    assert_eq!(change.why, Cause::NotAlive("`sh` ended with exit code 1".into()));
    assert_ne!(run.until_state("s", State::Ready).pid, first);
    run.stop();
}

#[test]
fn pre_start_runs_before_each_start_and_its_failure_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let count = dir.path().join("count");
    let mut spec = script("s", "echo up; exec sleep 1000").ready(ProbeSpec::Log("up".into()));
    // Fails the first time; leaves a child each time.
    spec.pre_start = Some(command(&format!(
        "echo preparing; (setsid sleep 1000 &); echo x >> {0}; test $(wc -l < {0}) -ge 2",
        count.display()
    )));
    let mut run = Run::start(stack(dir.path(), [spec]));
    let change = run.until_state("s", State::Backoff);
    assert_eq!(change.why, Cause::PreStart("`sh` ended with exit code 1".into()));
    run.until_state("s", State::Ready);
    let (outcome, _) = run.stop();
    assert!(outcome.down.is_empty());
    let log = fs::read_to_string(&dir.path().join("logs/s.log")).unwrap();
    assert_eq!(log.matches(" out preparing\n").count(), 2, "{log}");
    let dir_text = dir.path().display().to_string();
    let left = procfs::all().into_iter().filter(|p| {
        !p.zombie
            && procfs::variable(p.pid, "INFRA_RUN").is_some_and(|v| v.starts_with(b"s~helper@"))
            && procfs::command_line(p.pid).is_some_and(|c| c.contains(&dir_text))
    });
    assert_eq!(left.count(), 0);
}

#[test]
fn a_stop_during_pre_start_ends_it_first() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = script("s", "exec sleep 1000");
    let here = dir.path().display();
    spec.pre_start = Some(command(&format!("echo $$ > {here}/pid; exec sleep 1000")));
    let run = Run::start(stack(dir.path(), [spec]));
    let pid = pids(dir.path(), &["pid"])[0];
    let (outcome, _) = run.stop();
    assert!(!lives(pid));
    assert_eq!(outcome.last.services[0].state, State::Stopped);
}

#[test]
fn stop_and_reload_by_command_and_by_signal() {
    let dir = tempfile::tempdir().unwrap();
    let here = dir.path().display();
    let serve = |extra: &str| {
        format!(
            "trap 'echo reloaded' HUP; {extra} echo up; while [ ! -e {here}/end ]; do sleep 0.01; done; exit 9"
        )
    };
    let mut asked = script("asked", &serve("trap '' TERM;")).ready(ProbeSpec::Log("up".into()));
    asked.stop_command = Some(command(&format!("echo stopping $MAINPID; echo > {here}/end")));
    asked.reload = Some(ReloadSpec::Command(command("kill -HUP $MAINPID")));
    let mut signalled = script("signalled", &serve("")).ready(ProbeSpec::Log("up".into()));
    signalled.reload = Some(ReloadSpec::Signal(libc::SIGHUP));
    let mut run = Run::start(stack(dir.path(), [asked, signalled]));
    run.until_ready();
    let mut client = Client::connect(dir.path()).unwrap().unwrap();
    let before = client.status().unwrap();
    for service in ["asked", "signalled"] {
        client.reload(&[name(service)]).unwrap();
        let change = run.until_state(service, State::Ready);
        assert_eq!(change.why, Cause::ReloadAsked);
        run.until_line(service, "reloaded");
    }
    let after = client.status().unwrap();
    assert_eq!(before.services[0].pid, after.services[0].pid, "no restart");
    let (outcome, _) = run.stop();
    assert_eq!(outcome.last.services[0].last_exit, Some(Exit::Code(9)), "the command ended it");
}

#[test]
fn a_port_that_a_stranger_took_meanwhile_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut spec = script("s", "echo up; exec sleep 1000").ready(ProbeSpec::Log("up".into()));
    spec.ports.insert("main".into(), port);
    let mut run = Run::start(stack(dir.path(), [spec]));
    let first = run.until_state("s", State::Ready).pid.unwrap();
    let stranger = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    kill(first, rustix::process::Signal::KILL);
    let blocked = run.until_state("s", State::Blocked);
    let Cause::PortTaken(why) = &blocked.why else { panic!("{blocked:?}") };
    let who = format!("port {port} (`main`) is taken by pid {} (`", std::process::id());
    assert!(why.starts_with(&who), "{why}");
    drop(stranger);
    run.until_state("s", State::Ready);
    run.stop();
}

#[test]
fn what_somebody_stopped_stays_stopped_until_somebody_starts_it() {
    let dir = tempfile::tempdir().unwrap();
    let make = || {
        let sleeper = |n: &str| script(n, "exec sleep 1000");
        stack(dir.path(), [sleeper("a"), sleeper("b").after("a"), sleeper("c")])
    };
    let mut run = Run::start(make());
    run.until_ready();
    let mut client = Client::connect(dir.path()).unwrap().unwrap();
    client.stop(&[name("a")]).unwrap();
    run.until_state("a", State::Stopped);
    run.stop();

    // Over a restart of the supervisor; the stack is ready without it, and what needs it waits.
    let mut run = Run::start(make());
    run.until_ready();
    let mut client = Client::connect(dir.path()).unwrap().unwrap();
    let status = client.status().unwrap();
    let states: Vec<State> = status.services.iter().map(|s| s.state).collect();
    assert_eq!(states, [State::Stopped, State::Waiting, State::Ready]);
    assert!(status.down().is_empty() && !status.services[1].wanted, "{status:?}");
    client.start(&[name("b")]).unwrap();
    run.until_state("b", State::Ready);
    client.stop(&[name("c")]).unwrap();
    run.until_state("c", State::Stopped);
    run.stop();

    let mut run = Run::start_with(make(), Reset::Named(vec![name("c")]));
    run.until_ready();
    let (outcome, _) = run.stop();
    assert!(outcome.down.is_empty());
    assert!(!fs::exists(&dir.path().join("run/desired.json")).unwrap());
}

#[test]
fn the_end_of_one_may_end_all() {
    let dir = tempfile::tempdir().unwrap();
    let mut tests = task("tests", "exit 3");
    tests.ends_stack = true;
    tests.success = [3].into();
    let tests = tests.after("server");
    let server = script("server", "exec sleep 1000");
    let outcome = Run::start(stack(dir.path(), [tests, server])).end().unwrap();
    assert!(outcome.down.is_empty(), "{outcome:?}");
    assert_eq!(outcome.last.services[1].state, State::Completed);
}

#[test]
fn a_scheduled_task_is_up_while_it_waits() {
    let dir = tempfile::tempdir().unwrap();
    let mut backup = task("backup", "echo saved");
    backup.schedule = Some("0 0 1 1 *".parse().unwrap());
    let mut run = Run::start(stack(dir.path(), [backup]));
    run.until_ready();
    let mut client = Client::connect(dir.path()).unwrap().unwrap();
    let status = client.status().unwrap();
    assert_eq!(status.services[0].state, State::Scheduled);
    assert!(status.services[0].next_ms.is_some_and(|ms| ms <= 366 * 86_400_000));
    client.restart(&[name("backup")]).unwrap();
    run.until_line("backup", "saved");
    let change = run.until_state("backup", State::Scheduled);
    assert_eq!(change.why, Cause::Exited(Exit::Code(0)));
    assert!(run.stop().0.down.is_empty());
}
