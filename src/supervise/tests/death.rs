//! What is left when things die: nothing.

#![cfg(target_os = "linux")]

use rustix::process::Signal;

use super::*;
use crate::supervise::process::{self, Launch};
use crate::supervise::reap::Child;

const FAMILY: [&str; 4] = ["leader", "child", "other", "orphan"];

/// A supervisor in a process of its own.
fn supervisor(data: &Path, kind: &str) -> Child {
    let mut command = roles::command("supervisor", &[data.to_str().unwrap(), kind]);
    process::start(Launch {
        program: command.remove(0).into(),
        args: command,
        env: Vec::new(),
        cwd: data.to_owned(),
        stdin: process::Stdio::null(),
        stdout: process::Stdio::null(),
        stderr: process::Stdio::null(),
        dies_with_us: false,
        ready: None,
    })
    .unwrap()
}

fn end(child: &Child) -> super::super::status::Exit {
    wait("the supervisor ends", || child.peek().is_some());
    let exit = child.peek().unwrap();
    child.reap();
    exit
}

/// The guardian of a supervisor.
fn guardian_of(pid: u32) -> u32 {
    let is_guardian = |p: &procfs::Process| {
        let path = std::path::PathBuf::from(format!("/proc/{}/cmdline", p.pid));
        let line = crate::fs::read(&path).unwrap_or_default();
        p.parent == pid && String::from_utf8_lossy(&line).contains("role=guardian")
    };
    let mut found = None;
    wait("a guardian", || {
        found = procfs::all().into_iter().find(|p| !p.zombie && is_guardian(p)).map(|p| p.pid);
        found.is_some()
    });
    found.unwrap()
}

fn family(data: &Path) -> ServiceSpec {
    roles::kind(data, "family")
}

#[test]
fn a_stop_ends_the_whole_family() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run::start(stack(dir.path(), [family(dir.path())]));
    let members = pids(dir.path(), &FAMILY);
    assert!(members.iter().all(|p| lives(*p)));
    run.stop();
    // Not "soon": the stop returns when nothing of the service is left.
    assert!(!members.iter().any(|p| lives(*p)), "{members:?}");
}

#[test]
fn a_crash_takes_the_family_along_before_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let mut run = Run::start(stack(dir.path(), [family(dir.path())]));
    let members = pids(dir.path(), &FAMILY);
    kill(members[0], Signal::KILL);
    run.until_state("family", State::Backoff);
    run.until_state("family", State::Ready);
    assert!(!members.iter().any(|p| lives(*p)), "{members:?}");
    run.stop();
}

#[test]
fn a_supervisor_killed_leaves_no_orphan() {
    let dir = tempfile::tempdir().unwrap();
    let child = supervisor(dir.path(), "family");
    let members = pids(dir.path(), &FAMILY);
    let guardian = guardian_of(child.pid());
    kill(child.pid(), Signal::KILL);
    end(&child);
    let start = Instant::now();
    wait("all of the family ends", || !members.iter().any(|p| lives(*p)));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    wait("the guardian ends", || !lives(guardian));

    // The next run finds the lease, and nothing to do.
    let mut run = Run::start(stack(dir.path(), [script("s", "exec sleep 1000")]));
    run.until(|e| match e {
        Event::Note { text } => text.contains("did not end in order").then_some(()),
        _ => None,
    });
    run.until_ready();
    run.stop();
}

/// A supervisor of its own with the family in its lease: it, the family, its guardian.
fn leased_family(dir: &Path) -> (Child, Vec<u32>, u32) {
    let child = supervisor(dir, "family");
    let members = pids(dir, &FAMILY);
    let guardian = guardian_of(child.pid());
    let lease = dir.join("run/lease.json");
    wait("the lease names the service", || {
        crate::fs::read_to_string(&lease).is_ok_and(|t| t.contains("\"family\""))
    });
    (child, members, guardian)
}

#[test]
fn what_survives_supervisor_and_guardian_is_ended_by_the_next_run() {
    let dir = tempfile::tempdir().unwrap();
    let (child, members, guardian) = leased_family(dir.path());
    // A guardian that hangs is as bad as none.
    kill(guardian, Signal::STOP);
    kill(child.pid(), Signal::KILL);
    end(&child);
    assert!(members[1..].iter().any(|p| lives(*p)), "something survives");
    let mut run = Run::start(stack(dir.path(), [script("s", "exec sleep 1000")]));
    run.until_ready();
    assert!(!members.iter().any(|p| lives(*p)), "{members:?}");
    run.stop();
    // Its group is orphaned while stopped, so the kernel hangs it up (POSIX, `exit`).
    wait("the stopped guardian ends", || !lives(guardian));
}

#[test]
fn what_survives_both_is_ended_without_another_run() {
    let dir = tempfile::tempdir().unwrap();
    let (child, members, guardian) = leased_family(dir.path());
    let env = EnvName::new("test").unwrap();
    assert!(!end_leftovers(dir.path(), &env).unwrap(), "a run goes on");
    assert!(members.iter().all(|p| lives(*p)));
    kill(guardian, Signal::STOP);
    kill(child.pid(), Signal::KILL);
    end(&child);
    assert!(end_leftovers(dir.path(), &env).unwrap());
    assert!(!members.iter().any(|p| lives(*p)), "{members:?}");
    for file in ["lease.json", "control.sock"] {
        assert!(!crate::fs::exists(&dir.path().join("run").join(file)).unwrap(), "{file}");
    }
    let told = crate::supervise::journal::read(dir.path(), None).unwrap();
    let last = told.last().map(|r| (&r.run, &r.event));
    assert_eq!(last.map(|(run, _)| run), told.first().map(|r| &r.run));
    assert!(
        matches!(last, Some((_, Event::Note { text })) if text.contains("did not end in order")),
        "{last:?}"
    );
    assert!(!end_leftovers(dir.path(), &env).unwrap(), "nothing is left");
    wait("the stopped guardian ends", || !lives(guardian));
}

#[test]
fn a_guardian_that_ends_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let child = supervisor(dir.path(), "family");
    let members = pids(dir.path(), &FAMILY);
    let first = guardian_of(child.pid());
    kill(first, Signal::KILL);
    wait("it is gone", || !lives(first));
    let second = guardian_of(child.pid());
    assert_ne!(first, second);
    kill(child.pid(), Signal::KILL);
    end(&child);
    wait("all of the family ends", || !members.iter().any(|p| lives(*p)));
}

#[test]
fn a_signal_ends_in_order_and_a_second_interrupt_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let child = supervisor(dir.path(), "family");
    let members = pids(dir.path(), &FAMILY);
    kill(child.pid(), Signal::HUP);
    assert!(end(&child).is_success());
    assert!(!members.iter().any(|p| lives(*p)));

    let dir = tempfile::tempdir().unwrap();
    let child = supervisor(dir.path(), "stubborn");
    let leader = pids(dir.path(), &["leader"])[0];
    let stopping = |state: &str| {
        let mut client = crate::supervise::control::Client::connect(dir.path()).unwrap().unwrap();
        client.status().unwrap().services[0].state.as_str() == state
    };
    wait("it is up", || stopping("ready"));
    kill(child.pid(), Signal::INT);
    wait("the first asks", || stopping("stopping"));
    assert!(lives(leader));
    kill(child.pid(), Signal::INT);
    assert!(end(&child).is_success());
    assert!(!lives(leader));
}

#[test]
fn a_run_and_its_background_start() {
    let dir = tempfile::tempdir().unwrap();
    let spawn = |kind: &str| {
        let mut command =
            roles::command("supervisor", &[dir.path().to_str().unwrap(), kind, "notify"]);
        command.remove(0);
        crate::supervise::detach::spawn(command, [], dir.path(), dir.path()).unwrap()
    };
    let detached = spawn("family");
    let pid = detached.pid;
    detached.wait().unwrap();
    let client = crate::supervise::control::Client::connect(dir.path()).unwrap().unwrap();
    client.down(None, Some(&mut |_| {})).unwrap();
    wait("it ends", || !lives(pid));
    assert!(crate::supervise::control::Client::connect(dir.path()).unwrap().is_none());

    let error = spawn("failing").wait().unwrap_err();
    let text = error.to_string();
    assert!(text.contains("`failing`: ended by itself with exit code 3\n  the reason"), "{text}");
}
