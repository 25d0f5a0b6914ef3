//! `infra init`

use crate::world::World;

#[test]
fn writes_a_set_that_loads() {
    let world = World::empty();
    let outcome = world.env.ok(["init"]);
    world.snapshot("init", &outcome);
    let ignored = world.env.read(".gitignore");
    for line in [".infra/", ".data/", ".data-test/", ".env"] {
        assert!(ignored.lines().any(|l| l == line), "{line} is ignored: {ignored}");
    }
    let list = world.env.ok(["env", "list"]);
    world.snapshot("init_env_list", &list);
    world.snapshot("init_runtime_list", &world.env.ok(["runtime", "list"]));
}

#[test]
fn into_a_directory_that_is_made() {
    let world = World::empty();
    world.env.write(".gitignore", "target/");
    world.env.ok(["init", "shop"]);
    let base = world.env.read("shop/profiles/base.toml");
    assert!(base.contains("of shop share"), "named after its directory: {base}");
    assert_eq!(world.env.read(".gitignore"), "target/", "that of another directory");
    // What is ignored already stays as it is.
    world.env.write("other/.gitignore", "target/\n.env");
    world.env.ok(["init", "other"]);
    let ignored = world.env.read("other/.gitignore");
    assert!(ignored.starts_with("target/\n.env\n.infra/\n"), "{ignored}");
}

#[test]
fn the_nearest_project_upwards_is_found() {
    let world = World::synced();
    world.env.write("deep/er/file", "");
    let mut command = world.env.command(["dep", "path", "alpha"]);
    command.current_dir(world.env.project().join("deep/er"));
    let below = crate::support::finish(command.spawn().expect("start"));
    assert_eq!(below.code, Some(0), "{}", below.stderr);
    assert_eq!(below.stdout, world.env.ok(["dep", "path", "alpha"]).stdout);
}
