//! Every interruption point × every command that passes it, at each passage.
//!
//! Invariants after the kill: registered objects verify, what environments point at is registered,
//! the lock and the profiles have their old or their new bytes. After the same command again: the
//! disk is as after an undisturbed run. After a collection: nothing temporary is left.

use std::collections::{BTreeMap, BTreeSet};

use infra::base::interrupt::POINTS;

use super::fixture::{self, Upstream, assert_same, state, success};
use crate::support::{Outcome, TestEnv};

/// A command and the state it starts from.
struct Case {
    name: &'static str,
    args: &'static [&'static str],
    /// Makes a project in the state that the command starts from.
    prepare: fn(&Upstream) -> TestEnv,
    /// The points that it passes.
    passes: &'static [&'static str],
    /// At how many passages of a point it is killed, at most.
    most: u32,
}

const DOWNLOAD: [&str; 2] = ["download.part", "download.done"];

/// What a build of an environment passes.
const BUILT: &[&str] = &[
    "object.staged",
    "object.renamed",
    "object.registered",
    "lock.staged",
    "lock.written",
    "env.staged",
    "env.linked",
    "env.switched",
];

/// What an object that comes out of a cache passes.
const PULLED: &[&str] =
    &["unpack.entry", "object.staged", "object.renamed", "object.registered", "pull.object"];

/// All of them; the last test sees that together they pass every point.
const CASES: &[Case] = &[
    Case {
        name: "init",
        args: &["init"],
        prepare: |_| TestEnv::new(),
        passes: &["lock.staged", "lock.written"],
        most: 99,
    },
    Case {
        name: "dep lock",
        args: &["dep", "lock"],
        prepare: Upstream::project,
        passes: &[
            DOWNLOAD[0],
            DOWNLOAD[1],
            // The directory of the project is added when it is locked.
            "object.staged",
            "object.renamed",
            "object.registered",
            "lock.staged",
            "lock.written",
        ],
        most: 3,
    },
    Case {
        name: "dep sync",
        args: &["dep", "sync"],
        prepare: locked_elsewhere,
        passes: &[
            DOWNLOAD[0],
            DOWNLOAD[1],
            "unpack.entry",
            "object.staged",
            "object.renamed",
            "object.registered",
        ],
        most: 3,
    },
    Case {
        name: "dep add",
        args: &["dep", "add", "pypi:second-bin", "--version", "^1.0"],
        prepare: |up| {
            let env = locked(up);
            up.publish_wheels("second-bin", "1.0.0");
            env
        },
        passes: &[DOWNLOAD[0], DOWNLOAD[1], "lock.staged", "lock.written"],
        most: 3,
    },
    Case {
        name: "dep update",
        args: &["dep", "update", "tool"],
        prepare: |up| {
            up.publish_wheels("tool-bin", "1.1.0");
            let env = up.project();
            env.write("profiles/base.toml", up.base("=1.0.0"));
            env.ok(["dep", "lock"]);
            env.write("profiles/base.toml", up.base("^1.0"));
            env.ok(["dep", "lock"]);
            env
        },
        passes: &[DOWNLOAD[0], DOWNLOAD[1], "lock.staged", "lock.written"],
        most: 3,
    },
    Case {
        name: "dep remove",
        args: &["dep", "remove", "tool"],
        prepare: locked,
        passes: &["lock.staged", "lock.written"],
        most: 3,
    },
    Case {
        name: "env build",
        args: &["env", "build", "test"],
        prepare: built,
        passes: BUILT,
        most: 3,
    },
    Case {
        name: "env build again",
        args: &["env", "build", "dev"],
        prepare: |up| {
            let env = built(up);
            env.write("profiles/files/a.conf", "a = 2\n");
            env
        },
        passes: BUILT,
        most: 2,
    },
    Case {
        name: "env exec in an empty store",
        args: &["env", "exec", "dev", "--", "tool"],
        prepare: locked_elsewhere,
        passes: &[
            DOWNLOAD[0],
            DOWNLOAD[1],
            "unpack.entry",
            "object.staged",
            "object.renamed",
            "object.registered",
            "lock.staged",
            "lock.written",
            "env.staged",
            "env.linked",
            "env.switched",
        ],
        most: 2,
    },
    Case {
        name: "env rollback",
        args: &["env", "rollback", "dev", "--to", "1"],
        prepare: |up| {
            let env = built(up);
            env.write("profiles/files/a.conf", "a = 2\n");
            env.ok(["env", "build", "dev"]);
            env
        },
        passes: &["lock.staged", "lock.written", "env.staged", "env.linked", "env.switched"],
        most: 3,
    },
    Case {
        name: "store gc",
        args: &["store", "gc", "--artifacts"],
        prepare: |up| {
            let env = built(up);
            env.ok(["env", "build", "test"]);
            // Nothing keeps what only `dev` was made of, nor `hello`.
            let keep = env.project().join("profiles/test.toml");
            let text = std::fs::read_to_string(&keep).expect("read");
            std::fs::write(&keep, format!("{text}\n[dep]\nhello = false\n")).expect("write");
            env.ok(["dep", "lock"]);
            env.ok(["env", "build", "test"]);
            for name in ["dev", "dev@1", "test@1"] {
                std::fs::remove_file(env.project().join(".infra/env").join(name)).expect("remove");
            }
            env
        },
        passes: &["gc.unregistered", "gc.renamed"],
        most: 3,
    },
    Case {
        name: "store optimise",
        args: &["store", "optimise"],
        prepare: |up| {
            let env = built(up);
            // The other files of `local` in another object.
            env.write("tools/share/more", "more\n");
            env.ok(["dep", "lock"]);
            env.ok(["env", "build", "dev"]);
            env
        },
        passes: &["optimise.staged", "optimise.renamed"],
        most: 3,
    },
    Case {
        name: "store repair",
        args: &["store", "repair"],
        prepare: |up| {
            let env = built(up);
            let tool = fixture::object(&env, "tool-1.0.0");
            fixture::flip(&fixture::script(&tool, "tool"), 200);
            fixture::flip(&fixture::cached(&env, "tool"), 300);
            let dev = fixture::object(&env, "env-dev");
            fixture::flip(&dev.join("env.json"), 20);
            env
        },
        passes: &[
            DOWNLOAD[0],
            DOWNLOAD[1],
            "unpack.entry",
            "object.staged",
            "object.renamed",
            "object.registered",
            "env.staged",
            "env.linked",
            "env.switched",
        ],
        most: 2,
    },
    Case {
        name: "cache push",
        // One at a time, so that nothing else is half written when it ends.
        args: &["cache", "push", "--to", "../cache", "--jobs", "1"],
        prepare: |up| {
            let env = built(up);
            env.ok(["cache", "init", "../cache"]);
            env
        },
        passes: &["push.nar", "push.narinfo"],
        most: 5,
    },
    Case {
        name: "cache pull",
        args: &["cache", "pull", "--from", "../cache"],
        prepare: cached_elsewhere,
        passes: PULLED,
        most: 4,
    },
    Case {
        name: "dep sync from a cache",
        args: &["--cache", "../cache", "dep", "sync"],
        prepare: cached_elsewhere,
        passes: PULLED,
        most: 3,
    },
    Case {
        name: "store import",
        args: &["store", "import"],
        prepare: |up| {
            let env = built(up);
            let exported = std::fs::File::create(env.root().join(EXPORTED)).expect("create");
            let mut command = env.command(["store", "export", "dev"]);
            command.stdout(exported);
            success("store export", &crate::support::finish(command.spawn().expect("start")));
            elsewhere(&env);
            env
        },
        passes: &[
            "unpack.entry",
            "object.staged",
            "object.renamed",
            "object.registered",
            "import.object",
        ],
        most: 4,
    },
];

/// What `store import` is given, below the environment's root.
const EXPORTED: &str = "exported";

/// As on another machine: an empty store, nothing built.
fn elsewhere(env: &TestEnv) {
    fixture::make_writable(&env.store());
    std::fs::remove_dir_all(env.store()).expect("remove");
    std::fs::remove_dir_all(env.project().join(".infra")).expect("remove");
}

/// Built and pushed into a cache, then as on another machine.
fn cached_elsewhere(up: &Upstream) -> TestEnv {
    let env = built(up);
    env.ok(["cache", "init", "../cache"]);
    env.ok(["cache", "push", "--to", "../cache"]);
    elsewhere(&env);
    env
}

/// The command of a case, to be started.
fn command(env: &TestEnv, case: &Case) -> std::process::Command {
    let mut command = env.command(case.args);
    if let Ok(file) = std::fs::File::open(env.root().join(EXPORTED)) {
        command.stdin(file);
    }
    command
}

fn run(env: &TestEnv, case: &Case) -> Outcome {
    crate::support::finish(command(env, case).spawn().expect("start"))
}

/// Locked; the store has nothing but what locking put there.
fn locked(up: &Upstream) -> TestEnv {
    let env = up.project();
    env.ok(["dep", "lock"]);
    env
}

/// Locked, with an empty store: as after a clone.
fn locked_elsewhere(up: &Upstream) -> TestEnv {
    let env = locked(up);
    fixture::make_writable(&env.store());
    std::fs::remove_dir_all(env.store()).expect("remove");
    env
}

/// With the environment `dev`.
fn built(up: &Upstream) -> TestEnv {
    let env = locked(up);
    env.ok(["env", "build", "dev"]);
    env
}

fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).expect("a case")
}

fn at(env: &TestEnv, case: &Case, point: &str) -> Outcome {
    let mut command = command(env, case);
    command.env("INFRA_INTERRUPT_AT", point);
    crate::support::finish(command.spawn().expect("start"))
}

/// Lock and profiles, by path.
fn texts(env: &TestEnv) -> BTreeMap<String, String> {
    let all = fixture::walk(&env.project(), false);
    all.into_iter().filter(|(p, _)| p == "dep.lock.json" || p.starts_with("profiles/")).collect()
}

fn check(name: &str) {
    let case = case(name);
    let up = Upstream::start();
    // What an undisturbed run makes of it.
    let undisturbed = {
        let env = (case.prepare)(&up);
        let before = texts(&env);
        success(name, &run(&env, case));
        let (after, done) = (texts(&env), state(&env));
        env.ok(["store", "gc"]);
        Undisturbed { before, after, done, collected: state(&env) }
    };
    let mut passed = BTreeSet::new();
    let mut kills = 0;
    // All passages, rather than the first ones, when `KILLS` is in the environment.
    let most = if std::env::var_os("KILLS").is_some() { 99 } else { case.most };
    for point in POINTS {
        for nth in 1_u32.. {
            if nth > most {
                break;
            }
            let env = (case.prepare)(&up);
            let what = format!("{name} killed at {point}, passage {nth}");
            let killed = at(&env, case, &format!("{point}:{nth}"));
            if killed.code == Some(0) {
                break;
            }
            assert_eq!(killed.signal, Some(libc::SIGABRT), "{what}: {}", killed.stderr);
            passed.insert(*point);
            kills += 1;
            survives(case, &what, &env, &undisturbed, nth % 2 == 0);
        }
    }
    eprintln!("{name}: {kills} kills");
    let want: BTreeSet<_> = case.passes.iter().copied().collect();
    assert_eq!(passed, want, "the points that `{name}` passes");
}

/// What a run that nobody disturbs makes.
struct Undisturbed {
    /// The texts before it.
    before: BTreeMap<String, String>,
    /// The texts after it.
    after: BTreeMap<String, String>,
    /// Everything after it.
    done: BTreeMap<String, String>,
    /// Everything after a collection that follows it.
    collected: BTreeMap<String, String>,
}

fn survives(case: &Case, what: &str, env: &TestEnv, want: &Undisturbed, collect_first: bool) {
    let Undisturbed { before, after, done, collected } = want;
    // A repair begins with damage, and takes it away before it brings back what was there.
    if case.name != "store repair" {
        success(&format!("{what}; then store verify"), &env.infra(["store", "verify"]));
        usable(what, env);
    }
    for (path, found) in texts(env) {
        let known = [before.get(&path), after.get(&path)];
        let is_whole = path.ends_with(".tmp") || known.contains(&Some(&found));
        assert!(is_whole, "{what}: {path} is neither old nor new");
    }
    if collect_first {
        success(&format!("{what}; then store gc"), &env.infra(["store", "gc"]));
    }
    // Killed after its last step, a command may say that there is nothing left for it to do.
    let is_done = [done, collected].contains(&&state(env));
    let again = run(env, case);
    if !(is_done && matches!(again.code, Some(1 | 2))) {
        success(&format!("{what}; then the same again"), &again);
    }
    success(&format!("{what}; again; then store verify"), &env.infra(["store", "verify"]));
    usable(what, env);
    success(&format!("{what}; again; then store gc"), &env.infra(["store", "gc"]));
    let left = std::fs::read_dir(env.store().join("tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "{what}: left in tmp");
    let left = fixture::temporary(env.root());
    assert!(left.is_empty(), "{what}: {left:?}");
    assert_same(what, collected, &state(env));
}

/// What every environment of the project points at is a registered object.
fn usable(what: &str, env: &TestEnv) {
    let dir = env.project().join(".infra/env");
    let Ok(entries) = std::fs::read_dir(&dir) else { return };
    for entry in entries {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        if name.contains('@') || name.starts_with('.') {
            continue;
        }
        let target = std::fs::canonicalize(&path)
            .unwrap_or_else(|e| panic!("{what}: {name} leads nowhere: {e}"));
        let object = target.file_name().expect("name").to_string_lossy().into_owned();
        let digest = &object[..32];
        let meta = env.store().join("meta").join(format!("{digest}.json"));
        assert!(meta.exists(), "{what}: {name} points at {object}, which is not registered");
    }
}

#[test]
fn every_point_is_passed_by_some_command() {
    let passed: BTreeSet<_> = CASES.iter().flat_map(|case| case.passes.iter().copied()).collect();
    // Only a bucket takes files in parts: `tests/real/s3.rs` kills there.
    let all: BTreeSet<_> = POINTS.iter().copied().filter(|point| *point != "push.part").collect();
    assert_eq!(passed, all);
}

macro_rules! cases {
    ($($test:ident => $name:literal,)*) => {
        $(#[test]
        fn $test() {
            check($name);
        })*

        #[test]
        fn every_case_has_a_test() {
            let tested = BTreeSet::from([$($name),*]);
            let all: BTreeSet<_> = CASES.iter().map(|case| case.name).collect();
            assert_eq!(tested, all);
        }
    };
}

cases! {
    init => "init",
    dep_lock => "dep lock",
    dep_sync => "dep sync",
    dep_add => "dep add",
    dep_update => "dep update",
    dep_remove => "dep remove",
    env_build => "env build",
    env_build_again => "env build again",
    env_exec => "env exec in an empty store",
    env_rollback => "env rollback",
    store_gc => "store gc",
    store_optimise => "store optimise",
    store_repair => "store repair",
    cache_push => "cache push",
    cache_pull => "cache pull",
    sync_from_a_cache => "dep sync from a cache",
    store_import => "store import",
}
