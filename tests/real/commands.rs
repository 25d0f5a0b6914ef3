//! Pinned commands win over the host's, and `--pure` has nothing of the host.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::world::{Project, committed_lock};

/// A directory of the host with a program each of these names, which prints `the host's`.
fn host(project: &Project, names: &[&str]) -> PathBuf {
    let dir = project.env.root().join("host-bin");
    std::fs::create_dir(&dir).expect("create");
    for name in names {
        let path = dir.join(name);
        std::fs::write(&path, "#!/bin/sh\necho \"the host's\"\n").expect("write");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
    }
    dir
}

fn pinned(dep: &str) -> String {
    let lock: Value = serde_json::from_str(&committed_lock()).expect("JSON");
    lock["deps"][dep]["version"].as_str().expect("version").to_owned()
}

#[test]
fn the_pinned_one_runs_where_the_host_has_another() {
    let project = Project::new();
    let host = host(&project, &["nats-server", "host-only"]);
    for args in [
        &["env", "exec", "test", "--", "nats-server", "--version"][..],
        &["env", "exec", "test", "--pure", "--", "nats-server", "--version"],
        // Found by the commands of the environment, too.
        &["env", "exec", "test", "--", "/bin/sh", "-c", "nats-server --version"],
    ] {
        let outcome = project.with_path_first(&host, args);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        assert_eq!(outcome.stdout.trim(), format!("nats-server: v{}", pinned("nats-server")));
    }
    // The fake one is what the host would run.
    let fake = project.with_path_first(&host, &["env", "exec", "test", "--", "host-only"]);
    assert_eq!((fake.code, fake.stdout.trim()), (Some(0), "the host's"), "{}", fake.stderr);
}

#[test]
fn pure_finds_no_command_of_the_host() {
    let project = Project::new();
    let host = host(&project, &["host-only"]);
    let args = ["env", "exec", "test", "--pure", "--", "host-only"];
    let outcome = project.with_path_first(&host, &args);
    assert_eq!((outcome.code, &*outcome.stdout), (Some(127), ""), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("host-only"), "{}", outcome.stderr);
}

#[test]
fn every_pinned_command_runs() {
    let project = Project::new();
    for (dep, command) in [
        ("nats-server", "nats-server --version"),
        ("pocketbase", "pocketbase --version"),
        ("caddy", "caddy version"),
    ] {
        let said = project.ok(&format!("env exec test --pure -- {command}")).stdout;
        assert!(said.contains(&pinned(dep)), "{command}: {said}");
    }
}
