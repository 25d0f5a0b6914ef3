//! Names that nothing has: the nearest right one is suggested.

use crate::world::World;

#[test]
fn unknown_dep() {
    let world = World::synced();
    world.refused("names_dep_remove", 2, ["dep", "remove", "alhpa"]);
    world.refused("names_dep_update", 2, ["dep", "update", "alhpa"]);
    world.refused("names_dep_path", 2, ["dep", "path", "nothing-like-it"]);
    world.refused("names_dep_bad", 2, ["dep", "path", "../alpha"]);
}

#[test]
fn unknown_environment() {
    let world = World::stack();
    world.env.ok(["dep", "lock", "-q"]);
    world.refused("names_env_exec", 2, ["env", "exec", "tset", "--", "serve"]);
    for args in [
        &["env", "build", "tset"][..],
        &["env", "print", "tset"],
        &["env", "digest", "tset"],
        &["env", "enter", "tset"],
        &["env", "rollback", "tset"],
        &["env", "diff", "dev", "tset"],
        &["run", "--env", "tset"],
        &["runtime", "up", "--env", "tset"],
        &["runtime", "down", "--env", "tset"],
        &["runtime", "status", "--env", "tset"],
        &["runtime", "logs", "--env", "tset"],
        &["runtime", "restart", "--env", "tset"],
        &["runtime", "list", "--env", "tset"],
    ] {
        let before = world.listing();
        let outcome = world.env.infra(args);
        assert_eq!(outcome.code, Some(2), "{args:?}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("did you mean `test`?"), "{args:?}: {}", outcome.stderr);
        assert_eq!(before, world.listing(), "{args:?}");
    }
}

#[test]
fn unknown_service() {
    let world = World::stack();
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    world.refused("names_service_run", 2, ["run", "frist"]);
    world.refused("names_service_up", 2, ["runtime", "up", "frist"]);
    world.refused("names_service_logs", 2, ["runtime", "logs", "frist"]);
    world.refused("names_service_far", 2, ["run", "nothing-like-it"]);
    world.refused("names_restart_nothing_runs", 1, ["runtime", "restart", "first"]);
    world.env.ok(["runtime", "up", "-q"]);
    let outcome = world.env.infra(["runtime", "restart", "frist"]);
    world.check_refusal("names_service_restart", 2, &outcome);
}

#[test]
fn unknown_command() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    world.refused("names_command", 127, ["env", "exec", "dev", "--", "alhpa"]);
    world.refused("names_command_far", 127, ["env", "exec", "dev", "--", "nothing-like-it"]);
    world.refused("names_command_path", 127, ["env", "exec", "dev", "--", "./nothing-like-it"]);
    world.refused(
        "names_command_not_executable",
        126,
        ["env", "exec", "dev", "--", "./profiles/base.toml"],
    );
}

#[test]
fn unknown_generation() {
    let world = World::synced();
    world.refused("names_not_built", 1, ["env", "rollback", "dev"]);
    world.env.ok(["env", "build", "-q"]);
    world.refused("names_nothing_before", 1, ["env", "rollback", "dev"]);
    world.refused("names_generation", 1, ["env", "rollback", "dev", "--to", "7"]);
}
