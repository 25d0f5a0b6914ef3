//! One machine, step by step.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::ServiceName;
use crate::supervise::fleet::Fleet;
use crate::supervise::spec::{Condition, Kind};
use crate::supervise::status::State;

use super::testing::{RULES, at};

/// Brings a machine to `Ready` at time zero; its generation is 1.
fn ready(rules: Rules) -> Machine {
    let mut m = Machine::new(rules.clone());
    assert_eq!(m.step(at(0), Input::Start), []);
    assert_eq!(m.state(), State::Waiting);
    assert_eq!(m.step(at(0), Input::Deps(true)), [Output::Gate(1)]);
    assert_eq!(m.step(at(0), Input::GatePassed(1)), [Output::Spawn(1)]);
    let probe = m.step(at(0), Input::Spawned(1, 7));
    if rules.ready_within.is_some() {
        assert_eq!(probe, [Output::Probe(1)]);
        m.step(at(0), Input::ProbeOk(1));
    }
    assert_eq!(m.state(), State::Ready);
    m
}

#[test]
fn a_crash_is_swept_then_started_again_through_the_gate() {
    let mut m = ready(RULES);
    let out = m.step(at(20_000), Input::Exited(1, Exit::Signal(9)));
    assert_eq!(out, [Output::EndProbe, Output::Sweep(1, Duration::ZERO)]);
    assert_eq!(m.state(), State::Backoff);
    assert_eq!(m.step(at(20_001), Input::Swept(1)), [Output::Gate(2)]);
    assert_eq!(m.step(at(20_001), Input::GateRefused(2, "changed".into())), []);
    assert_eq!(m.state(), State::Blocked);
    assert_eq!(m.step(at(90_000), Input::Tick), []);
}

#[test]
fn a_stop_escalates() {
    let mut m = ready(RULES);
    let out = m.step(at(0), Input::Stop);
    assert_eq!(out, [Output::EndProbe, Output::Signal(libc::SIGTERM)]);
    assert_eq!(m.step(at(1999), Input::Tick), []);
    assert_eq!(m.step(at(2000), Input::Tick), [Output::KillAll]);
    assert_eq!(m.step(at(2001), Input::Tick), []);
    m.step(at(2001), Input::Exited(1, Exit::Signal(9)));
    assert_eq!(m.state(), State::Stopping);
    m.step(at(2001), Input::Swept(1));
    assert_eq!((m.state(), m.why()), (State::Stopped, &Cause::StopAsked));
}

#[test]
fn not_ready_in_time_is_a_failure_with_the_last_reason() {
    let mut m = Machine::new(RULES);
    m.step(at(0), Input::Deps(true));
    m.step(at(0), Input::Start);
    m.step(at(0), Input::GatePassed(1));
    m.step(at(0), Input::Spawned(1, 7));
    m.step(at(10), Input::ProbeFailed(1, "connection refused".into()));
    let out = m.step(at(5000), Input::Tick);
    assert_eq!(out, [Output::EndProbe, Output::Signal(libc::SIGTERM)]);
    assert_eq!(m.why(), &Cause::NotReady("connection refused".into()));
    m.step(at(5001), Input::Exited(1, Exit::Code(0)));
    m.step(at(5002), Input::Swept(1));
    assert_eq!(m.state(), State::Backoff);
}

#[test]
fn rules_of_restart() {
    for (restart, exit, state) in [
        (RestartRule::Never, Exit::Code(1), State::Stopped),
        (RestartRule::Never, Exit::Code(0), State::Completed),
        (RestartRule::Never, Exit::Code(3), State::Completed),
        (RestartRule::OnFailure, Exit::Code(0), State::Completed),
        (RestartRule::OnFailure, Exit::Code(3), State::Completed),
        (RestartRule::OnFailure, Exit::Code(1), State::Starting),
        (RestartRule::OnFailure, Exit::Signal(15), State::Starting),
        (RestartRule::Always, Exit::Code(0), State::Starting),
    ] {
        let success = vec![3];
        let mut m = ready(Rules { restart, success, ready_within: None, ..RULES });
        m.step(at(15_000), Input::Exited(1, exit));
        m.step(at(15_000), Input::Swept(1));
        assert_eq!(m.state(), state, "{restart:?} {exit}");
        assert_eq!(m.is_finished(), state == State::Completed);
    }
}

#[test]
fn old_news_changes_nothing() {
    let mut m = ready(RULES);
    m.step(at(0), Input::Restart);
    m.step(at(0), Input::Exited(1, Exit::Code(0)));
    assert_eq!(m.step(at(0), Input::Swept(1)), [Output::Gate(2)]);
    m.step(at(0), Input::GatePassed(2));
    m.step(at(0), Input::Spawned(2, 8));
    for old in [
        Input::ProbeOk(1),
        Input::Exited(1, Exit::Code(0)),
        Input::Swept(1),
        Input::Spawned(1, 7),
        Input::GatePassed(1),
    ] {
        assert_eq!(m.step(at(1), old), []);
        assert_eq!((m.state(), m.pid()), (State::Starting, Some(8)));
    }
}

/// A machine whose process runs, not ready yet.
fn running(rules: Rules) -> Machine {
    let mut m = Machine::new(rules);
    for input in [Input::Deps(true), Input::Start, Input::GatePassed(1), Input::Spawned(1, 7)] {
        m.step(at(0), input);
    }
    m
}

#[test]
fn a_task_runs_to_its_end_and_again_when_asked() {
    let rules =
        Rules { kind: Kind::Task, restart: RestartRule::Never, ready_within: None, ..RULES };
    let mut m = running(rules.clone());
    assert_eq!(m.state(), State::Starting);
    assert!(m.satisfies(Condition::Started) && !m.satisfies(Condition::Ready));
    m.step(at(9), Input::Exited(1, Exit::Code(0)));
    m.step(at(9), Input::Swept(1));
    assert_eq!(m.state(), State::Completed);
    assert!(m.satisfies(Condition::Completed));
    assert_eq!(m.step(at(10), Input::Restart), [Output::Gate(2)]);
    assert!(!m.satisfies(Condition::Completed), "only its last run counts");
    m.step(at(10), Input::GatePassed(2));
    m.step(at(10), Input::Spawned(2, 8));
    m.step(at(10), Input::Exited(2, Exit::Code(1)));
    m.step(at(10), Input::Swept(2));
    assert_eq!((m.state(), m.why()), (State::Failed, &Cause::Exited(Exit::Code(1))));
    assert!(!m.satisfies(Condition::Completed) && m.is_at_rest());

    let mut m = running(Rules { restart: RestartRule::OnFailure, ..rules });
    m.step(at(0), Input::Exited(1, Exit::Code(1)));
    m.step(at(0), Input::Swept(1));
    assert_eq!(m.state(), State::Backoff);
}

#[test]
fn a_scheduled_task_waits_for_its_time_again() {
    let mut m = Machine::new(Rules {
        kind: Kind::Task,
        scheduled: true,
        restart: RestartRule::Never,
        ready_within: None,
        ..RULES
    });
    m.step(at(0), Input::Deps(true));
    assert_eq!(m.step(at(0), Input::Start), []);
    assert_eq!(m.state(), State::Scheduled);
    assert!(!m.is_at_rest() && !m.satisfies(Condition::Completed));
    assert_eq!(m.step(at(0), Input::Due), [Output::Gate(1)]);
    m.step(at(0), Input::GatePassed(1));
    m.step(at(0), Input::Spawned(1, 7));
    assert_eq!(m.step(at(1), Input::Due), [], "it still runs");
    m.step(at(2), Input::Exited(1, Exit::Code(0)));
    m.step(at(2), Input::Swept(1));
    assert_eq!(m.state(), State::Scheduled);
    assert!(m.satisfies(Condition::Completed));
    m.step(at(3), Input::Stop);
    assert_eq!(m.step(at(4), Input::Due), [], "stopped");
    assert_eq!(m.step(at(5), Input::StartAsked), []);
    assert_eq!(m.state(), State::Scheduled);
}

#[test]
fn liveness_restarts_after_so_many_failures_in_a_row() {
    let mut m = ready(Rules { ready_within: None, alive_failures: Some(2), ..RULES });
    let bad = || Input::Alive(1, Err("no answer".into()));
    assert_eq!(m.step(at(1), bad()), []);
    assert_eq!(m.step(at(2), Input::Alive(1, Ok(()))), []);
    assert_eq!(m.step(at(3), bad()), []);
    assert_eq!(m.step(at(4), bad()), [Output::EndProbe, Output::Signal(libc::SIGTERM)]);
    assert_eq!(m.why(), &Cause::NotAlive("no answer".into()));
    m.step(at(5), Input::Exited(1, Exit::Code(0)));
    assert_eq!(m.state(), State::Backoff, "it failed, whatever its code");
}

#[test]
fn what_it_says_counts() {
    let watchdog = Some(Duration::from_secs(1));
    let rules = Rules { says_ready: true, watchdog, ..RULES };
    let mut m = running(rules);
    let say = |m: &mut Machine, ms, notice| m.step(at(ms), Input::Notice(1, notice));
    say(&mut m, 4000, Notice::Extend(Duration::from_secs(3)));
    assert_eq!(m.step(at(5000), Input::Tick), [], "it asked for time");
    say(&mut m, 6000, Notice::Status("loading".into()));
    assert_eq!(m.says(), Some("loading"));
    say(&mut m, 6500, Notice::Ready);
    assert_eq!((m.state(), m.says()), (State::Ready, None));
    say(&mut m, 7400, Notice::Alive);
    assert_eq!(m.wake_at(), Some(Duration::from_millis(8400)));
    assert_eq!(m.step(at(8399), Input::Tick), []);
    let out = m.step(at(8400), Input::Tick);
    assert_eq!(out, [Output::EndProbe, Output::Signal(libc::SIGTERM)]);
    assert_eq!(m.why(), &Cause::Watchdog);
    say(&mut m, 8500, Notice::Extend(Duration::from_secs(5)));
    assert_eq!(m.step(at(10_400), Input::Tick), [], "it asked for time to end");
    assert_eq!(m.step(at(13_500), Input::Tick), [Output::KillAll]);
}

#[test]
fn readiness_is_its_own_word_only_where_that_was_asked_for() {
    let mut m = running(RULES);
    m.step(at(1), Input::Notice(1, Notice::Ready));
    assert_eq!(m.state(), State::Starting);
    let mut m = running(Rules { says_ready: true, ..RULES });
    m.step(at(1), Input::Notice(0, Notice::Ready));
    assert_eq!(m.state(), State::Starting, "an earlier start said it");
}

#[test]
fn a_port_of_a_stranger_is_waited_for_not_retried() {
    let mut m = Machine::new(RULES);
    m.step(at(0), Input::Deps(true));
    m.step(at(0), Input::Start);
    let out = m.step(at(0), Input::PortTaken(1, "port 1 is taken".into()));
    assert_eq!(out, [Output::AwaitPorts(1)]);
    assert_eq!((m.state(), m.is_at_rest(), m.wake_at()), (State::Blocked, false, None));
    assert_eq!(m.step(at(1), Input::PortFree(1)), [Output::Gate(2)]);
    m.step(at(1), Input::PortTaken(2, "port 1 is taken".into()));
    assert_eq!(m.step(at(2), Input::Stop), [Output::EndGate]);
    assert_eq!(m.step(at(3), Input::PortFree(2)), []);
    assert_eq!(m.state(), State::Stopped);
}

#[test]
fn a_stop_during_the_command_before_a_start_waits_for_its_end() {
    let rules = Rules { pre_start: true, ..RULES };
    let mut m = Machine::new(rules);
    m.step(at(0), Input::Deps(true));
    m.step(at(0), Input::Start);
    assert_eq!(m.step(at(1), Input::Stop), [Output::EndGate]);
    assert_eq!(m.step(at(1), Input::Stop), []);
    assert!(!m.is_at_rest());
    m.step(at(2), Input::StartAsked);
    assert_eq!(m.step(at(3), Input::PreStartFailed(1, "given up".into())), [Output::Gate(2)]);
    m.step(at(4), Input::PreStartFailed(2, "exit code 1".into()));
    assert_eq!(m.state(), State::Backoff);
    assert_eq!(m.why(), &Cause::PreStart("exit code 1".into()));
}

#[test]
fn a_stop_command_that_fails_is_followed_by_the_signal() {
    let mut m = ready(Rules { stop_command: true, ..RULES });
    assert_eq!(m.step(at(0), Input::Stop), [Output::EndProbe, Output::StopCommand(1)]);
    let out = m.step(at(1), Input::StopCommandFailed(1));
    assert_eq!(out, [Output::Signal(libc::SIGTERM)]);
    assert_eq!(m.step(at(2000), Input::Tick), [Output::KillAll]);
    assert_eq!(m.step(at(2001), Input::StopCommandFailed(1)), []);
}

#[test]
fn a_reload_is_no_restart() {
    let mut m = ready(RULES);
    assert_eq!(m.step(at(1), Input::Reload), [], "it cannot");
    let mut m = ready(Rules { reloads: true, ..RULES });
    assert_eq!(m.step(at(1), Input::Reload), [Output::Reload(1)]);
    assert_eq!((m.state(), m.generation(), m.reloads()), (State::Ready, 1, 1));
}

#[test]
fn the_stack_ends_with_what_ends_it() {
    for (restart, ends) in [(RestartRule::Never, true), (RestartRule::Always, false)] {
        let rules = Rules { restart, ends_stack: true, ready_within: None, ..RULES };
        let name = ServiceName::new("s").unwrap();
        let mut fleet =
            Fleet::new([(name.clone(), rules)].into(), [(name.clone(), BTreeMap::new())].into())
                .unwrap();
        fleet.start_all(at(0), &BTreeSet::new());
        for input in [
            Input::GatePassed(1),
            Input::Spawned(1, 7),
            Input::Exited(1, Exit::Code(1)),
            Input::Swept(1),
        ] {
            assert!(!fleet.has_reason_to_end());
            fleet.apply(at(2000), &name, input);
        }
        assert_eq!(fleet.has_reason_to_end(), ends);
    }
}

#[test]
fn a_stop_during_a_start_says_why() {
    let mut m = Machine::new(RULES);
    m.step(at(0), Input::Start);
    m.step(at(0), Input::Deps(true));
    m.step(at(0), Input::GatePassed(1));
    assert_eq!(m.state(), State::Starting);
    m.step(at(1), Input::Stop);
    assert_eq!((m.state(), m.why()), (State::Stopping, &Cause::StopAsked));
    m.step(at(2), Input::Restart);
    assert_eq!((m.state(), m.why()), (State::Starting, &Cause::RestartAsked));
    m.step(at(3), Input::Stop);
    m.step(at(4), Input::Spawned(1, 7));
    assert_eq!((m.state(), m.why(), m.pid()), (State::Stopping, &Cause::StopAsked, Some(7)));
    m.step(at(5), Input::Exited(1, Exit::Signal(15)));
    assert_eq!(m.ended(), 1);
}
