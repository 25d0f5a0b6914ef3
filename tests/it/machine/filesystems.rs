//! Filesystems without inodes, without writing, and without permission.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::tools::{outcome, skip};
use crate::crashes::fixture::{self, Upstream, success};
use crate::crashes::points::{built, locked_elsewhere};
use crate::crashes::space::in_namespace;
use crate::support::{Outcome, TestEnv};

const NO_NAMESPACES: &str = "this system lets nobody mount a filesystem of his own";

/// Space, but nothing to hang a file on.
#[test]
fn a_disk_without_inodes_says_so() {
    let up = Upstream::start();
    let env = locked_elsewhere(&up);
    let mut refused = 0;
    for inodes in [4, 12, 16, 20, 25, 30, 35, 40] {
        let script = format!(
            r#"
            export INFRA_STORE="$PWD/../few"
            mkdir -p "$INFRA_STORE"
            mount -t tmpfs -o size=64m,nr_inodes={inodes} none "$INFRA_STORE"
            if "$INFRA" dep sync; then exit 9; fi
            "$INFRA" store verify
            mount -o remount,nr_inodes=100000 "$INFRA_STORE"
            "$INFRA" dep sync
            "$INFRA" store verify
            "$INFRA" store gc
            ls -A "$INFRA_STORE/tmp" | while read left; do echo "left: $left" >&2; exit 8; done
            "#
        );
        let Some(outcome) = in_namespace(&env, &script) else { return skip(NO_NAMESPACES) };
        if outcome.code == Some(9) {
            break;
        }
        success(&format!("{inodes} inodes"), &outcome);
        let said = outcome.stderr.to_lowercase();
        assert!(said.contains("no space left"), "{inodes}: {said}");
        assert!(said.contains("no inodes left"), "{inodes}: {said}");
        refused += 1;
    }
    assert!(refused >= 2, "the inodes were enough too soon: {refused}");
}

/// What is there can be used; what would be written is refused by name; afterwards all is well.
#[test]
fn a_read_only_store() {
    let up = Upstream::start();
    let env = built(&up);
    up.publish_wheels("tool-bin", "1.1.0");
    let script = r#"
        fails() { code=0; "$@" || code=$?; [ "$code" = 1 ] || { echo "$* ended with $code" >&2; exit 7; }; }
        mount --bind "$INFRA_STORE" "$INFRA_STORE"
        mount -o remount,bind,ro "$INFRA_STORE"
        "$INFRA" --offline dep sync
        "$INFRA" store verify
        "$INFRA" env print dev >/dev/null
        "$INFRA" --offline env exec dev -- tool
        "$INFRA" store gc --dry-run
        echo "-- refused" >&2
        fails "$INFRA" store gc
        fails "$INFRA" store optimise
        fails "$INFRA" dep update tool
        umount "$INFRA_STORE"
        echo "-- allowed" >&2
        "$INFRA" dep update tool
        "$INFRA" store gc
        "$INFRA" store verify
    "#;
    let Some(outcome) = in_namespace(&env, script) else { return skip(NO_NAMESPACES) };
    success("a read-only store", &outcome);
    let refused = outcome.stderr.split("-- refused").nth(1).expect("refused");
    let refused = refused.split("-- allowed").next().expect("refused");
    let store = env.store().canonicalize().expect("store");
    let errors = refused.lines().filter(|line| line.starts_with("error:")).count();
    assert_eq!(errors, 3, "{refused}");
    assert!(refused.contains("is read-only"), "{refused}");
    assert!(refused.contains(&*store.to_string_lossy()), "{refused}");
    assert_eq!(refused.matches("set INFRA_STORE").count(), 3, "{refused}");
}

/// A project that cannot be written: the lock stays, and the message is not about the store.
#[test]
fn a_read_only_project() {
    let up = Upstream::start();
    let env = built(&up);
    env.write("profiles/base.toml", up.base("=1.0.0"));
    let lock = env.read("dep.lock.json");
    let script = r#"
        mount --bind "$PWD" "$PWD"
        mount -o remount,bind,ro "$PWD"
        cd "$PWD"
        code=0
        "$INFRA" dep lock || code=$?
        [ "$code" = 1 ] || exit 7
    "#;
    let Some(outcome) = in_namespace(&env, script) else { return skip(NO_NAMESPACES) };
    success("a read-only project", &outcome);
    let said = outcome.stderr.to_lowercase();
    assert!(said.contains("read-only file system"), "{said}");
    assert!(said.contains("mount it for writing"), "{said}");
    assert_eq!(env.read("dep.lock.json"), lock);
    success("afterwards", &env.infra(["dep", "lock"]));
    assert_ne!(env.read("dep.lock.json"), lock);
}

/// Somebody whom modes mean something: ourselves, or `nobody` for root.
pub(super) struct Mortal(bool);

impl Mortal {
    /// Gives the environment to that user.
    pub(super) fn of(env: &TestEnv) -> Option<Self> {
        if !rustix::process::getuid().is_root() {
            return Some(Self(false));
        }
        let owner = format!("{NOBODY}:{NOBODY}");
        let given = Command::new("chown").args(["-R", &owner]).arg(env.root()).status();
        let can = Command::new("setpriv").args(PRIVILEGES).arg("true").status();
        let works = [given, can].into_iter().all(|it| it.is_ok_and(|status| status.success()));
        // The binary must be reachable for that user.
        let mut probe = Command::new("setpriv");
        probe.args(PRIVILEGES).args([env!("CARGO_BIN_EXE_infra"), "--version"]);
        let reaches = probe.output().is_ok_and(|out| out.status.success());
        if !works || !reaches {
            skip("root cannot become another user here, or that user cannot reach the binary");
            return None;
        }
        Some(Self(true))
    }

    fn infra(&self, env: &TestEnv, args: &[&str]) -> Outcome {
        outcome(&mut self.command(env, env.command(args)))
    }

    /// A command of the environment, to be started by that user.
    pub(super) fn command(&self, env: &TestEnv, plain: Command) -> Command {
        if !self.0 {
            return plain;
        }
        let mut command = Command::new("setpriv");
        command.args(PRIVILEGES).arg(plain.get_program()).args(plain.get_args()).env_clear();
        for (name, value) in plain.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
            .current_dir(env.project())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command
    }
}

const NOBODY: &str = "65534";
const PRIVILEGES: [&str; 3] = ["--reuid=65534", "--regid=65534", "--clear-groups"];

/// Takes every permission from a path, looks what a command says, and gives it back.
fn without(path: &Path, run: impl FnOnce() -> Outcome) -> Outcome {
    let before = std::fs::metadata(path).expect("look").permissions();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).expect("chmod");
    let outcome = run();
    std::fs::set_permissions(path, before).expect("chmod");
    outcome
}

#[test]
fn permissions_that_go_away() {
    let up = Upstream::start();
    let env = built(&up);
    env.ok(["dep", "remove", "extra"]);
    up.publish_wheels("tool-bin", "1.1.0");
    let Some(mortal) = Mortal::of(&env) else { return };
    let store = env.store();
    let object = fixture::object(&env, "env-dev");
    let digest = object.file_name().expect("name").to_string_lossy()[..32].to_owned();
    let update: &[&str] = &["dep", "update", "tool"];
    let taken: [(std::path::PathBuf, &[&str]); 9] = [
        (store.clone(), &["dep", "sync"]),
        (store.join("tmp"), update),
        (store.join("meta"), &["store", "gc"]),
        (store.join("meta").join(format!("{digest}.json")), &["store", "gc"]),
        (store.join("roots"), &["store", "gc"]),
        (store.join("gc.lock"), &["env", "build", "test"]),
        (store.join("artifacts/partial"), update),
        (env.project().join("dep.lock.json"), &["dep", "sync"]),
        (env.project().join("profiles/base.toml"), &["dep", "lock"]),
    ];
    for (path, args) in &taken {
        let lock = env.read("dep.lock.json");
        let what = format!("`{}` without {}", args.join(" "), path.display());
        let refused = without(path, || mortal.infra(&env, args));
        assert_eq!(refused.code, Some(1), "{what}: {}{}", refused.stdout, refused.stderr);
        let said = refused.stderr.to_lowercase();
        assert!(said.contains("permission denied") || said.contains("read-only"), "{what}: {said}");
        assert!(said.contains("hint: "), "{what}: {said}");
        assert!(refused.stderr.contains(&*env.root().to_string_lossy()), "{what}: {said}");
        assert_eq!(env.read("dep.lock.json"), lock, "{what}");
        success(&format!("{what}; then store verify"), &mortal.infra(&env, &["store", "verify"]));
        assert!(object.exists(), "{what}: a live environment is gone");
    }
    for (path, args) in &taken {
        let what = format!("`{}` with {} again", args.join(" "), path.display());
        success(&what, &mortal.infra(&env, args));
    }
    success("at the end", &mortal.infra(&env, &["store", "verify"]));
}

/// A file of an object that nobody may read is damage that a repair mends, not a crash.
#[test]
fn a_file_that_may_not_be_read() {
    let up = Upstream::start();
    let env = built(&up);
    let Some(mortal) = Mortal::of(&env) else { return };
    let file = fixture::object(&env, "extra-3.0.0").join("lib/deep/er/data");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o000)).expect("chmod");
    let verified = mortal.infra(&env, &["store", "verify"]);
    assert!(matches!(verified.code, Some(1 | 3)), "{}", verified.stderr);
    assert!(verified.stderr.contains("extra-3.0.0"), "{}", verified.stderr);
    assert!(verified.stderr.contains("hint: "), "{}", verified.stderr);
    success("store repair", &mortal.infra(&env, &["store", "repair"]));
    success("store verify", &mortal.infra(&env, &["store", "verify"]));
}
