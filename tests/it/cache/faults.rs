//! A cache that is dead, slow, damaged or lies: nothing wrong is installed, and a sync goes on.

use std::path::Path;

use super::{files, forget, narinfo, pushed, value, warnings};
use crate::upstream::Fault;
use crate::world::World;

/// Serves a cache directory at `/cache/`.
fn publish(world: &World, dir: &Path) {
    for (key, bytes) in files(dir) {
        world.upstream.file(&format!("/cache/{key}"), bytes);
    }
}

/// Where the narinfo and the archive of `alpha` are served.
fn paths(dir: &Path) -> (String, String) {
    let (path, text) = narinfo(dir, "-alpha-");
    let file = path.file_name().expect("name").to_string_lossy().into_owned();
    (format!("/cache/{file}"), format!("/cache/{}", value(&text, "URL")))
}

struct Trial {
    world: World,
    narinfo: String,
    nar: String,
    text: String,
}

impl Trial {
    fn new() -> Self {
        let (mut world, dir) = pushed();
        publish(&world, &dir);
        let (narinfo_path, nar) = paths(&dir);
        let (_, text) = narinfo(&dir, "-alpha-");
        world.env.set("INFRA_CACHE", world.upstream.url("/cache"));
        world.env.set("INFRA_CONNECT_TIMEOUT", "1");
        forget(&world);
        Self { world, narinfo: narinfo_path, nar, text }
    }

    /// A sync with this fault falls back, says so once, and is right.
    fn falls_back(&self, what: &str) {
        let world = &self.world;
        forget(world);
        let outcome = world.env.ok(["dep", "sync"]);
        assert_eq!(warnings(&outcome), 1, "{what}: {}", outcome.stderr);
        world.env.ok(["store", "verify"]);
        world.env.ok(["dep", "verify"]);
        assert_eq!(world.env.ok(["env", "exec", "dev", "--", "alpha"]).stdout, "alpha 1.1.0\n");
        let left = std::fs::read_dir(world.env.store().join("tmp")).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{what}: left in tmp");
    }

    /// A pull with this fault fails with `code` and registers nothing of `alpha`.
    fn refuses(&self, what: &str, code: i32) {
        let world = &self.world;
        forget(world);
        let outcome = world.env.infra(["cache", "pull"]);
        assert_eq!(outcome.code, Some(code), "{what}: {}", outcome.stderr);
        if world.env.store().exists() {
            world.env.ok(["store", "verify"]);
        }
        let path = world.env.infra(["dep", "path", "alpha"]);
        assert_eq!(path.code, Some(1), "{what}: {}", path.stdout);
    }

    fn heal(&self) {
        self.world.upstream.heal();
        self.world.upstream.file(&self.narinfo, self.text.clone());
    }
}

#[test]
fn dead_caches() {
    let trial = Trial::new();
    let upstream = &trial.world.upstream;
    for (what, fault) in
        [("503", Fault::Status(503)), ("401", Fault::Status(401)), ("drop", Fault::Drop)]
    {
        upstream.fault_always(&trial.narinfo, fault);
        trial.falls_back(what);
        trial.refuses(what, 1);
        trial.heal();
    }
    upstream.fault_always(&trial.nar, Fault::Status(500));
    trial.falls_back("500 for the archive");
    trial.heal();
    // Nobody listens there: the connection is refused, once.
    let mut world = trial.world;
    world.env.set("INFRA_CACHE", "http://127.0.0.1:9/");
    forget(&world);
    let outcome = world.env.ok(["dep", "sync"]);
    assert_eq!(warnings(&outcome), 1, "{}", outcome.stderr);
}

#[test]
fn a_stalled_cache_costs_one_time_out() {
    let trial = Trial::new();
    let world = &trial.world;
    for (key, fault) in [(&trial.narinfo, Fault::Stall(0)), (&trial.nar, Fault::Stall(10))] {
        world.upstream.fault_always(key, fault);
        let begin = std::time::Instant::now();
        trial.falls_back("stall");
        // One second to connect and three for bytes, with time for a busy machine.
        assert!(begin.elapsed().as_secs() < 30, "{:?}", begin.elapsed());
        assert_eq!(world.upstream.count(key), 1, "it was asked once");
        trial.heal();
    }
}

#[test]
fn damaged_archives() {
    let trial = Trial::new();
    let upstream = &trial.world.upstream;
    let size: usize = value(&trial.text, "FileSize").parse().expect("size");
    let faults = [
        // A byte more with each try: never whole.
        ("cut", Fault::Truncate(1), 1),
        ("changed at the start", Fault::Tamper(0), 3),
        ("changed in the middle", Fault::Tamper(size / 2), 3),
        ("changed at the end", Fault::Tamper(size - 1), 3),
    ];
    for (what, fault, code) in faults {
        upstream.fault_always(&trial.nar, fault);
        trial.falls_back(what);
        trial.refuses(what, code);
        trial.heal();
    }
    // A cut archive goes on where it ended.
    forget(&trial.world);
    upstream.fault(&trial.nar, Fault::Truncate(size / 2), 1);
    trial.world.env.ok(["cache", "pull"]);
    let resumed = upstream.requests().into_iter().any(|request| {
        request.path == trial.nar
            && request.header("range") == Some(&*format!("bytes={}-", size / 2))
    });
    assert!(resumed, "with a range");
}

#[test]
fn lying_narinfos() {
    let trial = Trial::new();
    let world = &trial.world;
    let text = trial.text.clone();
    let beta = {
        let dir = world.env.root().join("cache");
        narinfo(&dir, "-beta-").1
    };
    let with = |key: &str, new: &str| {
        let old = value(&text, key);
        text.replace(&format!("{key}: {old}\n"), &format!("{key}: {new}\n"))
    };
    let file_hash = value(&beta, "FileHash");
    let lies = [
        ("another object", beta.clone()),
        ("another tree", with("NarHash", value(&beta, "NarHash"))),
        ("another archive", with("URL", value(&beta, "URL"))),
        ("another file hash", with("FileHash", file_hash)),
        ("another file size", with("FileSize", "7")),
        ("a smaller archive", with("NarSize", "96")),
        ("a larger archive", with("NarSize", "99999")),
        ("a reference", with("References", "06wzyv0bi5cpnibxi24q5pgw2pp1p1vz-x")),
        ("another compression", with("Compression", "xz")),
        ("no compression", with("Compression", "none")),
        ("an unknown compression", with("Compression", "lzip")),
        ("a way out", with("URL", "../../etc/passwd")),
        ("an archive that is not there", with("URL", "nar/none.nar.zst")),
        ("twice", format!("{text}NarSize: 1\n")),
        ("rubbish", "hello".to_owned()),
        ("nothing", String::new()),
    ];
    for (what, lie) in lies {
        world.upstream.file(&trial.narinfo, lie);
        trial.falls_back(what);
        trial.refuses(what, 3);
    }
    trial.heal();
    trial.world.upstream.remove(&trial.narinfo);
    forget(world);
    let outcome = world.env.ok(["dep", "sync"]);
    assert_eq!(warnings(&outcome), 0, "what it does not have is no fault: {}", outcome.stderr);
    let missing = world.env.infra(["cache", "pull"]);
    assert_eq!(missing.code, Some(0), "the sync fetched it: {}", missing.stderr);
    forget(world);
    world.refused("cache_not_there", 1, ["cache", "pull"]);
}

#[test]
fn verify_names_every_flaw() {
    let (world, dir) = pushed();
    let at = dir.to_str().expect("UTF-8");
    let (alpha, text) = narinfo(&dir, "-alpha-");
    let nar = dir.join(value(&text, "URL"));
    let good = std::fs::read(&nar).expect("read");
    let check = |what: &str| {
        let outcome = world.env.infra(["cache", "verify", "--at", at]);
        assert_eq!(outcome.code, Some(3), "{what}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("alpha"), "{what}: {}", outcome.stderr);
    };
    for at in [0, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&nar, bad).expect("write");
        check("a changed byte");
    }
    std::fs::write(&nar, &good[..good.len() - 1]).expect("write");
    check("cut");
    std::fs::remove_file(&nar).expect("remove");
    check("gone");
    std::fs::write(&nar, &good).expect("write");
    world.env.ok(["cache", "verify", "--at", at]);
    std::fs::remove_file(&alpha).expect("remove");
    check("a missing reference");
    std::fs::write(&alpha, text.replace("NarSize: ", "NarSize: 1")).expect("write");
    check("another length");
    // Pushing again mends it.
    std::fs::write(&alpha, "rubbish").expect("write");
    std::fs::write(&nar, &good[..9]).expect("write");
    world.env.ok(["cache", "push", "-q", "--to", at, "dev"]);
    world.env.ok(["cache", "verify", "--at", at]);
}
