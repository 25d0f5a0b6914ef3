//! Lock files that are missing, behind, or not to be trusted.

use crate::world::World;

/// What reads the lock: each must refuse one that is bad, in the same words.
const READERS: [&[&str]; 4] = [
    &["dep", "list"],
    &["dep", "sync"],
    &["env", "exec", "dev", "--", "alpha"],
    &["dep", "lock", "--check"],
];

/// Refuses for every reader with `code`; the words are those of `dep sync`.
fn refused(world: &World, name: &str, code: i32) {
    let first = world.refused(name, code, ["dep", "sync"]);
    for args in READERS {
        let before = world.listing();
        let outcome = world.env.infra(args);
        assert_eq!((outcome.code, &outcome.stderr), (Some(code), &first.stderr), "{args:?}");
        assert_eq!(before, world.listing(), "{args:?}");
    }
}

/// A world whose lock was changed by hand after it was made.
fn edited(from: &str, to: &str) -> World {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    world.edit("dep.lock.json", from, to);
    world
}

#[test]
fn missing() {
    refused(&World::new(), "lock_missing", 1);
}

#[test]
fn stale() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    world.edit("profiles/base.toml", "version = \"^1\"", "version = \"^1.1\"");
    world.edit("profiles/base.toml", "tools = \"path:tools\"\n", "");
    world.refused("lock_stale_check", 1, ["dep", "lock", "--check"]);
    world.refused("lock_stale_sync", 1, ["dep", "sync"]);
    world.refused("lock_stale_run", 1, ["run"]);
    world.refused("lock_stale_env", 1, ["env", "print", "dev"]);
}

#[test]
fn newer() {
    refused(&edited("\"version\": 1,", "\"version\": 7,"), "lock_newer", 1);
    let world = edited("\"version\": 1,", "\"version\": 7,");
    world.refused("lock_newer_lock", 1, ["dep", "lock"]);
}

#[test]
fn conflict() {
    let world = edited(
        "    \"beta\": {",
        "<<<<<<< ours\n    \"beta\": {\n=======\n    \"bet\": {\n>>>>>>> theirs",
    );
    refused(&world, "lock_conflict", 1);
    world.refused("lock_conflict_lock", 1, ["dep", "lock"]);
}

#[test]
fn syntax() {
    refused(&edited("\"deps\": {", "\"deps\": {,"), "lock_syntax", 1);
}

#[test]
fn unknown_field() {
    refused(&edited("\"deps\": {", "\"depz\": {"), "lock_unknown_field", 1);
}

#[test]
fn edited_by_hand() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    let lock = world.env.read("dep.lock.json");
    let hashes: Vec<&str> =
        lock.split("\"tree\": \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let (first, other) = (hashes[0], hashes.iter().find(|h| **h != hashes[0]).expect("another"));
    world.env.write("dep.lock.json", lock.replacen(first, other, 1));
    refused(&world, "lock_edited", 3);
    world.refused("lock_edited_lock", 3, ["dep", "lock"]);
    let said = world.env.infra(["dep", "sync"]).stderr;
    let names: Vec<&str> = said.lines().filter(|l| l.contains("-alpha-1.1.0")).collect();
    assert_eq!(names.len(), 2, "what it says and what follows: {said}");
}
