//! The commands that are killed, each with the state it starts from and the points that it passes.
//!
//! Invariant: together they pass every point there is; [`super::kills`] holds each to its list.

use super::fixture::{self, Upstream, success};
use crate::support::{Outcome, TestEnv};

/// A command and the state it starts from.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) args: &'static [&'static str],
    /// Makes a project in the state that the command starts from.
    pub(crate) prepare: fn(&Upstream) -> TestEnv,
    /// Whether objects must be as they were stamped, which a copy is only after a check.
    pub(crate) settles: bool,
    /// The points that it passes.
    pub(crate) passes: &'static [&'static str],
}

const DOWNLOAD: [&str; 3] = ["download.part", "download.done", "artifact.admitted"];

/// What a build of an environment passes.
const BUILT: &[&str] = &[
    "object.staged",
    "object.renamed",
    "object.registered",
    "lock.staged",
    "lock.written",
    "env.staged",
    "root.linked",
    "env.linked",
    "env.switched",
];

/// What an object that comes out of a cache passes.
const PULLED: &[&str] =
    &["unpack.entry", "object.staged", "object.renamed", "object.registered", "pull.object"];

/// All of them.
pub(crate) const CASES: &[Case] = &[
    Case {
        name: "init",
        args: &["init"],
        prepare: |_| TestEnv::new(),
        settles: false,
        passes: &["lock.staged", "lock.written"],
    },
    Case {
        name: "dep lock",
        args: &["dep", "lock"],
        prepare: Upstream::project,
        settles: false,
        passes: &[
            DOWNLOAD[0],
            DOWNLOAD[1],
            DOWNLOAD[2],
            // The directory of the project is added when it is locked.
            "object.staged",
            "object.renamed",
            "object.registered",
            "lock.staged",
            "lock.written",
        ],
    },
    Case {
        name: "dep sync",
        args: &["dep", "sync"],
        prepare: locked_elsewhere,
        settles: false,
        passes: &[
            DOWNLOAD[0],
            DOWNLOAD[1],
            DOWNLOAD[2],
            "unpack.entry",
            "object.staged",
            "object.renamed",
            "object.registered",
        ],
    },
    Case {
        name: "dep add",
        args: &["dep", "add", "pypi:second-bin", "--version", "^1.0"],
        prepare: |up| {
            let env = locked(up);
            up.publish_wheels("second-bin", "1.0.0");
            env
        },
        settles: false,
        passes: &[DOWNLOAD[0], DOWNLOAD[1], DOWNLOAD[2], "lock.staged", "lock.written"],
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
        settles: false,
        passes: &[DOWNLOAD[0], DOWNLOAD[1], DOWNLOAD[2], "lock.staged", "lock.written"],
    },
    Case {
        name: "dep remove",
        args: &["dep", "remove", "tool"],
        prepare: locked,
        settles: false,
        passes: &["lock.staged", "lock.written"],
    },
    Case {
        name: "env build",
        args: &["env", "build", "test"],
        prepare: built,
        settles: false,
        passes: BUILT,
    },
    Case {
        name: "env build again",
        args: &["env", "build", "dev"],
        prepare: |up| {
            let env = built(up);
            env.write("profiles/files/a.conf", "a = 2\n");
            env
        },
        settles: false,
        passes: BUILT,
    },
    Case {
        name: "env exec in an empty store",
        args: &["env", "exec", "dev", "--", "tool"],
        prepare: locked_elsewhere,
        settles: false,
        passes: &[
            DOWNLOAD[0],
            DOWNLOAD[1],
            DOWNLOAD[2],
            "unpack.entry",
            "object.staged",
            "object.renamed",
            "object.registered",
            "lock.staged",
            "lock.written",
            "env.staged",
            "root.linked",
            "env.linked",
            "env.switched",
        ],
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
        settles: false,
        passes: &["lock.staged", "lock.written", "env.staged", "env.linked", "env.switched"],
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
        settles: false,
        passes: &["gc.unregistered", "gc.renamed"],
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
        settles: true,
        passes: &["optimise.staged", "optimise.renamed"],
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
        settles: false,
        passes: &[
            DOWNLOAD[0],
            DOWNLOAD[1],
            DOWNLOAD[2],
            "unpack.entry",
            "object.staged",
            "object.renamed",
            "object.registered",
            "env.staged",
            "env.linked",
            "env.switched",
        ],
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
        settles: false,
        passes: &["push.nar", "push.narinfo"],
    },
    Case {
        name: "cache pull",
        args: &["cache", "pull", "--from", "../cache"],
        prepare: cached_elsewhere,
        settles: false,
        passes: PULLED,
    },
    Case {
        name: "dep sync from a cache",
        args: &["--cache", "../cache", "dep", "sync"],
        prepare: cached_elsewhere,
        settles: false,
        passes: PULLED,
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
        settles: false,
        passes: &[
            "unpack.entry",
            "object.staged",
            "object.renamed",
            "object.registered",
            "import.object",
        ],
    },
    Case {
        name: "store pin",
        args: &["store", "pin", "dev", "--name", "kept"],
        prepare: built,
        settles: false,
        passes: &["pin.linked"],
    },
    Case {
        name: "cache gc",
        args: &["cache", "gc", "--at", "../cache", "--keep", "dep.lock.json", "--older-than", "0s"],
        prepare: |up| {
            let env = built(up);
            env.ok(["cache", "init", "../cache"]);
            env.ok(["cache", "push", "--to", "../cache"]);
            env.ok(["dep", "remove", "extra"]);
            // Pushed in a second that is over.
            let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
            for dir in ["cache", "cache/nar"] {
                for entry in std::fs::read_dir(env.root().join(dir)).expect("list") {
                    let file = std::fs::File::open(entry.expect("entry").path()).expect("open");
                    file.set_modified(old).expect("set time");
                }
            }
            env
        },
        settles: false,
        passes: &["cache.unlisted", "cache.removed"],
    },
    Case {
        name: "import",
        args: &["import", "--write", "mise.toml"],
        prepare: |up| {
            let env = locked(up);
            up.publish_script("third", "1.0.0");
            env.write("mise.toml", "[tools]\n\"npm:third\" = \"1.0.0\"\n");
            env
        },
        settles: false,
        passes: &[DOWNLOAD[0], DOWNLOAD[1], DOWNLOAD[2], "lock.staged", "lock.written"],
    },
];

/// What `store import` is given, below the environment's root.
const EXPORTED: &str = "exported";

/// As on another machine: an empty store, nothing built.
pub(crate) fn elsewhere(env: &TestEnv) {
    fixture::make_writable(&env.store());
    std::fs::remove_dir_all(env.store()).expect("remove");
    std::fs::remove_dir_all(env.project().join(".infra")).expect("remove");
}

/// Built and pushed into a cache, then as on another machine.
pub(crate) fn cached_elsewhere(up: &Upstream) -> TestEnv {
    let env = built(up);
    env.ok(["cache", "init", "../cache"]);
    env.ok(["cache", "push", "--to", "../cache"]);
    elsewhere(&env);
    env
}

/// The command of a case, to be started.
pub(crate) fn command(env: &TestEnv, case: &Case) -> std::process::Command {
    let mut command = env.command(case.args);
    if let Some(file) = stdin(env) {
        command.stdin(file);
    }
    command
}

/// What a command of this environment reads.
pub(crate) fn stdin(env: &TestEnv) -> Option<std::fs::File> {
    std::fs::File::open(env.root().join(EXPORTED)).ok()
}

pub(crate) fn run(env: &TestEnv, case: &Case) -> Outcome {
    crate::support::finish(command(env, case).spawn().expect("start"))
}

/// Locked; the store has nothing but what locking put there.
pub(crate) fn locked(up: &Upstream) -> TestEnv {
    let env = up.project();
    env.ok(["dep", "lock"]);
    env
}

/// Locked, with an empty store: as after a clone.
pub(crate) fn locked_elsewhere(up: &Upstream) -> TestEnv {
    let env = locked(up);
    fixture::make_writable(&env.store());
    std::fs::remove_dir_all(env.store()).expect("remove");
    env
}

/// With the environment `dev`.
pub(crate) fn built(up: &Upstream) -> TestEnv {
    let env = locked(up);
    env.ok(["env", "build", "dev"]);
    env
}
