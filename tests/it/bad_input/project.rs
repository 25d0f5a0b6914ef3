//! Projects that are not there, are there already, or meet what they cannot share.

use crate::world::World;

#[test]
fn no_profiles() {
    let world = World::empty();
    for args in [
        &["dep", "lock"][..],
        &["dep", "sync"],
        &["dep", "add", "pypi:alpha-bin"],
        &["env", "list"],
        &["env", "build"],
        &["run"],
        &["runtime", "status"],
        &["runtime", "down"],
    ] {
        let before = world.listing();
        let outcome = world.env.infra(args);
        assert_ne!(outcome.code, Some(0), "{args:?}");
        assert!(outcome.stderr.contains("infra init"), "{args:?}: {}", outcome.stderr);
        assert_eq!(before, world.listing(), "{args:?}");
    }
    world.refused("project_no_profiles", 1, ["run"]);
}

#[test]
fn init_where_files_are() {
    let world = World::empty();
    world.env.write("profiles/test.toml", "");
    world.refused("project_init_again", 1, ["init"]);
}

#[test]
fn a_port_in_use() {
    let world = World::stack();
    let held = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = held.local_addr().expect("address").port();
    world.edit("profiles/base.toml", "main = \"auto\"", &format!("main = {port}"));
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    for (name, args) in
        [("project_port_run", &["run"][..]), ("project_port_up", &["runtime", "up"])]
    {
        let outcome = world.env.infra(args);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        let me = std::process::id();
        assert!(outcome.stderr.contains(&format!("pid {me}")), "named: {}", outcome.stderr);
        let text = world.env.snapshot(&outcome);
        let text = text.replace(&port.to_string(), "[PORT]").replace(&me.to_string(), "[PID]");
        let text = holder(&text);
        world.compare(name, &text);
        assert!(!world.env.project().join(".data/logs/first.log").exists(), "nothing started");
    }
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok(), "it was left alone");
}

/// The holder's command is this test binary, whatever it is called.
fn holder(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        match line.split_once("pid [PID] (`") {
            Some((before, after)) => {
                let rest = after.split_once("`)").map_or("", |(_, rest)| rest);
                lines.push(format!("{before}pid [PID] (`[HOLDER]`){rest}"));
            }
            None => lines.push(line.to_owned()),
        }
    }
    lines.join("\n")
}

#[test]
fn a_dep_that_is_there_already() {
    let world = World::synced();
    world.refused("project_dep_there", 1, ["dep", "add", "pypi:alpha-bin"]);
}

#[test]
fn a_dep_that_is_still_used() {
    let world = World::stack();
    world.env.write("profiles/test.toml", "extends = \"base\"\n\n[env]\nT = \"${dep.tools}\"\n");
    world.env.ok(["dep", "lock", "-q"]);
    world.refused("project_dep_used", 2, ["dep", "remove", "tools"]);
}

#[test]
fn an_environment_without_services() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    world.refused("project_no_services", 2, ["run"]);
}

#[test]
fn a_secret_that_is_not_set() {
    let world = World::stack();
    world.edit("profiles/base.toml", "after = [\"first\"]", "secrets = [\"API_KEY\"]");
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    world.refused("project_no_secret", 1, ["run"]);
}

#[test]
fn a_path_that_leaves_the_project() {
    let world = World::empty();
    world.profiles("[dep]\ntools = \"path:../tools\"\n");
    world.refused("project_path_outside", 2, ["dep", "lock"]);
    world.profiles("[dep]\ntools = \"path:no/such\"\n");
    world.refused("project_path_missing", 2, ["dep", "lock"]);
}
