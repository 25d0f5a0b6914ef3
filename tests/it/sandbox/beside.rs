//! Commands beside a service are under the service's own rules.

use serde_json::Value;

use crate::support::wait_for;

/// Says whether a program of the host could be executed.
const TRIES: &str = "if /bin/true 2>/dev/null; then echo WORD open; else echo WORD refused; fi";

fn tries(word: &str) -> String {
    format!("[\"shell\", \"-c\", \"{}\"]", TRIES.replace("WORD", word))
}

#[test]
fn commands_before_beside_and_at_the_end_may_do_what_the_service_may() {
    if !super::has_landlock() {
        return;
    }
    for (level, word) in [("exec", "refused"), ("strict", "refused"), ("off", "open")] {
        let look = tries("look").replace("fi\"]", "fi >&2; test -e '${data}/one/up'\"]");
        let world = super::with_shell(&format!(
            "[service.one]\nsandbox = \"{level}\"\n\
             command = [\"shell\", \"-c\", \"trap 'echo told; exit 0' USR1; trap 'echo again' HUP; \
             : > ${{data}}/one/up; echo up; while :; do read x <> ${{data}}/one/fifo; done\"]\n\
             pre-start = {}\nready = {{ exec = {look} }}\n\
             reload = {{ command = [\"shell\", \"-c\", \"{}; kill -HUP $$MAINPID\"] }}\n\
             stop = {{ command = [\"shell\", \"-c\", \"{}; kill -USR1 $$MAINPID\"], grace = \"20s\" }}\n",
            tries("before"),
            TRIES.replace("WORD", "reload"),
            TRIES.replace("WORD", "stop"),
        ));
        super::fifo(&world.env.project().join(".data/one/fifo"));
        world.env.ok(["runtime", "up", "-q"]);
        world.env.ok(["runtime", "reload", "one"]);
        wait_for("the reload", || {
            let log = world.env.ok(["runtime", "logs", "one"]).stdout;
            log.contains("again").then_some(())
        });
        world.env.ok(["runtime", "down", "-q"]);
        let log = world.env.ok(["runtime", "logs", "one", "--lines", "100"]).stdout;
        for command in ["before", "reload", "stop"] {
            assert!(log.contains(&format!("{command} {word}")), "{level}: {command} in {log}");
        }
        assert!(log.contains("told"), "{level}: the stop command may signal the service: {log}");
        let signalled = log.contains("the signal is sent instead");
        assert!(!signalled, "{level}: {log}");
    }
}

#[test]
fn a_look_that_the_rules_refuse_does_not_make_it_ready() {
    if !super::has_landlock() {
        return;
    }
    let world = super::with_shell(
        "[service.one]\nsandbox = \"exec\"\ncommand = [\"shell\", \"-c\", \"echo up; read x <> ${data}/one/fifo\"]\n\
         ready = { exec = [\"shell\", \"-c\", \"exec /bin/true\"], timeout = \"1s\" }\n",
    );
    super::fifo(&world.env.project().join(".data/one/fifo"));
    let up = world.env.infra(["runtime", "up"]);
    assert_eq!(up.code, Some(1), "{}", up.stderr);
    let status: Value =
        serde_json::from_str(&world.env.infra(["runtime", "status", "--json"]).stdout)
            .expect("JSON");
    assert_ne!(status["services"][0]["state"], "ready", "{status}");
}
