//! Flags and variables with values that mean nothing: exit code 2.

use crate::world::World;

#[test]
fn flags() {
    let world = World::stack();
    world.refused("flag_jobs_zero", 2, ["dep", "sync", "--jobs", "0"]);
    world.refused("flag_jobs_word", 2, ["dep", "sync", "--jobs", "many"]);
    world.refused("flag_project", 2, ["-C", "nowhere", "dep", "list"]);
    world.refused("flag_env", 2, ["--env", "a/b", "run"]);
    world.refused("flag_unknown", 2, ["dep", "sync", "--dryrun"]);
    world.refused("flag_subcommand", 2, ["dpe", "sync"]);
    world.refused("flag_source", 2, ["dep", "add", "pipy:alpha"]);
    world.refused("flag_source_none", 2, ["dep", "add", "alpha"]);
    world.refused("flag_version", 2, ["dep", "add", "pypi:alpha-bin", "--version", "^one"]);
    world.refused("flag_form", 2, ["env", "print", "--shell", "csh"]);
    world.refused("flag_platform", 2, ["dep", "key", "--platform", "x86_64-linx"]);
    world.refused("flag_exec_nothing", 2, ["env", "exec", "dev"]);
    world.refused("flag_gc_age", 2, ["store", "gc", "--older-than", "soon"]);
    world.refused("flag_gc_size", 2, ["store", "gc", "--max-size", "big"]);
}

#[test]
fn variables() {
    for (variable, value) in [
        ("INFRA_JOBS", "0"),
        ("INFRA_JOBS", "lots"),
        ("INFRA_OFFLINE", "perhaps"),
        ("INFRA_RETRIES", "-1"),
        ("INFRA_CONNECT_TIMEOUT", "0"),
        ("INFRA_LOCK_TIMEOUT", "1h"),
        ("INFRA_ENV", "a/b"),
        ("INFRA_PROJECT", "/no-such-place"),
    ] {
        let mut world = World::stack();
        world.env.set(variable, value);
        let word = value.trim_matches(['/', '-']).replace('/', "_");
        world.refused(&format!("variable_{variable}_{word}"), 2, ["dep", "sync"]);
    }
}

#[test]
fn no_home() {
    let world = World::stack();
    let mut command = world.env.command(["dep", "sync"]);
    command.env_remove("HOME").env_remove("INFRA_STORE");
    let outcome = crate::support::finish(command.spawn().expect("start"));
    world.check_refusal("variable_no_home", 2, &outcome);
}
