//! What follows when something that a service comes after runs anew.

use super::*;
use crate::supervise::spec::ReloadSpec;
use crate::supervise::status::Cause;

fn sleeper(service: &str) -> ServiceSpec {
    script(service, "trap 'echo reloaded' HUP; echo up; while :; do sleep 0.01; done")
        .ready(ProbeSpec::Log("up".into()))
}

#[test]
fn a_crash_restarts_reloads_or_keeps_what_comes_after() {
    let dir = tempfile::tempdir().unwrap();
    let mut again = sleeper("again").after("bus");
    again.follow = Follow::Restart;
    let mut reloads = sleeper("reloads").after("again");
    reloads.follow = Follow::Reload;
    reloads.reload = Some(ReloadSpec::Signal(libc::SIGHUP));
    let keeps = sleeper("keeps").after("bus");
    let mut run = Run::start(stack(dir.path(), [sleeper("bus"), again, reloads, keeps]));
    run.until_ready();
    let mut client = Client::connect(dir.path()).unwrap().unwrap();
    let pid = |client: &mut Client, service: &str| {
        let status = client.status().unwrap();
        status.services.iter().find(|s| s.name.as_str() == service).unwrap().pid.unwrap()
    };
    let (kept, reloaded) = (pid(&mut client, "keeps"), pid(&mut client, "reloads"));
    kill(pid(&mut client, "bus"), rustix::process::Signal::KILL);
    // In the order of dependencies: the bus first, then who restarts after it, then who reloads.
    run.until_state("bus", State::Ready);
    let change = run.until_state("again", State::Stopping);
    assert_eq!(change.why, Cause::RestartAfter(name("bus")));
    run.until_state("again", State::Ready);
    let change = run.until_state("reloads", State::Ready);
    assert_eq!(change.why, Cause::ReloadAfter(name("again")));
    run.until_line("reloads", "reloaded");
    assert_eq!((pid(&mut client, "keeps"), pid(&mut client, "reloads")), (kept, reloaded));
    let (outcome, _) = run.stop();
    let restarts: Vec<u64> = outcome.last.services.iter().map(|s| s.restarts).collect();
    assert_eq!(restarts, [1, 1, 0, 0]);
}

#[test]
fn started_is_enough_where_that_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let slow = script("slow", "exec sleep 1000").ready(ProbeSpec::Log("never".into()));
    let quick = script("quick", "exec sleep 1000").on("slow", Condition::Started);
    let mut run = Run::start(stack(dir.path(), [slow, quick]));
    run.until_state("quick", State::Ready);
    let (outcome, _) = run.stop();
    assert_eq!(outcome.down, [name("slow")]);
}
