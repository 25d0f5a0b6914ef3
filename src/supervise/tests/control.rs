//! The socket, as the command line uses it.

use super::*;
use crate::supervise::control::Client;

fn client(data: &Path) -> Client {
    Client::connect(data).unwrap().expect("a supervisor runs")
}

#[test]
fn status_logs_events_restart_and_stop() {
    let dir = tempfile::tempdir().unwrap();
    assert!(Client::connect(dir.path()).unwrap().is_none());
    let talker = script("talker", "echo one; echo two; echo up; exec sleep 1000")
        .ready(ProbeSpec::Log("up".into()));
    let mut run = Run::start(stack(dir.path(), [talker, script("quiet", "exec sleep 1000")]));
    run.until_ready();

    let mut talk = client(dir.path());
    let status = talk.status().unwrap();
    assert_eq!((status.supervisor, status.generation), (std::process::id(), 7));
    assert!(status.down().is_empty());
    let before = status.services.iter().find(|s| s.name.as_str() == "talker").unwrap().clone();
    assert_eq!(before.log, dir.path().join("logs/talker.log"));
    assert!(before.logged.lines >= 4, "{before:?}");

    let error = talk.restart(&[name("nobody")]).unwrap_err();
    assert_eq!(error.to_string(), "there is no service `nobody`");

    let events = client(dir.path()).events(None).unwrap();
    let mut logs = client(dir.path()).logs(&[name("talker")], 3, true).unwrap();
    let Some(Event::Log { text, .. }) = logs.next() else { panic!("no log") };
    assert_eq!(text.lines().count(), 3, "{text}");

    talk.restart(&[name("talker")]).unwrap();
    let mut states = Vec::new();
    for record in events {
        if let Event::State(change) = record.event {
            assert_eq!(change.service, name("talker"));
            states.push(change.to);
            if change.to == State::Ready {
                break;
            }
        }
    }
    assert_eq!(states, [State::Stopping, State::Starting, State::Starting, State::Ready]);
    assert!(logs.any(|e| matches!(e, Event::Log { text, .. } if text.contains(" out up"))));
    let after = talk.status().unwrap();
    let after = after.services.iter().find(|s| s.name.as_str() == "talker").unwrap();
    assert_eq!(after.restarts, 1);
    assert_ne!(after.pid, before.pid);

    client(dir.path()).down(None, Some(&mut |_| {})).unwrap();
    let outcome = run.end().unwrap();
    assert!(outcome.asked && outcome.down.is_empty());
    assert!(Client::connect(dir.path()).unwrap().is_none());
}

#[test]
fn one_supervisor_for_each_data_directory() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = Run::start(stack(dir.path(), [script("s", "exec sleep 1000")]));
    first.until_ready();
    let error = Run::start(stack(dir.path(), [script("s", "exec sleep 1000")])).end().unwrap_err();
    assert!(matches!(error, Error::AlreadyRunning { .. }), "{error}");
    let me = format!("`infra run` of test (pid {})", std::process::id());
    assert!(error.to_string().contains(&me), "{error}");
    assert!(client(dir.path()).status().unwrap().down().is_empty(), "the first goes on");
    first.stop();
}

#[test]
#[cfg(target_os = "linux")]
fn a_long_path_and_a_stale_socket() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("d".repeat(120));
    let run = crate::supervise::lease::RunDir::of(&data);
    crate::fs::create_dir_all(run.path()).unwrap();
    crate::fs::write_atomic(&run.path().join("control.sock"), b"").unwrap();
    assert!(Client::connect(&data).unwrap().is_none());
    let mut run = Run::start(stack(&data, [script("s", "exec sleep 1000")]));
    run.until_ready();
    assert!(client(&data).status().unwrap().down().is_empty());
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &crate::fs::lstat(&data.join("run/control.sock")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    run.stop();
}

#[test]
fn a_stop_while_things_start_ends_them() {
    let dir = tempfile::tempdir().unwrap();
    let never = script("never", "exec sleep 1000").ready(ProbeSpec::Log("no such line".into()));
    let mut run = Run::start(stack(dir.path(), [never, script("held", "").after("never")]));
    let pid = run.until(|e| match e {
        Event::State(c) if c.service.as_str() == "never" => c.pid.or(Some(0)),
        _ => None,
    });
    let (outcome, _) = run.stop();
    assert!(outcome.last.services.iter().all(|s| s.state == State::Stopped), "{outcome:?}");
    assert_eq!(outcome.down.len(), 2);
    assert!(pid == 0 || !lives(pid));
}

#[test]
#[cfg(target_os = "linux")]
fn a_stop_of_what_ends_by_itself_is_done() {
    let dir = tempfile::tempdir().unwrap();
    crate::fs::create_dir_all(&dir.path().join("run")).unwrap();
    let mut command = roles::command("ending", &[dir.path().to_str().unwrap()]);
    let child = crate::supervise::process::start(crate::supervise::process::Launch {
        program: command.remove(0).into(),
        args: command,
        env: Vec::new(),
        cwd: dir.path().to_owned(),
        stdin: crate::supervise::process::Stdio::null(),
        stdout: crate::supervise::process::Stdio::null(),
        stderr: crate::supervise::process::Stdio::null(),
        dies_with_us: false,
        ready: None,
    })
    .unwrap();
    let socket = dir.path().join("run/control.sock");
    wait("it listens", || crate::fs::exists(&socket).unwrap());
    // It ends instead of answering: nothing runs, which is what was asked for.
    let mut found = None;
    wait("it answers", || {
        found = Client::connect(dir.path()).unwrap();
        found.is_some()
    });
    found.unwrap().down(None, Some(&mut |_| {})).unwrap();
    assert!(Client::connect(dir.path()).unwrap().is_none());
    child.reap();
}

#[test]
fn waiting_for_what_was_stopped_is_settled() {
    let dir = tempfile::tempdir().unwrap();
    let sleeps = |service: &str| script(service, "exec sleep 1000");
    let services = [sleeps("a"), sleeps("b").after("a"), sleeps("c").after("b")];
    let mut run = Run::start(stack(dir.path(), services));
    run.until_ready();
    let mut talk = client(dir.path());
    talk.stop(&[name("a")]).unwrap();
    talk.restart(&[name("b"), name("c")]).unwrap();
    let states = |status: &crate::supervise::status::StackStatus| {
        status.services.iter().map(|s| s.state).collect::<Vec<_>>()
    };
    // Nothing but somebody's word moves it on, so nobody should wait for it.
    let mut held = talk.status().unwrap();
    wait("the others wait", || {
        held = talk.status().unwrap();
        states(&held) == [State::Stopped, State::Waiting, State::Waiting]
    });
    assert!(held.services.iter().all(|s| held.has_settled(s)), "{held:?}");
    // What waits for something that starts is not settled.
    held.services[0].state = State::Starting;
    assert!(!held.services[1..].iter().any(|s| held.has_settled(s)), "{held:?}");
    talk.start(&[name("c")]).unwrap();
    wait("all are up", || {
        let now = talk.status().unwrap();
        now.services.iter().all(|s| now.has_settled(s) && s.is_up())
    });
    run.stop();
}
