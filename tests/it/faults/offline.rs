//! `--offline`: no socket, and everything that is missing in one message.

use crate::world::World;

#[test]
fn nothing_is_connected_to() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    world.lose(&[]);
    let before = world.upstream.connections();
    for args in [
        &["dep", "sync", "--offline"][..],
        &["dep", "update", "--offline"],
        &["dep", "outdated", "--offline"],
        &["dep", "add", "npm:other", "--offline"],
        &["dep", "lock", "--offline"],
        &["env", "build", "dev", "--offline"],
        &["env", "exec", "dev", "--offline", "--", "alpha"],
        &["run", "--offline"],
        &["doctor", "--offline"],
        &["config", "print", "--offline"],
    ] {
        let outcome = world.env.infra(args);
        assert!(outcome.code.is_some(), "{args:?}: {}", outcome.stderr);
    }
    assert_eq!(world.upstream.connections(), before, "somebody was connected to");
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let world = World::new();
    let outcome = world.env.infra(["dep", "lock", "--offline"]);
    world.check_refusal("offline_lock_all", 1, &outcome);
    assert!(!world.env.project().join("dep.lock.json").exists());
    world.env.ok(["dep", "lock", "-q"]);
    world.lose(&[]);
    let outcome = world.env.infra(["dep", "sync", "--offline"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for dep in ["alpha", "beta", "gamma"] {
        assert!(outcome.stderr.contains(&format!("`{dep}`")), "{}", outcome.stderr);
    }
    assert!(outcome.stderr.contains("3 artifacts ("), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("infra dep sync"), "{}", outcome.stderr);
}
