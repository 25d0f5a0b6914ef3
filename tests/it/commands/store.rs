//! `infra store gc|verify|repair|info|hash`

use crate::support::finish;
use crate::world::World;

#[test]
fn gc_keeps_what_generations_reach() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let kept = world.listing();
    // An object that nothing asks for any more.
    world.script("tools/bin/more", "#!/bin/sh\n");
    world.env.ok(["dep", "lock", "-q"]);
    let more = world.env.read("dep.lock.json");
    std::fs::remove_file(world.env.project().join("tools/bin/more")).expect("remove");
    world.env.ok(["dep", "lock", "-q"]);
    assert_ne!(world.env.read("dep.lock.json"), more);
    let all = world.listing();
    assert!(all.len() > kept.len(), "the store has more now");

    let dry = world.env.ok(["store", "gc", "--dry-run"]);
    world.snapshot("store_gc_dry_run", &dry);
    assert_eq!(world.listing(), all, "a dry run removes nothing");
    let report = world.json(["store", "gc", "--json"]);
    assert_eq!(report["objects"].as_array().map(Vec::len), Some(1), "{report}");
    assert_eq!(world.listing(), kept);
    let none = world.json(["store", "gc", "--json"]);
    assert_eq!(none["objects"].as_array().map(Vec::len), Some(0), "{none}");
    world.upstream.forget();
    assert_eq!(world.env.ok(["env", "exec", "dev", "--", "alpha"]).stdout, "alpha 1.1.0\n");
    assert_eq!(world.upstream.requests(), []);
}

#[test]
fn gc_of_a_project_that_is_gone() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    std::fs::remove_dir_all(world.env.project().join(".infra")).expect("remove");
    let report = world.json(["store", "gc", "--artifacts", "--json"]);
    assert_eq!(report["kept"], 0, "{report}");
    assert!(report["artifacts"].as_array().is_some_and(|a| a.len() >= 3), "{report}");
    let info = world.json(["store", "info", "--json"]);
    assert_eq!((&info["objects"], &info["artifacts"]), (&0.into(), &0.into()), "{info}");
}

/// Builds the test environment so often that there are `n` generations of it.
fn generations(world: &World, n: usize) {
    for round in 0..n {
        world.script("tools/bin/more", &format!("#!/bin/sh\n# {round}\n"));
        world.env.ok(["dep", "lock", "-q"]);
        world.env.ok(["env", "build", "-q", "dev"]);
    }
}

#[test]
fn gc_forgets_old_generations_and_keeps_the_current_one() {
    let world = World::synced();
    generations(&world, 4);
    let count = || world.json(["env", "list", "--json"]).to_string();
    let before = world.listing();
    let (all, dry) =
        (count(), world.json(["store", "gc", "--keep-generations", "2", "--dry-run", "--json"]));
    assert_eq!((count(), world.listing()), (all, before.clone()), "a dry run changes nothing");
    let done = world.json(["store", "gc", "--keep-generations", "2", "--json"]);
    assert_eq!(done["generations"].as_array().map(Vec::len), Some(2), "{done}");
    for what in ["generations", "objects", "freed_bytes"] {
        assert_eq!(done[what], dry[what], "the dry run said it");
    }
    // Two environments, the two trees that only they had, and one that none has.
    assert_eq!(done["objects"].as_array().map(Vec::len), Some(5), "{done}");
    assert!(world.listing().len() < before.len());
    assert_eq!(world.env.ok(["env", "exec", "dev", "--", "alpha"]).stdout, "alpha 1.1.0\n");
    world.env.ok(["env", "rollback", "dev"]);
    world.env.ok(["store", "verify"]);
    // Rolled back, the older of the two is current: it stays, and so does the newest.
    let none = world.json(["store", "gc", "--keep-generations", "1", "--json"]);
    assert_eq!(none["generations"].as_array().map(Vec::len), Some(0), "{none}");
}

#[test]
fn why_pin_and_unpin() {
    let world = World::synced();
    let loose = world.env.ok(["store", "why", "alpha"]);
    assert!(loose.stderr.contains("the next `infra store gc` removes it"), "{}", loose.stderr);
    world.env.ok(["env", "build", "-q", "dev"]);
    let kept = world.json(["store", "why", "alpha", "--json"]);
    assert_eq!(kept["kept_by"][0]["root"]["kind"], "link", "{kept}");
    assert_eq!(kept["kept_by"][0]["chain"].as_array().map(Vec::len), Some(2), "{kept}");
    let shown = world.env.ok(["store", "why", ".infra/env/dev/bin/alpha"]).stdout;
    assert!(shown.contains("dev generation 1") && shown.contains("alpha-1.1.0"), "{shown}");

    world.env.ok(["store", "pin", "dev", "--name", "release"]);
    std::fs::remove_dir_all(world.env.project().join(".infra")).expect("remove");
    world.env.ok(["store", "gc", "-q"]);
    let info = world.json(["store", "info", "--json"]);
    assert_eq!(info["objects"], 5, "the pin keeps the environment and its deps: {info}");
    let roots = world.json(["store", "roots", "--json"]);
    assert_eq!((roots.as_array().map(Vec::len), &roots[0]["name"]), (Some(1), &"release".into()));
    let wrong = world.env.infra(["store", "unpin", "relase"]);
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("pinned are: release"), "{}", wrong.stderr);
    world.env.ok(["store", "unpin", "release"]);
    world.env.ok(["store", "gc", "-q"]);
    assert_eq!(world.json(["store", "info", "--json"])["objects"], 0);
    for (word, code) in [("nothing-like-it", 1), ("/", 1), ("/nowhere/at/all", 1)] {
        let outcome = world.env.infra(["store", "why", word]);
        assert_eq!(outcome.code, Some(code), "{word}: {}", outcome.stderr);
    }
}

#[test]
fn optimise_stores_the_same_bytes_once() {
    let world = World::synced();
    generations(&world, 1);
    // The same file again in another object.
    world.script("tools/bin/more", "#!/bin/sh\n# 9\n");
    world.env.ok(["dep", "lock", "-q"]);
    // Registrations get new stamps; names, modes and bytes stay.
    let trees = || {
        let mut all = world.listing();
        all.retain(|path, _| !path.starts_with("store/meta/"));
        all
    };
    let before = trees();
    let dry = world.json(["store", "optimise", "--dry-run", "--json"]);
    let done = world.json(["store", "optimise", "--json"]);
    assert!(done["replaced"].as_u64() > Some(0), "{done}");
    assert_eq!((&done["replaced"], &done["saved_bytes"]), (&dry["replaced"], &dry["saved_bytes"]));
    assert_eq!(trees(), before);
    world.env.ok(["store", "verify"]);
    let again = world.json(["store", "optimise", "--json"]);
    assert_eq!((&again["replaced"], &again["saved_bytes"]), (&0.into(), &0.into()), "{again}");
}

#[test]
fn info_counts() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let info = world.json(["store", "info", "--json"]);
    assert_eq!(info["objects"], 5, "four deps and an environment: {info}");
    assert_eq!(info["writable"], true);
    assert_eq!(info["store"], *world.env.store().to_string_lossy());
    let shown = world.env.ok(["store", "info"]).stdout;
    assert!(shown.contains("objects") && shown.contains("5, "), "{shown}");
}

#[test]
fn hash_is_that_of_the_lock() {
    let world = World::synced();
    let list = world.json(["dep", "list", "--json"]);
    let row = &list[0]["platforms"][infra::base::Platform::host().name()];
    let path = world.env.ok(["dep", "path", "alpha"]).stdout;
    let hash = world.env.ok(["store", "hash", path.trim_end()]).stdout;
    assert_eq!(Some(hash.trim_end()), row["tree"].as_str());
    let json = world.json(["store", "hash", "--json", path.trim_end()]);
    assert_eq!((&json["tree"], &json["tree_nix32"]), (&row["tree"], &row["tree_nix32"]));
    // The published vector for a file that holds `hello world` and a newline.
    world.env.write("hello", "hello\n");
    let one = world.env.ok(["store", "hash", "hello"]).stdout;
    world.env.write("hello", "hello.\n");
    assert_ne!(one, world.env.ok(["store", "hash", "hello"]).stdout);
}

#[test]
fn verify_and_repair() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let good = world.listing();
    world.snapshot("store_verify", &world.env.ok(["store", "verify"]));
    world.env.ok(["store", "verify", "--quick"]);
    world.snapshot("store_repair_nothing", &world.env.ok(["store", "repair"]));

    let path = world.env.ok(["dep", "path", "tools"]).stdout;
    let file = std::path::Path::new(path.trim_end()).join("bin/quit");
    let chmod = |mode| {
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(&file, permissions).expect("mode");
    };
    chmod(0o755);
    std::fs::write(&file, "#!/bin/sh\necho changed\n").expect("write");
    chmod(0o555);
    let damaged = world.env.infra(["store", "verify"]);
    world.check_refusal("store_verify_damaged", 3, &damaged);
    let refused = world.env.infra(["dep", "verify"]);
    world.check_refusal("dep_verify_damaged", 3, &refused);
    world.snapshot("store_repair", &world.env.ok(["store", "repair"]));
    // Registrations hold the inodes of their files, which are new.
    let files = |all: std::collections::BTreeMap<String, String>| {
        all.into_iter().filter(|(path, _)| !path.starts_with("store/meta/")).collect::<Vec<_>>()
    };
    assert_eq!(files(world.listing()), files(good));
    world.env.ok(["store", "verify"]);
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let world = World::synced();
    let mut command = world.env.command(["dep", "list", "--json"]);
    let mut child = command.spawn().expect("start");
    drop(child.stdout.take());
    assert_eq!(finish(child).code, Some(0));
}
