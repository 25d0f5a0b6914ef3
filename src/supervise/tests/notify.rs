//! `sd_notify(3)` from real processes.

use std::os::unix::net::UnixDatagram;

use super::*;
use crate::supervise::spec::{AliveProbe, AliveSpec};
use crate::supervise::status::Cause;

/// A service that plays the role `notifier` with these words.
fn notifier(service: &str, words: &[&str]) -> ServiceSpec {
    let mut command = roles::command("notifier", words);
    let mut spec = script(service, "").ready(ProbeSpec::Notify);
    spec.program = command.remove(0).into();
    spec.args = command;
    spec
}

#[test]
fn ready_when_it_says_so_however_long_the_directory_is_called() {
    for depth in [0, 10] {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join(vec!["a-long-name"; depth].join("/"));
        crate::fs::create_dir_all(&data).unwrap();
        let mut run =
            Run::start(stack(&data, [notifier("s", &["STATUS=two words\nX=1", "READY=1"])]));
        run.until_state("s", State::Ready);
        let (outcome, _) = run.stop();
        assert!(outcome.down.is_empty());
        assert!(!crate::fs::exists(&data.join("run/s.notify")).unwrap());
    }
}

#[test]
fn a_stranger_cannot_speak_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = notifier("s", &["STATUS=mine"]);
    spec.ready.as_mut().unwrap().timeout = Duration::from_millis(1500);
    let mut run = Run::start(stack(dir.path(), [spec]));
    let mut client = None;
    wait("its own word is heard", || {
        if client.is_none() {
            client = Client::connect(dir.path()).ok().flatten();
        }
        let status = client.as_mut().and_then(|c| c.status().ok());
        status.is_some_and(|s| s.services[0].says.as_deref() == Some("mine"))
    });
    // This process is of the same user, but not of the service's session.
    let socket = UnixDatagram::unbound().unwrap();
    socket.send_to(b"READY=1", dir.path().join("run/s.notify")).unwrap();
    let reason = run.until(|e| match e {
        Event::StackFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert!(
        reason.starts_with("not ready in time: it did not say READY=1 on its notify socket"),
        "{reason}"
    );
    run.stop();
}

#[test]
fn no_sign_of_life_is_a_failure() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = notifier("s", &["READY=1", "WATCHDOG=1"]);
    spec.alive = Some(AliveSpec {
        probe: AliveProbe::Watchdog(Duration::from_millis(300)),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        failures: 1,
    });
    let mut run = Run::start(stack(dir.path(), [spec]));
    let first = run.until_state("s", State::Ready).pid;
    let change = run.until_state("s", State::Stopping);
    assert_eq!(change.why, Cause::Watchdog);
    assert_ne!(run.until_state("s", State::Ready).pid, first);
    run.stop();
}
