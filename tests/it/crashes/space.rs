//! A full disk, and no network: a clear error, nothing half-made, and the same command succeeds
//! once there is space or a network again.

use std::process::Command;

use super::fixture::{self, Upstream, success};
use crate::support::{Outcome, TestEnv, finish};
use crate::upstream::Fault;

/// Runs a script in a mount namespace of its own; `None` where the system forbids that.
pub(crate) fn in_namespace(env: &TestEnv, script: &str) -> Option<Outcome> {
    let is_root = rustix::process::getuid().is_root();
    let flags = if is_root { "-m" } else { "-rm" };
    let probe = "mount -t tmpfs -o size=64k none /mnt";
    let can = Command::new("unshare").args([flags, "sh", "-c", probe]).output();
    if !can.is_ok_and(|out| out.status.success()) {
        return None;
    }
    // The same variables as for the binary itself.
    let like = env.command(["x"]);
    let mut command = Command::new("unshare");
    command.args([flags, "sh", "-euc", script]).env_clear().current_dir(env.project());
    for (name, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.env("INFRA", env!("CARGO_BIN_EXE_infra"));
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Some(finish(command.spawn().expect("unshare")))
}

/// Steps that fail at each size of the disk, from a download that does not fit to a registration.
#[test]
fn a_full_disk_registers_nothing_half() {
    let up = Upstream::start();
    let env = up.project();
    env.ok(["dep", "lock"]);
    // The tree of `extra` has 70000 bytes, its archive far less.
    for size in ["16k", "32k", "48k", "64k", "80k", "96k", "112k", "128k", "160k"] {
        let script = format!(
            r#"
            export INFRA_STORE="$PWD/../full"
            mkdir -p "$INFRA_STORE"
            mount -t tmpfs -o size={size} none "$INFRA_STORE"
            if "$INFRA" dep sync; then echo "{size} is enough" >&2; exit 9; fi
            "$INFRA" store verify
            mount -o remount,size=64m "$INFRA_STORE"
            "$INFRA" dep sync
            "$INFRA" store verify
            "$INFRA" store gc
            ls -A "$INFRA_STORE/tmp" | while read left; do echo "left: $left" >&2; exit 8; done
            "#
        );
        let Some(outcome) = in_namespace(&env, &script) else {
            eprintln!("skipped: this system lets nobody mount a small filesystem");
            return;
        };
        if outcome.code == Some(9) {
            assert!(size != "16k", "the disk was never full");
            return;
        }
        success(&format!("a disk of {size}"), &outcome);
        let said = outcome.stderr.to_lowercase();
        assert!(said.contains("no space left"), "{size}: {said}");
        assert!(said.contains("hint: free some space"), "{size}: {said}");
    }
}

/// Every command that needs what is not there names it; those that need nothing new succeed.
#[test]
fn offline_at_each_step() {
    let up = Upstream::start();
    let env = up.project();
    let offline = |args: &[&str]| {
        let before = up.requests().len();
        let outcome = env.infra([&["--offline"], args].concat());
        assert_eq!(up.requests().len(), before, "`{args:?}` went to the network");
        outcome
    };
    let refused = offline(&["dep", "lock"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(refused.stderr.contains("the network is not to be used"), "{}", refused.stderr);
    assert!(!env.project().join("dep.lock.json").exists());

    env.ok(["dep", "lock"]);
    let lock = env.read("dep.lock.json");
    success("locking again offline", &offline(&["dep", "lock"]));
    assert_eq!(env.read("dep.lock.json"), lock);

    // What locking downloads for this host stays in the cache.
    for dep in ["tool", "hello", "extra"] {
        let _ = std::fs::remove_file(fixture::cached(&env, dep));
    }
    let refused = offline(&["dep", "sync"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    for dep in ["tool", "hello", "extra"] {
        assert!(refused.stderr.contains(&format!("`{dep}`")), "{dep}: {}", refused.stderr);
    }
    let refused = offline(&["env", "build", "dev"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(!env.project().join(".infra/env/dev").exists());

    env.ok(["dep", "sync"]);
    success("syncing again offline", &offline(&["dep", "sync"]));
    success("building offline", &offline(&["env", "build", "dev"]));
    let said = offline(&["env", "exec", "dev", "--", "tool"]);
    assert_eq!(said.stdout, "tool 1.0.0\n", "{}", said.stderr);

    // Every object gone, its artifact cached: no network needed.
    let lost = fixture::object(&env, "tool-1.0.0");
    fixture::flip(&fixture::script(&lost, "tool"), 99);
    success("repairing offline", &offline(&["store", "repair"]));
    let refused = offline(&["dep", "update"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert_eq!(env.read("dep.lock.json"), lock);
}

/// A network that fails in the middle leaves what came, and the next run goes on from there.
#[test]
fn a_cut_download_goes_on() {
    let up = Upstream::start();
    let env = up.project();
    env.ok(["dep", "lock"]);
    let artifact = fixture::cached(&env, "tool");
    std::fs::remove_file(&artifact).expect("remove");
    let path = crate::upstream::FakeUpstream::pypi_file(&fixture::tool_wheel("1.0.0"));
    up.fault_always(&path, Fault::Truncate(100));
    let refused = env.infra(["dep", "sync"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(!artifact.exists());
    success("the rest verifies", &env.infra(["store", "verify"]));
    up.heal().forget();
    success("the same again", &env.infra(["dep", "sync"]));
    let ranges: Vec<_> = up.requests().into_iter().filter(|r| r.path == path).collect();
    assert_eq!(ranges.len(), 1);
    assert!(ranges[0].header("range").is_some(), "{ranges:?}");
}
