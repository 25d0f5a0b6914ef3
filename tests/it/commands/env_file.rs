//! `env-file`: variables of one service, read at each start.

use super::stack::ready;
use crate::support::wait_for;
use crate::world::World;

/// A service that says what it was given.
fn world() -> World {
    let world = World::stack();
    world.script(
        "tools/bin/serve",
        "#!/bin/sh\necho \"token=$TOKEN own=$OWN level=$LEVEL\"\necho up\nexec /bin/sleep 600\n",
    );
    world.profiles(
        "[dep]\ntools = \"path:tools\"\n\n[env]\nLEVEL = \"profile\"\n\n[service.one]\n\
         command = [\"serve\"]\nenv-file = \"secrets/one.env\"\nenv = { OWN = \"service\" }\n\
         ready = { log = \"up\" }\n",
    );
    world
}

#[test]
fn is_read_at_each_start_and_kept_out_of_the_store() {
    let world = world();
    world.env.write("secrets/one.env", "TOKEN='first value'\nOWN=file\nexport LEVEL=file\n");
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["runtime", "up", "-q"]);
    let said = || world.env.ok(["runtime", "logs", "one"]).stdout;
    assert!(said().contains("token=first value own=service level=file"), "{}", said());
    world.env.write("secrets/one.env", "TOKEN=second\n");
    world.env.ok(["runtime", "restart", "one"]);
    wait_for("the new value", || said().contains("token=second own=service").then_some(()));
    assert!(said().contains("token=second own=service level=profile"), "{}", said());
    // What cannot be read keeps it down, and says why.
    std::fs::remove_file(world.env.project().join("secrets/one.env")).expect("remove");
    world.env.infra(["runtime", "restart", "one"]);
    wait_for("the reason", || said().contains("does not exist").then_some(()));
    world.env.ok(["runtime", "down", "-q"]);
    for part in ["store", "meta"] {
        let dir = world.env.store().join(part);
        let found =
            std::process::Command::new("grep").args(["-r", "first value"]).arg(dir).output();
        assert_eq!(found.expect("grep").status.code(), Some(1), "the value is in {part}");
    }
}

#[test]
fn a_missing_or_broken_one_is_an_error_before_anything_starts() {
    let world = world();
    world.env.ok(["dep", "lock", "-q"]);
    world.env.ok(["env", "build", "-q"]);
    let missing = world.env.infra(["runtime", "up"]);
    world.check_refusal("env_file_missing", 1, &missing);
    world.env.write("secrets/one.env", "TOKEN=x\nsecret words\n");
    let broken = world.env.infra(["runtime", "up"]);
    world.check_refusal("env_file_broken", 1, &broken);
    assert!(!broken.stderr.contains("secret words"), "no value is shown: {}", broken.stderr);
}

#[test]
fn a_stack_without_one_is_as_before() {
    let world = ready();
    let manifest = world.env.ok(["env", "build"]).stdout;
    let text = std::fs::read_to_string(std::path::Path::new(manifest.trim()).join("env.json"));
    let text = text.expect("env.json");
    assert!(!text.contains("env_file") && !text.contains("forward_signals"), "{text}");
    assert!(!text.contains("stop_within_ms"), "{text}");
}
