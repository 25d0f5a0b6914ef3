//! A stack under the first process: readiness, orphans, restarts, signals that are passed on.

use rustix::process::Signal;

use super::{Container, OBEYS, exists, world};
use crate::support::wait_for;

#[test]
fn the_stack_runs_under_the_first_process_without_a_guardian() {
    let world = world(&[
        ("bus", OBEYS, "ready = { log = \"up\" }"),
        ("web", OBEYS, "ready = { log = \"up\" }\nafter = [\"bus\"]"),
    ]);
    let container = Container::start(&world, &["run"]);
    container.until("ready after");
    let status = world.json(["runtime", "status", "--json"]);
    assert_eq!(status["supervisor"], 1, "{status}");
    let commands: Vec<String> = container
        .members()
        .iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok())
        .collect();
    assert!(commands.iter().all(|c| !c.contains("__guardian")), "{commands:?}");
    assert!(commands.len() >= 3, "{commands:?}");
    let lines = container.lines();
    assert!(lines.iter().any(|l| l == "bus │ up"), "plain lines with a name: {lines:?}");
    assert!(lines.iter().all(|l| !l.contains('\u{1b}')), "no screen: {lines:?}");
    container.send(Signal::TERM);
    assert_eq!(container.end().code, Some(0));
}

#[test]
fn orphans_are_reaped() {
    // Each starts a process in a session of its own and ends; that one says who its parent became.
    let script = "n=0\n\
        while [ $n -lt 40 ]; do\n\
          (/usr/bin/setsid /bin/sh -c '/bin/sleep 0.2; read -r _ _ _ p _ </proc/self/stat; echo adopted by $p' &)\n\
          n=$((n+1))\n\
        done\n\
        echo up\nexec /bin/sleep 600";
    let world = world(&[("parent", script, "ready = { log = \"up\" }")]);
    let container = Container::start(&world, &["run"]);
    wait_for("forty orphans", || {
        let lines = container.lines();
        (lines.iter().filter(|l| l.ends_with("adopted by 1")).count() == 40).then_some(())
    });
    wait_for("no zombie", || (container.zombies() == 0).then_some(()));
    // The first process, the service, and nothing else.
    wait_for("only two", || (container.members().len() == 2).then_some(()));
    container.send(Signal::TERM);
    assert_eq!(container.end().code, Some(0));
}

#[test]
fn a_killed_service_comes_back_and_a_killed_first_process_leaves_nothing() {
    let world = world(&[("one", OBEYS, "ready = { log = \"up\" }")]);
    let container = Container::start(&world, &["run"]);
    container.until("ready after");
    let victim =
        container.members().into_iter().find(|p| *p != container.first).expect("a service");
    crate::support::signal(victim, Signal::KILL);
    wait_for("the restart", || {
        let lines = container.lines();
        (lines.iter().filter(|l| l.starts_with("ready    one")).count() == 2).then_some(())
    });
    let members = container.members();
    assert!(members.len() >= 2, "{members:?}");
    container.send(Signal::KILL);
    let end = container.end();
    assert_ne!(end.code, Some(0));
    wait_for("nothing is left", || {
        (!members.iter().any(|p| exists(format!("/proc/{p}").as_ref()))).then_some(())
    });
    // The next container on the same data takes it up.
    let next = Container::start(&world, &["run"]);
    next.until("did not end in order").until("ready after").send(Signal::TERM);
    assert_eq!(next.end().code, Some(0));
}

#[test]
fn hup_reloads_and_others_are_passed_on_to_who_asks() {
    let script = "trap 'echo got HUP' HUP\ntrap 'echo got USR1' USR1\ntrap 'exit 0' TERM\n\
        echo up\nwhile :; do /bin/sleep 0.05; done";
    let world = world(&[
        (
            "asks",
            script,
            "ready = { log = \"up\" }\nreload = { signal = \"SIGHUP\" }\n\
             forward-signals = [\"USR1\"]",
        ),
        ("deaf", OBEYS, "ready = { log = \"up\" }"),
    ]);
    let container = Container::start(&world, &["run"]);
    container.until("ready after").send(Signal::HUP).until("asks │ got HUP");
    container.send(Signal::USR1).until("asks │ got USR1");
    container.send(Signal::USR2).until("SIGUSR2: no service has it among its `forward-signals`");
    container.send(Signal::WINCH);
    let status = world.json(["runtime", "status", "--json"]);
    let restarts = status["services"].as_array().expect("services").iter().map(|s| &s["restarts"]);
    assert!(restarts.eq([0, 0].iter()), "nobody was harmed: {status}");
    container.send(Signal::TERM);
    assert_eq!(container.end().code, Some(0));
}

#[test]
fn asked_for_it_behaves_the_same_under_another_init() {
    let script =
        "trap 'echo got HUP' HUP\ntrap 'exit 0' TERM\necho up\nwhile :; do /bin/sleep 0.05; done";
    let world =
        world(&[("one", script, "ready = { log = \"up\" }\nreload = { signal = \"HUP\" }")]);
    // A shell that stays is the first process; what it starts is the second.
    let prepare = "\"$@\" & echo \"second $!\"; wait $!; exit $?";
    let container = Container::start_after(&world, prepare, &["run", "--init"]);
    container.until("ready after");
    let status = world.json(["runtime", "status", "--json"]);
    let pid = status["supervisor"].as_u64().expect("pid");
    assert_ne!(pid, 1);
    let second = container
        .members()
        .into_iter()
        .find(|p| {
            let status = std::fs::read_to_string(format!("/proc/{p}/status")).unwrap_or_default();
            let numbers = status.lines().find(|l| l.starts_with("NSpid:")).unwrap_or_default();
            numbers.split_whitespace().last() == Some(pid.to_string().as_str())
        })
        .expect("the supervisor");
    crate::support::signal(second, Signal::HUP);
    container.until("one │ got HUP");
    crate::support::signal(second, Signal::TERM);
    let end = container.end();
    assert_eq!(end.code, Some(0), "{:?}", end.said);
}
