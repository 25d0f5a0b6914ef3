//! What killed processes leave beside the store's own directories: half documents, spent locks.

use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use crate::crashes::fixture::{Upstream, success};
use crate::crashes::points::built;

#[test]
fn a_collection_sweeps_documents_and_locks_that_nobody_holds() {
    let up = Upstream::start();
    let env = built(&up);
    let index = env.store().join("index/ab");
    std::fs::create_dir_all(&index).expect("create");
    // No system has as many processes.
    let dead = index.join("cdef.4194399-0.tmp");
    let alive = index.join(format!("cdef.{}-0.tmp", std::process::id()));
    let document = index.join("cdef");
    for path in [&dead, &alive, &document] {
        std::fs::write(path, "half").expect("write");
    }
    let locks = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(env.store().join("locks")).expect("list");
        entries.map(|entry| entry.expect("entry").path()).collect()
    };
    let partials = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(env.store().join("artifacts/partial")).expect("list");
        entries.map(|entry| entry.expect("entry").path()).collect()
    };
    let held = locks().pop().expect("a lock of an object that is registered");
    let file = std::fs::File::open(&held).expect("open");
    flock(&file, FlockOperation::LockExclusive).expect("lock");
    assert!(!partials().is_empty(), "spent locks of downloads");

    success("dry run", &env.infra(["store", "gc", "--dry-run"]));
    assert!(dead.exists());
    success("store gc", &env.infra(["store", "gc"]));
    assert!(!dead.exists(), "a dead writer's document");
    assert!(alive.exists() && document.exists(), "what is somebody's");
    assert_eq!(locks(), std::slice::from_ref(&held), "only the lock that is held");
    assert_eq!(partials(), Vec::<PathBuf>::new());
    drop(file);
    success("store gc", &env.infra(["store", "gc"]));
    assert_eq!(locks(), Vec::<PathBuf>::new());
    success("dep sync", &env.infra(["dep", "sync"]));
}

/// Locks that go while others take them: sixteen syncs and collections that sweep at the same time.
#[test]
fn sweeping_locks_harms_nobody_who_takes_them() {
    let up = Upstream::start();
    let env = built(&up);
    let start = |args: &[&str]| env.command(args).spawn().expect("start");
    for round in 0..3 {
        // Something to add for all of them.
        env.write("tools/share/text", format!("round {round}\n"));
        env.ok(["dep", "lock"]);
        let running: Vec<_> =
            (0..12)
                .map(|n| {
                    if n % 3 == 0 {
                        start(&["store", "gc"])
                    } else {
                        start(&["env", "build", "dev"])
                    }
                })
                .collect();
        for (n, child) in running.into_iter().enumerate() {
            success(&format!("process {n}"), &crate::support::finish(child));
        }
        success("store verify", &env.infra(["store", "verify"]));
        success("env exec", &env.infra(["--offline", "env", "exec", "dev", "--", "tool"]));
    }
}
