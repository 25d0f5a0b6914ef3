//! Locks that are missing, that lie, that are held and that were left.

use std::process::Child;

use super::tools::{has_strace, outcome, strace};
use crate::crashes::fixture::{self, Upstream, success};
use crate::crashes::points::{built, locked, locked_elsewhere};
use crate::support::{Outcome, TestEnv, finish, signal, wait_for};
use crate::upstream::{FakeUpstream, Fault};

/// `statfs` says that everything is on NFS.
const NFS: &str = "inject=statfs:poke_exit=@arg2=6969000000000000";

fn traced(env: &TestEnv, args: &[&str], options: &[&str]) -> Outcome {
    let options: Vec<&str> = options.iter().flat_map(|option| ["-e", *option]).collect();
    let log = std::path::Path::new("/dev/null");
    outcome(&mut strace(&env.command(args), log, &options))
}

/// No locks, or locks that do not lock: refused before anything is touched, with the filesystem's
/// name and the way out.
#[test]
fn a_filesystem_without_working_locks_is_refused() {
    if !has_strace() {
        return;
    }
    let up = Upstream::start();
    let env = built(&up);
    env.ok(["dep", "remove", "extra"]);
    let before = fixture::state(&env);
    for (fault, said) in [
        ("inject=flock:error=ENOLCK", "no locks available"),
        ("inject=flock:error=EOPNOTSUPP", "not supported"),
        ("inject=flock:error=ENOSYS", "function not implemented"),
        ("inject=flock:retval=0", "grants the same lock twice"),
    ] {
        for args in [&["store", "gc"][..], &["env", "build", "test"]] {
            let what = format!("{args:?} with {fault}");
            let refused = traced(&env, args, &[fault, NFS]);
            assert_eq!(refused.code, Some(1), "{what}: {}", refused.stderr);
            let text = refused.stderr.to_lowercase();
            for named in [said, "cannot be locked", "gc.lock", "(on nfs)", "infra_store", "hint: "]
            {
                assert!(text.contains(named), "{what}: {named}: {}", refused.stderr);
            }
            fixture::assert_same(&what, &before, &fixture::state(&env));
        }
    }
    success("with locks", &env.infra(["store", "gc"]));
    success("with locks", &env.infra(["env", "build", "test"]));
}

/// `doctor` names a store on another machine's filesystem; so does the first command that makes one,
/// once.
#[test]
fn a_store_on_another_machines_filesystem_is_named() {
    if !has_strace() {
        return;
    }
    let up = Upstream::start();
    let env = locked_elsewhere(&up);
    let first = traced(&env, &["dep", "sync"], &[NFS]);
    success("dep sync", &first);
    assert!(first.stderr.contains("warning: "), "{}", first.stderr);
    assert!(first.stderr.contains("lies on nfs"), "{}", first.stderr);
    assert!(first.stderr.contains("set INFRA_STORE to a local disk"), "{}", first.stderr);
    let second = traced(&env, &["dep", "sync"], &[NFS]);
    assert!(!second.stderr.contains("nfs"), "{}", second.stderr);
    let doctor = traced(&env, &["doctor"], &[NFS]);
    let said = format!("{}{}", doctor.stdout, doctor.stderr);
    assert!(said.contains("lies on nfs"), "{said}");
    let doctor = env.infra(["doctor"]);
    let said = format!("{}{}", doctor.stdout, doctor.stderr);
    assert!(!said.contains("lies on"), "{said}");
}

/// Starts a command that hangs in the download of `tool`.
fn hanging(up: &Upstream, env: &TestEnv, args: &[&str]) -> Child {
    let wheel = FakeUpstream::pypi_file(&fixture::tool_wheel("1.0.0"));
    up.fault_always(&wheel, Fault::Stall(100));
    up.forget();
    let child = env.command(args).spawn().expect("start");
    wait_for("the download to hang", || (up.count(&wheel) > 0).then_some(()));
    let partials = env.store().join("artifacts/partial");
    wait_for("the lock to have its holder's name", || {
        let entries = std::fs::read_dir(&partials).ok()?;
        let text = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
        entries.flatten().any(|e| text(e.path()).contains("infra fetching")).then_some(())
    });
    child
}

/// Whoever waits is told who holds what: a name in the lock's file, or the command line of those
/// who share it; then, that this was too long. A holder that was killed is no obstacle.
#[test]
fn who_holds_what_and_what_the_dead_held() {
    let up = Upstream::start();
    let mut env = locked_elsewhere(&up);
    let holder = hanging(&up, &env, &["env", "build", "dev"]);
    let pid = format!("(pid {})", holder.id());
    env.set("INFRA_LOCK_TIMEOUT", "1");

    let sync = env.infra(["dep", "sync"]);
    assert_eq!(sync.code, Some(1), "{}", sync.stderr);
    // Others may be waited for as well: several are fetched at once.
    let told = ["infra fetching `tool`", &*pid];
    let named = sync.stderr.lines().any(|line| told.iter().all(|what| line.contains(what)));
    assert!(named, "{}", sync.stderr);

    let gc = env.infra(["store", "gc"]);
    assert_eq!(gc.code, Some(1), "{}", gc.stderr);
    for named in ["waiting for infra env build dev", "gc.lock", &*pid, "INFRA_LOCK_TIMEOUT"] {
        assert!(gc.stderr.contains(named), "{named}: {}", gc.stderr);
    }

    signal(holder.id(), rustix::process::Signal::KILL);
    finish(holder);
    up.heal();
    // Its name is still in the file.
    let left = std::fs::read_dir(env.store().join("artifacts/partial")).expect("list");
    let texts = left.flatten().map(|e| std::fs::read(e.path()).unwrap_or_default());
    assert!(texts.into_iter().any(|text| text.starts_with(b"infra fetching")), "no stale lock");
    success("store gc", &env.infra(["store", "gc"]));
    success("env build", &env.infra(["env", "build", "dev"]));
    success("store verify", &env.infra(["store", "verify"]));
}

/// A name that a killed collector left in the lock's file is not told of those who hold it now.
#[test]
fn the_dead_are_not_named() {
    let up = Upstream::start();
    let mut env = locked(&up);
    fixture::make_writable(&env.store());
    std::fs::remove_dir_all(env.store()).expect("remove");
    let holder = hanging(&up, &env, &["env", "build", "dev"]);
    std::fs::write(env.store().join("gc.lock"), "infra store gc (pid 1)").expect("write");
    env.set("INFRA_LOCK_TIMEOUT", "1");
    let gc = env.infra(["store", "gc"]);
    assert_eq!(gc.code, Some(1), "{}", gc.stderr);
    assert!(!gc.stderr.contains("(pid 1)"), "{}", gc.stderr);
    assert!(gc.stderr.contains(&format!("(pid {})", holder.id())), "{}", gc.stderr);
    signal(holder.id(), rustix::process::Signal::KILL);
    finish(holder);
}
