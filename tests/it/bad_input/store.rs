//! A store that cannot be written.
//!
//! Permission bits do not bind root, so there are two ways: a read-only mount in a mount namespace
//! of its own, and the program as another user. What this machine does not allow is said and
//! passed over.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Outcome, finish};
use crate::world::{World, install};

/// A locked project whose store exists and has nothing of it.
fn locked() -> World {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    world.lose(&[]);
    std::fs::create_dir(world.env.store()).expect("create");
    world
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// `infra` with the store mounted read-only; `None` where mount namespaces are not to be had.
fn mounted(world: &World, args: &[&str]) -> Option<Outcome> {
    let script = "mount --bind \"$INFRA_STORE\" \"$INFRA_STORE\" && \
                  mount -o remount,bind,ro \"$INFRA_STORE\" && exec \"$@\"";
    let unshare = || {
        let mut command = Command::new("unshare");
        command.arg(if is_root() { "-m" } else { "-rm" }).args(["sh", "-c", script, "sh"]);
        command
    };
    let store = world.env.store();
    let able = unshare().arg("true").env("INFRA_STORE", &store).stderr(Stdio::null()).status();
    if !able.is_ok_and(|s| s.success()) {
        crate::world::passed_over("no mount namespace here");
        return None;
    }
    Some(finish(
        as_infra(world, Path::new(env!("CARGO_BIN_EXE_infra")), args, unshare())
            .spawn()
            .expect("start"),
    ))
}

/// A wrapper that starts `infra` as the world would.
fn as_infra(world: &World, program: &Path, args: &[&str], mut wrapper: Command) -> Command {
    let plain = world.env.command(args);
    wrapper.arg(program).args(args).env_clear();
    for (name, value) in plain.get_envs() {
        wrapper.env(name, value.expect("set"));
    }
    wrapper.current_dir(world.env.project()).stdin(Stdio::null());
    wrapper.stdout(Stdio::piped()).stderr(Stdio::piped());
    wrapper
}

#[test]
fn read_only_mount() {
    let world = locked();
    let before = world.listing();
    let Some(outcome) = mounted(&world, &["dep", "sync"]) else { return };
    world.check_refusal("store_read_only", 1, &outcome);
    assert_eq!(before, world.listing());
    let build = mounted(&world, &["env", "build"]).expect("as before");
    assert_eq!(build.code, Some(1), "{}", build.stderr);
    let hint = "hint: set INFRA_STORE to a directory of your own";
    assert!(build.stderr.contains(hint), "{}", build.stderr);
    assert_eq!(before, world.listing());
}

#[test]
fn what_is_in_a_read_only_store_can_be_used() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let Some(outcome) = mounted(&world, &["env", "exec", "dev", "--", "alpha"]) else { return };
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(0), "alpha 1.1.0\n"),
        "{}",
        outcome.stderr
    );
    for args in
        [&["dep", "sync"][..], &["dep", "verify"], &["dep", "path", "alpha"], &["env", "print"]]
    {
        let outcome = mounted(&world, args).expect("as before");
        assert_eq!(outcome.code, Some(0), "{args:?}: {}", outcome.stderr);
    }
    let doctor = mounted(&world, &["doctor"]).expect("as before");
    assert_eq!(doctor.code, Some(1));
    assert!(doctor.stdout.contains("not writable"), "{}", doctor.stdout);
}

/// Gives a tree to a user.
fn give(path: &Path, uid: u32) {
    std::os::unix::fs::lchown(path, Some(uid), Some(uid)).expect("chown");
    if path.is_dir() && !path.is_symlink() {
        for entry in std::fs::read_dir(path).expect("read").flatten() {
            give(&entry.path(), uid);
        }
    }
}

#[test]
fn another_users_store() {
    if !is_root() {
        crate::world::passed_over("only root can be another user");
        return;
    }
    const NOBODY: u32 = 65_534;
    let world = locked();
    // The program where that user can reach it.
    let program = world.env.root().join("infra");
    install(Path::new(env!("CARGO_BIN_EXE_infra")), &program);
    give(world.env.root(), NOBODY);
    give(&world.env.store(), 0);
    std::fs::set_permissions(world.env.store(), PermissionsExt::from_mode(0o755)).expect("mode");
    let infra = |args: &[&str]| {
        let user = NOBODY.to_string();
        let mut setpriv = Command::new("setpriv");
        setpriv.args(["--reuid", &user, "--regid", &user, "--clear-groups"]);
        finish(as_infra(&world, &program, args, setpriv).spawn().expect("start"))
    };
    let before = world.listing();
    let outcome = infra(&["dep", "sync"]);
    world.check_refusal("store_of_another", 1, &outcome);
    assert_eq!(before, world.listing());
    // With a store of their own, everything works without being root.
    give(&world.env.store(), NOBODY);
    let outcome = infra(&["env", "exec", "dev", "--", "alpha"]);
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (Some(0), "alpha 1.1.0\n"),
        "{}",
        outcome.stderr
    );
}
