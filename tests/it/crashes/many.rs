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

/// Sixteen processes that sync, verify, collect, optimise and run in one store, with twenty deps
/// to fetch: each is fetched once, and what an environment has is never collected.
#[test]
fn sixteen_processes_and_twenty_deps() {
    const DEPS: usize = 20;
    let up = Upstream::start();
    let env = up.project();
    let mut base = env.read("profiles/base.toml");
    let at = base.find("[env]").expect("the table");
    let mut wheels = Vec::new();
    for n in 0..DEPS {
        let project = format!("bulk{n}-bin");
        up.publish_wheels(&project, "1.0.0");
        base.insert_str(at, &format!("bulk{n} = \"pypi:{project}@^1.0\"\n"));
        let file = fixture::wheel_for(&project, "1.0.0", infra::base::Platform::host());
        wheels.push(crate::upstream::FakeUpstream::pypi_file(&file));
    }
    // Nothing else of the tables in between may take the new lines.
    env.write("profiles/base.toml", base);
    env.ok(["dep", "lock"]);
    fixture::make_writable(&env.store());
    std::fs::remove_dir_all(env.store()).expect("remove");
    up.forget();

    let jobs: [(usize, &[&str]); 6] = [
        (5, &["dep", "sync"]),
        (4, &["env", "build", "dev"]),
        (3, &["env", "exec", "test", "--", "bulk7"]),
        (2, &["store", "verify"]),
        (1, &["store", "gc"]),
        (1, &["store", "optimise"]),
    ];
    let start_job = |(count, args): &(usize, &'static [&'static str])| -> Vec<_> {
        (0..*count).map(|_| (args.join(" "), start(&env, args))).collect()
    };
    let running: Vec<(String, Child)> = jobs.iter().flat_map(start_job).collect();
    assert_eq!(running.len(), 16);
    for (what, child) in running {
        success(&what, &finish(child));
    }
    for wheel in &wheels {
        assert_eq!(up.count(wheel), 1, "{wheel}");
    }
    success("the store", &env.infra(["store", "verify"]));
    for name in ["dev", "test"] {
        let said = env.ok(["--offline", "env", "exec", name, "--", "bulk19"]);
        assert_eq!(said.stdout, "bulk19 1.0.0\n");
    }
    let left = std::fs::read_dir(env.store().join("tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "left in tmp");
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
