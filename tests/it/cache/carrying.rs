//! `infra store export` and `import`: one file for a machine without a network.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::forget;
use crate::support::{Outcome, finish};
use crate::world::World;

fn export(world: &World, args: &[&str], to: &str) -> Vec<u8> {
    let mut all = vec!["store", "export"];
    all.extend(args);
    let mut command = world.env.command(all);
    let path = world.env.root().join(to);
    command.stdout(File::create(&path).expect("create"));
    let outcome = finish(command.spawn().expect("start"));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    std::fs::read(path).expect("read")
}

fn import(world: &World, file: &Path, args: &[&str]) -> Outcome {
    let mut all = vec!["store", "import"];
    all.extend(args);
    let mut command = world.env.command(all);
    command.stdin(File::open(file).expect("open"));
    finish(command.spawn().expect("start"))
}

fn objects(world: &World) -> usize {
    std::fs::read_dir(world.env.store().join("meta")).map_or(0, Iterator::count)
}

fn written(world: &World, bytes: &[u8]) -> PathBuf {
    let path = world.env.root().join("changed");
    std::fs::write(&path, bytes).expect("write");
    path
}

#[test]
fn an_environment_travels_in_one_file() {
    let world = World::synced();
    let first = export(&world, &["dev", "--lock"], "one");
    assert_eq!(first, export(&world, &["dev", "--lock"], "two"), "the same bytes each time");
    let digest = world.env.ok(["env", "digest", "dev"]).stdout;
    let lock = world.env.read("dep.lock.json");
    let verified = world.listing();
    forget(&world);
    std::fs::remove_file(world.env.project().join("dep.lock.json")).expect("remove");
    let file = world.env.root().join("one");
    let outcome = import(&world, &file, &["--lock-to", "dep.lock.json"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    world.snapshot("store_import", &outcome);
    assert_eq!(world.env.read("dep.lock.json"), lock);
    assert_eq!(objects(&world), 5);
    world.env.ok(["store", "verify"]);
    // Without a network: the environment is made from what arrived, and is the same.
    assert_eq!(world.env.ok(["--offline", "env", "digest", "dev"]).stdout, digest);
    let ran = world.env.ok(["--offline", "env", "exec", "dev", "--", "alpha"]);
    assert_eq!(ran.stdout, "alpha 1.1.0\n");
    assert_eq!(world.upstream.requests(), []);
    let objects = |all: &std::collections::BTreeMap<String, String>| {
        let mut all = all.clone();
        all.retain(|path, _| path.starts_with("store/store/"));
        all
    };
    assert_eq!(objects(&world.listing()), objects(&verified));
    let again = import(&world, &file, &["--lock-to", "dep.lock.json"]);
    world.snapshot("store_import_again", &again);
    world.env.write("dep.lock.json", "{}\n");
    let refused = import(&world, &file, &["--lock-to", "dep.lock.json"]);
    world.check_refusal("store_import_in_the_way", 1, &refused);
}

#[test]
fn a_cut_or_changed_file_registers_nothing() {
    let world = World::synced();
    let bytes = export(&world, &["dev"], "one");
    forget(&world);
    let mut tried = 0;
    let refused = |what: String, bytes: &[u8]| {
        let outcome = import(&world, &written(&world, bytes), &[]);
        assert_eq!(outcome.code, Some(3), "{what}: {}", outcome.stderr);
        assert_eq!(objects(&world), 0, "{what}");
        let left = std::fs::read_dir(world.env.store().join("tmp")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{what}: left in tmp");
    };
    for part in 0..24 {
        let cut = bytes.len() * part / 24;
        refused(format!("cut at {cut}"), &bytes[..cut]);
        let mut changed = bytes.clone();
        changed[cut] ^= 0x10;
        refused(format!("changed at {cut}"), &changed);
        tried += 2;
    }
    for last in 1..=9 {
        refused(format!("without the last {last}"), &bytes[..bytes.len() - last]);
    }
    let mut longer = bytes.clone();
    longer.push(0);
    refused("longer".to_owned(), &longer);
    assert_eq!(tried, 48);
    let outcome = import(&world, &written(&world, b"hello, this is another file"), &[]);
    world.check_refusal("store_import_other", 3, &outcome);
    let outcome = import(&world, &written(&world, &bytes), &["--lock-to", "x"]);
    world.check_refusal("store_import_no_lock", 1, &outcome);
}

#[test]
fn an_object_alone_and_without_our_trailer() {
    let world = World::synced();
    let path = world.env.ok(["dep", "path", "alpha"]).stdout;
    let object = path.trim_end().rsplit('/').next().expect("name").to_owned();
    let bytes = export(&world, &[&object], "one");
    // As `nix-store --export` writes it: it ends where our trailer begins.
    let at = bytes.windows(14).rposition(|w| w == b"infra-export-1").expect("trailer");
    forget(&world);
    let outcome = import(&world, &written(&world, &bytes[..at - 8]), &[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(outcome.stdout.trim_end().ends_with(&object), "{}", outcome.stdout);
    world.env.ok(["store", "verify"]);
    // A part of another file is none.
    let unknown = world.env.infra(["store", "export", "06wzyv0bi5cpnibxi24q5pgw2pp1p1vz-x"]);
    assert_eq!(unknown.code, Some(3), "{}", unknown.stderr);
}
