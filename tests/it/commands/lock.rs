//! `infra dep lock` and `--check`

use crate::world::{PLATFORMS, World};

#[test]
fn pins_every_platform_from_this_machine() {
    let world = World::new();
    world.snapshot("lock", &world.env.ok(["dep", "lock"]));
    let lock: serde_json::Value =
        serde_json::from_str(&world.env.read("dep.lock.json")).expect("JSON");
    for dep in ["alpha", "beta", "gamma", "tools"] {
        for platform in PLATFORMS {
            let row = &lock["deps"][dep]["platforms"][platform.name()];
            let tree = row["tree"].as_str().unwrap_or_default();
            assert!(tree.starts_with("sha256-"), "{dep} on {platform}: {row}");
            if dep != "tools" {
                let artifact = row["integrity"].as_str().unwrap_or_default();
                assert!(artifact.starts_with("sha"), "{dep} on {platform}: {row}");
            }
        }
    }
    let verified =
        |dep: &str| lock["deps"][dep]["platforms"]["x86_64-linux"]["verified"].to_string();
    assert_eq!(verified("alpha"), "[\"registry-hash\"]");
    assert_eq!(verified("gamma"), "[\"checksum-file\"]");
}

#[test]
fn again_changes_no_byte_and_asks_nobody() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    let path = world.env.project().join("dep.lock.json");
    let stamp = || std::fs::metadata(&path).expect("lock").modified().expect("time");
    let (bytes, time) = (world.env.read("dep.lock.json"), stamp());
    world.upstream.forget();
    let again = world.env.ok(["dep", "lock"]);
    assert_eq!(
        (again.stdout.as_str(), again.stderr.as_str()),
        ("", "dep.lock.json is up to date\n")
    );
    assert_eq!(world.env.read("dep.lock.json"), bytes);
    assert_eq!(stamp(), time, "not even written again");
    assert_eq!(world.upstream.requests(), []);
    let report = world.json(["dep", "lock", "--json"]);
    assert_eq!(report, serde_json::json!({ "changed": false, "changes": [] }));
    world.env.ok(["dep", "lock", "--offline"]);
}

#[test]
fn another_machine_writes_the_same_bytes() {
    let (one, other) = (World::new(), World::new());
    one.env.ok(["dep", "lock", "-q"]);
    other.env.ok(["dep", "lock", "-q", "--jobs", "1"]);
    assert_eq!(one.env.read("dep.lock.json"), other.env.read("dep.lock.json"));
}

#[test]
fn check_says_what_changed() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    world.snapshot("lock_check", &world.env.ok(["dep", "lock", "--check"]));
    assert_eq!(
        world.json(["dep", "lock", "--check", "--json"]),
        serde_json::json!({"fresh": true})
    );
    world.edit("profiles/base.toml", "\"x86_64-windows\"", "\"aarch64-windows\"");
    world.edit("profiles/base.toml", "[dep]\n", "[dep]\nnew = \"pypi:alpha-bin@=1.0.0\"\n");
    world.refused("lock_check_changed", 1, ["dep", "lock", "--check"]);
}

#[test]
fn a_platform_that_a_source_lacks_is_recorded_with_its_reason() {
    let world = World::new();
    world.edit("profiles/base.toml", "\"x86_64-windows\"", "\"aarch64-windows\"");
    world.edit("profiles/base.toml", "gamma = ", "#gamma = ");
    world.edit("profiles/base.toml", "beta = ", "#beta = ");
    world.snapshot("lock_unavailable", &world.env.ok(["dep", "lock"]));
    let list = world.json(["dep", "list", "--json"]);
    assert!(list[0]["platforms"]["aarch64-windows"]["unavailable"].is_string(), "{list}");
    world.env.ok(["dep", "sync"]);
    world.env.ok(["env", "build"]);
}

#[test]
fn a_changed_directory_is_pinned_anew() {
    let world = World::synced();
    let before = world.env.ok(["env", "digest", "dev"]).stdout;
    world.script("tools/bin/more", "#!/bin/sh\necho more\n");
    world.snapshot("lock_path_changed", &world.env.ok(["dep", "lock"]));
    assert_ne!(world.env.ok(["env", "digest", "dev"]).stdout, before);
    assert_eq!(world.env.ok(["env", "exec", "dev", "--", "more"]).stdout, "more\n");
}
