//! Push, pull, and sync through a directory.

use std::os::unix::fs::PermissionsExt;

use super::{files, forget, narinfo, pushed, value};
use crate::upstream::Fault;
use crate::world::World;

#[test]
fn what_each_command_says() {
    let world = World::synced();
    let dir = world.env.root().join("cache");
    let at = dir.to_str().expect("UTF-8");
    world.refused("cache_none", 2, ["cache", "push"]);
    world.env.ok(["env", "build", "-q"]);
    world.refused("cache_not_one", 1, ["cache", "push", "--to", at]);
    world.refused("cache_no_scheme", 2, ["cache", "info", "ftp://me:secret@host.invalid/x"]);
    world.refused("cache_bucket_nowhere", 2, ["cache", "info", "s3://bucket/x"]);
    world.snapshot("cache_init", &world.env.ok(["cache", "init", at]));
    world.snapshot("cache_init_again", &world.env.ok(["cache", "init", at]));
    let first = world.env.ok(["cache", "push", "--to", at]);
    assert_eq!(first.stdout.lines().count(), 5, "{}", first.stdout);
    assert!(first.stderr.contains("5 objects pushed"), "{}", first.stderr);
    let all = files(&dir);
    assert_eq!(all.len(), 11, "an archive and a narinfo each, and what it is");
    world.snapshot("cache_push_again", &world.env.ok(["cache", "push", "--to", at, "dev"]));
    assert_eq!(files(&dir), all, "the same push changes nothing");
    let info = world.json(["cache", "info", at, "--json"]);
    assert_eq!((&info["objects"], &info["store_dir"]), (&5.into(), &"/nix/store".into()));
    let verified = world.json(["cache", "verify", "--at", at, "--json"]);
    assert_eq!(verified["objects"], 5, "{verified}");
    let one = world.json(["cache", "verify", "--at", at, "dev", "--json"]);
    assert_eq!(one["objects"], 5, "with what it refers to: {one}");

    forget(&world);
    let pulled = world.json(["cache", "pull", "--from", at, "--json"]);
    assert_eq!(pulled["pulled"].as_array().map(Vec::len), Some(4), "{pulled}");
    world.snapshot("cache_pull_again", &world.env.ok(["cache", "pull", "--from", at]));
    assert_eq!(world.upstream.requests(), [], "nothing came from a source");
    world.env.ok(["store", "verify"]);
    assert_eq!(world.env.ok(["env", "exec", "dev", "--", "alpha"]).stdout, "alpha 1.1.0\n");
}

#[test]
fn a_narinfo_says_what_nix_expects() {
    let (_world, dir) = pushed();
    let (_, env) = narinfo(&dir, "-env-dev");
    assert_eq!(value(&env, "References").split(' ').count(), 4, "{env}");
    let hash = value(&env, "NarHash").strip_prefix("sha256:").expect("hash");
    assert_eq!(value(&env, "CA"), format!("fixed:r:sha256:{hash}"));
    assert_eq!(value(&env, "Compression"), "zstd");
    let file = value(&env, "FileHash").strip_prefix("sha256:").expect("hash");
    assert_eq!(value(&env, "URL"), format!("nar/{file}.nar.zst"));
    let size = std::fs::metadata(dir.join(value(&env, "URL"))).expect("archive").len();
    assert_eq!(value(&env, "FileSize"), size.to_string());
    let (_, dep) = narinfo(&dir, "-alpha-");
    assert!(dep.contains("\nReferences: \n"), "{dep}");
}

#[test]
fn a_sync_without_sources() {
    let (mut world, dir) = pushed();
    forget(&world);
    world.env.set("INFRA_CACHE", dir.to_str().expect("UTF-8"));
    for path in ["/pypi", "/npm", "/url"] {
        world.upstream.fault_always(path, Fault::Status(503));
    }
    let synced = world.env.ok(["dep", "sync"]);
    assert_eq!(world.upstream.requests(), [], "{}", synced.stderr);
    world.env.ok(["store", "verify"]);
    world.env.ok(["dep", "verify"]);
    assert_eq!(world.env.ok(["env", "exec", "dev", "--", "alpha"]).stdout, "alpha 1.1.0\n");
    // What came from a cache is repaired from it too.
    let path = world.env.ok(["dep", "path", "gamma"]).stdout;
    let inside = std::path::Path::new(path.trim_end());
    std::fs::set_permissions(inside, PermissionsExt::from_mode(0o755)).expect("mode");
    std::fs::write(inside.join("more"), "x").expect("write");
    world.env.ok(["store", "repair"]);
    world.env.ok(["store", "verify"]);
    assert_eq!(world.upstream.requests(), []);
    // A directory needs no network.
    forget(&world);
    world.env.ok(["dep", "sync", "--offline"]);
    forget(&world);
    world.env.set("INFRA_CACHE", "http://127.0.0.1:9/");
    let refused = world.env.infra(["dep", "sync", "--offline"]);
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
    assert!(!refused.stderr.contains("127.0.0.1:9"), "{}", refused.stderr);
}

#[test]
fn caches_of_profiles() {
    let (world, dir) = pushed();
    let base = world.env.read("profiles/base.toml");
    world.env.write(
        "profiles/base.toml",
        format!("{base}\n[cache]\nurl = [\"../none\", \"../cache\"]\npush = \"../other\"\n"),
    );
    world.env.ok(["dep", "lock", "--check"]);
    forget(&world);
    world.env.ok(["dep", "sync", "-q"]);
    assert_eq!(world.upstream.requests(), []);
    world.env.ok(["cache", "init", "-q", world.env.root().join("other").to_str().expect("UTF-8")]);
    world.env.ok(["cache", "push", "-q"]);
    let other = files(&world.env.root().join("other"));
    assert_eq!(other, files(&dir), "the same objects give the same bytes");
    // The flag comes first.
    let missing = world.env.infra(["--cache", "./nowhere", "cache", "info"]);
    assert_eq!(missing.code, Some(1), "{}", missing.stderr);
    world.env.write(
        "profiles/base.toml",
        format!("{base}\n[cache]\nurl = \"http://me:pw@h.invalid/\"\n"),
    );
    world.refused("cache_credentials", 2, ["dep", "lock"]);
    world.env.write(
        "profiles/base.toml",
        format!("{base}\n[cache]\nurl = \"../cache\"\nkeys = [\"x\"]\n"),
    );
    world.refused("cache_bad_key", 2, ["dep", "lock"]);
}

#[test]
fn two_pushes_at_once() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let dir = world.env.root().join("cache");
    let at = dir.to_str().expect("UTF-8");
    world.env.ok(["cache", "init", "-q", at]);
    let start = || world.env.command(["cache", "push", "--to", at]).spawn().expect("start");
    let children: Vec<_> = (0..4).map(|_| start()).collect();
    for child in children {
        let outcome = crate::support::finish(child);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    }
    assert_eq!(files(&dir).len(), 11);
    world.env.ok(["cache", "verify", "--at", at]);
    let left = std::fs::read_dir(dir.join("tmp")).expect("tmp");
    let left: Vec<_> = left.map(|entry| entry.expect("entry").file_name()).collect();
    assert_eq!(left, ["gc.lock"], "nothing else is left");
}

#[test]
fn a_damaged_store_pushes_nothing() {
    let world = World::synced();
    world.env.ok(["env", "build", "-q"]);
    let dir = world.env.root().join("cache");
    let at = dir.to_str().expect("UTF-8");
    world.env.ok(["cache", "init", "-q", at]);
    let path = world.env.ok(["dep", "path", "alpha"]).stdout;
    let object = std::path::Path::new(path.trim_end());
    std::fs::set_permissions(object, PermissionsExt::from_mode(0o755)).expect("mode");
    std::fs::write(object.join("more"), "x").expect("write");
    let outcome = world.env.infra(["cache", "push", "--to", at]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
    assert!(files(&dir).iter().all(|(key, bytes)| {
        !key.ends_with(".narinfo")
            || !String::from_utf8_lossy(bytes).contains("-alpha-")
                && !String::from_utf8_lossy(bytes).contains("-env-dev")
    }));
}

#[test]
fn gc_keeps_what_is_named() {
    let (world, dir) = pushed();
    let at = dir.to_str().expect("UTF-8");
    let all = files(&dir);
    world.refused("cache_gc_nothing", 2, ["cache", "gc", "--at", at]);
    world.refused("cache_gc_no_lock", 1, ["cache", "gc", "--at", at, "--keep", "gone.lock.json"]);
    let young = world.json(["cache", "gc", "--at", at, "--keep", "dep.lock.json", "--json"]);
    assert_eq!(young["objects"].as_array().map(Vec::len), Some(0), "young: {young}");
    let old = ["cache", "gc", "--at", at, "--keep", "dep.lock.json", "--older-than", "0s"];
    for (key, _) in &all {
        let file = std::fs::File::options().append(true).open(dir.join(key)).expect("open");
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).expect("time");
    }
    let dry = world.env.ok(old.iter().chain(&["--dry-run"]));
    assert!(dry.stdout.trim_end().ends_with("-env-dev"), "{}", dry.stdout);
    assert!(dry.stderr.contains("1 object and 1 archive; 4 objects stay"), "{}", dry.stderr);
    assert_eq!(files(&dir), all);
    let keep_env = ["cache", "gc", "--at", at, "--keep", "dev", "--older-than", "0s", "--json"];
    assert_eq!(world.json(keep_env)["objects"].as_array().map(Vec::len), Some(0));
    assert_eq!(files(&dir), all, "an environment keeps what it refers to");
    world.env.ok(old);
    assert_eq!(files(&dir).len(), 9, "the environment is gone, its deps stay");
    world.env.ok(["cache", "verify", "--at", at]);
    // A narinfo that cannot be read ends it before anything goes.
    let (path, text) = narinfo(&dir, "-alpha-");
    std::fs::write(&path, text.replace("NarSize", "NarSizf")).expect("write");
    let before = files(&dir);
    let refused =
        world.env.infra(["cache", "gc", "--at", at, "--keep", "dev", "--older-than", "0s"]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert_eq!(files(&dir), before);
}
