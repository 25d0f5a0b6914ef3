//! Many at once on one store, one project and one data directory.

use std::process::Child;

use super::fixture::{self, Upstream, assert_same, state, success};
use crate::support::{Outcome, TestEnv, alive, finish, signal, wait_for};

fn start(env: &TestEnv, args: &[&str]) -> Child {
    env.command(args).spawn().expect("start")
}

/// Sixteen projects' syncs share one download of each artifact, while a collector runs again and
/// again and takes nothing that is in use.
#[test]
fn sixteen_syncs_and_a_collector() {
    let up = Upstream::start();
    let env = up.project();
    env.ok(["dep", "lock"]);
    // What is live: an environment, which no collection may touch.
    env.ok(["env", "build", "test"]);
    let live = fixture::object(&env, "env-test");
    for dep in ["tool", "hello", "extra"] {
        std::fs::remove_file(fixture::cached(&env, dep)).expect("remove");
    }
    // A second version of everything, so that there is something to fetch for all of them.
    up.publish_wheels("tool-bin", "1.1.0");
    env.ok(["dep", "update", "tool"]);
    let _ = std::fs::remove_file(fixture::cached(&env, "tool"));
    let wheel = crate::upstream::FakeUpstream::pypi_file(&fixture::tool_wheel("1.1.0"));
    up.forget();

    let running: Vec<Child> = (0..16).map(|_| start(&env, &["env", "build", "dev"])).collect();
    let collecting = std::thread::scope(|scope| {
        let collector = scope.spawn(|| {
            let mut outcomes: Vec<Outcome> = Vec::new();
            for _ in 0..8 {
                outcomes.push(env.infra(["store", "gc"]));
            }
            outcomes
        });
        for (n, child) in running.into_iter().enumerate() {
            success(&format!("process {n}"), &finish(child));
        }
        collector.join().expect("collector")
    });
    for outcome in &collecting {
        success("store gc", outcome);
    }
    assert_eq!(up.count(&wheel), 1, "the wheel was fetched more than once");
    assert!(live.exists(), "a live environment was collected");
    success("the store", &env.infra(["store", "verify"]));
    success("the result", &env.infra(["dep", "verify"]));
    for name in ["dev", "test"] {
        let target = env.project().join(".infra/env").join(name);
        assert!(target.canonicalize().is_ok(), "{name} leads nowhere");
    }
    let said = env.ok(["--offline", "env", "exec", "dev", "--", "tool"]);
    assert_eq!(said.stdout, "tool 1.1.0\n");
}

/// Syncs alone: no environment holds what they add, so a collector would rightly take it.
#[test]
fn sixteen_syncs_fetch_each_artifact_once() {
    let up = Upstream::start();
    let env = up.project();
    env.ok(["dep", "lock"]);
    for dep in ["tool", "hello", "extra"] {
        std::fs::remove_file(fixture::cached(&env, dep)).expect("remove");
    }
    up.forget();
    let running: Vec<Child> = (0..16).map(|_| start(&env, &["dep", "sync"])).collect();
    for (n, child) in running.into_iter().enumerate() {
        success(&format!("process {n}"), &finish(child));
    }
    let host = infra::base::Platform::host();
    let files = [
        crate::upstream::FakeUpstream::pypi_file(&fixture::tool_wheel("1.0.0")),
        crate::upstream::FakeUpstream::npm_tarball(&format!("hello-{}", host.name()), "2.0.0"),
        fixture::extra_archive(host),
    ];
    for file in files {
        assert_eq!(up.count(&file), 1, "{file}");
    }
    success("the store", &env.infra(["store", "verify"]));
    success("the result", &env.infra(["dep", "verify"]));
}

#[test]
fn two_locks_at_once() {
    let up = Upstream::start();
    let calm = up.project();
    calm.ok(["dep", "lock"]);
    let env = up.project();
    let both = [start(&env, &["dep", "lock"]), start(&env, &["dep", "lock"])];
    for child in both {
        success("dep lock", &finish(child));
    }
    assert_eq!(env.read("dep.lock.json"), calm.read("dep.lock.json"));
    let left = fixture::temporary(&env.project());
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn two_builds_at_once_make_one_generation() {
    let up = Upstream::start();
    let env = up.project();
    env.ok(["dep", "lock"]);
    let both = [start(&env, &["env", "build", "dev"]), start(&env, &["env", "build", "dev"])];
    for child in both {
        success("env build", &finish(child));
    }
    let calm = up.project();
    calm.ok(["dep", "lock"]);
    calm.ok(["env", "build", "dev"]);
    assert_same("two builds at once", &state(&calm), &state(&env));
}

/// One data directory has one supervisor: the second is told who the first is, and harms nothing.
#[test]
fn two_runs_on_one_data_directory() {
    let up = Upstream::start();
    let env = up.project();
    env.ok(["dep", "lock"]);
    env.ok(["env", "build", "dev"]);
    let _down = Down(&env);
    let mut first = start(&env, &["run"]);
    let pid = wait_for("the service", || {
        assert!(first.try_wait().expect("wait").is_none(), "the first run ended");
        service_pid(&env)
    });
    let second = env.infra(["run"]);
    assert_eq!(second.code, Some(1), "{}\n{}", second.stdout, second.stderr);
    assert!(second.stderr.contains(&first.id().to_string()), "{}", second.stderr);
    assert!(alive(pid), "the second run ended the first one's service");
    assert_eq!(service_pid(&env), Some(pid));
    signal(first.id(), rustix::process::Signal::INT);
    let ended = finish(first);
    assert!(ended.signal.is_none(), "{}", ended.stderr);
    wait_for("the end of the service", || (!alive(pid)).then_some(()));
}

/// Two at the same instant: one wins.
#[test]
fn two_runs_at_the_same_instant() {
    let up = Upstream::start();
    let env = up.project();
    env.ok(["dep", "lock"]);
    env.ok(["env", "build", "dev"]);
    let _down = Down(&env);
    let mut both = vec![start(&env, &["run"]), start(&env, &["run"])];
    let loser = wait_for("one of the two to give way", || {
        both.iter_mut().position(|child| child.try_wait().expect("wait").is_some())
    });
    let lost = finish(both.remove(loser));
    assert_eq!(lost.code, Some(1), "{}\n{}", lost.stdout, lost.stderr);
    let winner = both.remove(0);
    let pid = wait_for("the service", || service_pid(&env));
    signal(winner.id(), rustix::process::Signal::INT);
    finish(winner);
    wait_for("the end of the service", || (!alive(pid)).then_some(()));
}

/// Ends whatever runs in a project, also when the test fails.
pub(crate) struct Down<'a>(pub(crate) &'a TestEnv);

impl Drop for Down<'_> {
    fn drop(&mut self) {
        let _ = self.0.infra(["runtime", "down"]);
    }
}

/// A service as `runtime status` has it.
pub(crate) struct Service {
    pub(crate) state: String,
    pub(crate) pid: Option<u32>,
    /// Everything that is said of it.
    pub(crate) text: String,
}

impl Service {
    /// Its pid when it is ready.
    pub(crate) fn ready_pid(&self) -> Option<u32> {
        self.pid.filter(|_| self.state == "ready")
    }
}

/// Asks for a service; without a stack it is `-`.
pub(crate) fn service(env: &TestEnv, name: &str) -> Service {
    let status = env.infra(["runtime", "status", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&status.stdout).unwrap_or_default();
    let all = value["services"].as_array().cloned().unwrap_or_default();
    let found = all.into_iter().find(|service| service["name"] == name).unwrap_or_default();
    Service {
        state: found["state"].as_str().unwrap_or("-").to_owned(),
        pid: found["pid"].as_u64().and_then(|pid| pid.try_into().ok()),
        text: found.to_string(),
    }
}

fn service_pid(env: &TestEnv) -> Option<u32> {
    service(env, "sleeper").ready_pid()
}
