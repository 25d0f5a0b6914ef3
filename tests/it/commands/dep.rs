//! `infra dep add|remove|update|sync|list|verify|path|key`

use infra::base::Platform;

use crate::upstream::FakeUpstream;
use crate::world::{World, publish_npm, publish_pypi};

#[test]
fn add_takes_the_packages_name_and_the_newest_series() {
    let world = World::empty();
    world.profiles("");
    world.snapshot("dep_add", &world.env.ok(["dep", "add", "pypi:alpha-bin"]));
    let base = world.env.read("profiles/base.toml");
    assert!(
        base.contains("alpha = { from = \"pypi:alpha-bin\", version = \"^1.1\" }"),
        "named and ranged: {base}"
    );
    world.env.ok(["env", "exec", "dev", "--", "alpha"]);
    // A second one, with everything said.
    let args =
        ["dep", "add", "npm:beta", "--name", "b", "--version", "=2.3.0", "--profile", "test"];
    world.env.ok(args);
    assert!(world.env.read("profiles/test.toml").contains("b = { from = \"npm:beta\""));
    assert_eq!(world.env.ok(["env", "exec", "test", "--", "beta"]).stdout, "beta 2.3.0\n");
    assert_eq!(world.env.infra(["env", "exec", "dev", "--", "beta"]).code, Some(127));
}

#[test]
fn add_that_fails_leaves_profile_and_lock_untouched() {
    let world = World::synced();
    for args in [
        &["dep", "add", "pypi:nothing-like-it", "--version", "^1"][..],
        &["dep", "add", "npm:beta", "--name", "b", "--version", "^9"],
        &["dep", "add", "path:no/such"],
        &["dep", "add", "url:/no-such-file-${os}.tar.gz", "--name", "u", "--version", "=1.0.0"],
    ] {
        let before = world.listing();
        let outcome = world.env.infra(args);
        assert!(matches!(outcome.code, Some(1 | 2)), "{args:?}: {}", outcome.stderr);
        assert_eq!(before, world.listing(), "{args:?}");
    }
}

#[test]
fn add_and_remove_need_each_other_only() {
    let world = World::synced();
    let (base, lock) = (world.env.read("profiles/base.toml"), world.env.read("dep.lock.json"));
    publish_pypi(&world.upstream, "delta", "0.4.2");
    world.env.ok(["dep", "add", "pypi:delta-bin", "--version", "~0.4"]);
    // Removing needs no network, and leaves no trace.
    world.upstream.forget();
    world.snapshot("dep_remove", &world.env.ok(["dep", "remove", "delta"]));
    assert_eq!(world.upstream.requests(), []);
    assert_eq!(world.env.read("profiles/base.toml"), base);
    assert_eq!(world.env.read("dep.lock.json"), lock);
}

#[test]
fn update_moves_only_what_it_names() {
    let world = World::synced();
    publish_pypi(&world.upstream, "alpha", "1.2.0");
    publish_npm(&world.upstream, "beta", "2.4.0");
    world.env.ok(["dep", "lock"]);
    assert!(
        world.env.read("dep.lock.json").contains("\"version\": \"1.1.0\""),
        "lock moves nothing"
    );
    world.snapshot("dep_update", &world.env.ok(["dep", "update", "alpha"]));
    let lock = world.env.read("dep.lock.json");
    assert!(lock.contains("\"version\": \"1.2.0\"") && lock.contains("\"version\": \"2.3.0\""));
    world.env.ok(["dep", "update"]);
    assert!(world.env.read("dep.lock.json").contains("\"version\": \"2.4.0\""));
    let again = world.env.ok(["dep", "update"]);
    assert_eq!(again.stderr, "dep.lock.json is up to date\n");
    assert_eq!(world.env.ok(["env", "exec", "dev", "--", "alpha"]).stdout, "alpha 1.2.0\n");
    assert_eq!(world.env.ok(["env", "exec", "dev", "--", "beta"]).stdout, "beta 2.4.0\n");
}

#[test]
fn sync_says_what_it_does_and_does_it_once() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    world.lose(&[]);
    world.snapshot("dep_sync_dry_run", &world.env.ok(["dep", "sync", "--dry-run"]));
    assert!(!world.env.store().join("store").exists(), "a dry run fetches nothing");
    let plan = world.json(["dep", "sync", "--dry-run", "--json"]);
    assert_eq!((plan["present"].as_u64(), plan["fetched"].as_u64()), (Some(0), Some(4)), "{plan}");
    world.snapshot("dep_sync", &world.env.ok(["dep", "sync"]));
    world.upstream.forget();
    world.snapshot("dep_sync_again", &world.env.ok(["dep", "sync"]));
    let plan = world.json(["dep", "sync", "--json"]);
    assert_eq!((plan["present"].as_u64(), plan["fetched"].as_u64()), (Some(4), Some(0)), "{plan}");
    assert_eq!(world.upstream.requests(), [], "nothing to ask when all is there");
}

#[test]
fn sync_offline_from_the_artifact_cache() {
    let world = World::synced();
    let digest = world.env.ok(["env", "digest", "dev"]).stdout;
    world.lose(&["store", "meta", "roots", "index"]);
    world.upstream.forget();
    world.env.ok(["dep", "sync", "--offline"]);
    assert_eq!(world.upstream.requests(), []);
    world.env.ok(["dep", "verify"]);
    assert_eq!(world.env.ok(["--offline", "env", "digest", "dev"]).stdout, digest);
}

#[test]
fn list_shows_every_dep() {
    let world = World::synced();
    world.snapshot("dep_list", &world.env.ok(["dep", "list"]));
    let list = world.json(["dep", "list", "--json"]);
    let names: Vec<_> = list.as_array().expect("a list").iter().map(|d| &d["name"]).collect();
    assert_eq!(names, ["alpha", "beta", "gamma", "tools"]);
    for dep in list.as_array().expect("a list") {
        assert_eq!(dep["present"], true, "{dep}");
        let rows = dep["platforms"].as_object().expect("rows");
        for (platform, row) in rows {
            let tree = row["tree"].as_str().expect("a tree");
            assert!(tree.starts_with("sha256-"), "{platform}: {row}");
            assert_eq!(row["tree_nix32"].as_str().map(str::len), Some(52), "{platform}");
        }
    }
}

#[test]
fn verify_reads_every_object() {
    let world = World::synced();
    world.snapshot("dep_verify", &world.env.ok(["dep", "verify"]));
    let missing = World::new();
    missing.env.ok(["dep", "lock", "-q"]);
    missing.lose(&[]);
    missing.refused("dep_verify_missing", 1, ["dep", "verify"]);
}

#[test]
fn path_is_where_it_lies() {
    let world = World::synced();
    let path = world.env.ok(["dep", "path", "tools"]).stdout;
    let path = std::path::Path::new(path.trim_end());
    assert!(path.starts_with(world.env.store()) && path.join("bin/serve").is_file());
    let missing = World::new();
    missing.env.ok(["dep", "lock", "-q"]);
    missing.lose(&[]);
    missing.refused("dep_path_not_synced", 1, ["dep", "path", "alpha"]);
}

#[test]
fn key_changes_exactly_with_its_platforms_rows() {
    let world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    let key = |platform: &str| world.env.ok(["dep", "key", "--platform", platform]).stdout;
    let all = || crate::world::PLATFORMS.map(|p| key(p.name()));
    let before = all();
    let mut distinct = before.to_vec();
    distinct.dedup();
    assert_eq!(distinct.len(), before.len(), "platforms have different keys");
    assert_eq!(world.env.ok(["dep", "key"]).stdout, key(Platform::host().name()));
    // A variable changes no row.
    world.edit("profiles/base.toml", "GREETING = \"hello\"", "GREETING = \"hi\"");
    world.env.ok(["dep", "lock", "-q"]);
    assert_eq!(before, all());
    // A dep for one platform changes that one's key.
    let dep = "[dep]\nonly = { from = \"pypi:alpha-bin\", version = \"=1.0.0\", \
               platforms = [\"aarch64-darwin\"] }\n";
    world.edit("profiles/base.toml", "[dep]\n", dep);
    world.env.ok(["dep", "lock", "-q"]);
    let after = all();
    assert_ne!(before[0], after[0]);
    assert_eq!(before[1..], after[1..]);
}

#[test]
fn a_mirror_changes_no_lock() {
    let mut world = World::new();
    world.env.ok(["dep", "lock", "-q"]);
    let lock = world.env.read("dep.lock.json");
    assert!(!lock.contains("127.0.0.1"), "no host is in the lock");
    world.lose(&[]);
    let mirror = FakeUpstream::start();
    publish_pypi(&mirror, "alpha", "1.1.0");
    publish_npm(&mirror, "beta", "2.3.0");
    world.env.set("PIP_INDEX_URL", mirror.pypi_url()).set("NPM_CONFIG_REGISTRY", mirror.npm_url());
    world.upstream.forget();
    world.env.ok(["dep", "lock", "--check"]);
    world.env.ok(["dep", "sync"]);
    assert!(
        world.upstream.requests().iter().all(|r| r.path.starts_with("/url/")),
        "the mirror's turn"
    );
    assert!(!mirror.requests().is_empty());
    world.env.ok(["dep", "lock"]);
    assert_eq!(world.env.read("dep.lock.json"), lock);
}
