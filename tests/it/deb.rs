//! `deb:` with the built binary: a signed repository, and what is made of one that lies.

use infra::base::Platform;

use crate::support::{Outcome, TestEnv};
use crate::upstream::{AptKey, AptSuite, FakeUpstream, Fault, Machine, Tree, executable};

struct World {
    upstream: FakeUpstream,
    key: AptKey,
    env: TestEnv,
}

fn tool(platform: Platform, line: &str) -> Tree {
    Tree::new()
        .executable("usr/bin/hello", executable(Machine::of(platform), line))
        .file("usr/share/doc/hello/copyright", "free\n")
}

fn suite(line: &str) -> AptSuite {
    AptSuite::new("stable")
        .package("hello", "1:2.10-3", "amd64", &tool(Platform::X86_64Linux, line))
        .package("hello", "1:2.10-3+b1", "arm64", &tool(Platform::Aarch64Linux, line))
        .package("hello", "2.12-1", "amd64", &tool(Platform::X86_64Linux, "an older epoch"))
        .package("hello-data", "9-1", "all", &Tree::new().file("usr/share/x", "x"))
}

fn world(suite: &AptSuite) -> World {
    let (upstream, key, env) = (FakeUpstream::start(), AptKey::new(), TestEnv::new());
    upstream.apt(suite, &key);
    env.write("profiles/files/archive.asc", key.armored());
    profile(&env, &upstream, "*");
    World { upstream, key, env }
}

fn profile(env: &TestEnv, upstream: &FakeUpstream, version: &str) {
    let text = format!(
        "platforms = [\"x86_64-linux\", \"aarch64-linux\", \"x86_64-linux-musl\"]\n\
         [dep]\nhello = {{ from = \"deb:hello\", version = \"{version}\" }}\n\
         [source.deb]\nurl = \"{}\"\nsuite = \"stable\"\n\
         signed-by = \"profiles/files/archive.asc\"\n",
        upstream.apt_url()
    );
    env.write("profiles/dev.toml", text);
}

/// The lock as JSON, one row of `hello`.
fn lock(env: &TestEnv) -> serde_json::Value {
    let all: serde_json::Value = serde_json::from_str(&env.read("dep.lock.json")).expect("json");
    all["deps"]["hello"].clone()
}

/// Locking fails so, and leaves no lock.
fn refused(world: &World, code: i32, words: &[&str]) -> Outcome {
    let outcome = world.env.infra(["dep", "lock"]);
    assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
    for word in words {
        assert!(outcome.stderr.contains(word), "no `{word}` in {}", outcome.stderr);
    }
    assert!(!world.env.project().join("dep.lock.json").exists(), "a lock was written");
    outcome
}

#[test]
fn locks_and_syncs_from_a_signed_repository() {
    let world = world(&suite("hello from a package"));
    let env = &world.env;
    env.ok(["dep", "lock"]);
    let dep = lock(env);
    assert_eq!(dep["version"], "1:2.10-3", "the epoch counts");
    let row = &dep["platforms"]["x86_64-linux"];
    assert_eq!(row["artifact"], "pool/main/h/hello/hello_2.10-3_amd64.deb");
    assert_eq!((&row["format"], &row["bin"]["hello"]), (&"deb".into(), &"usr/bin/hello".into()));
    assert_eq!(row["verified"], serde_json::json!(["signed-release"]));
    let object = row["object"].as_str().expect("object");
    assert!(object.ends_with("-hello-1-2.10-3"), "{object}");
    let arm = &dep["platforms"]["aarch64-linux"]["artifact"];
    assert_eq!(*arm, "pool/main/h/hello/hello_2.10-3+b1_arm64.deb", "a rebuild is the same");
    let musl = &dep["platforms"]["x86_64-linux-musl"]["unavailable"];
    assert_eq!(*musl, "Debian packages are for Linux with glibc");

    let before = env.read("dep.lock.json");
    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), before, "nothing moves");
    assert!(!before.contains("127.0.0.1"), "no host in the lock");

    world.upstream.forget();
    env.ok(["dep", "sync"]);
    assert_eq!(world.upstream.count(&FakeUpstream::apt_file("stable", "InRelease")), 0);
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        let outcome = env.ok(["env", "exec", "dev", "--", "hello"]);
        assert_eq!(outcome.stdout, "hello from a package\n");
    }
}

#[test]
fn a_detached_signature_serves_too() {
    let world = world(&suite("x").detached());
    world.env.ok(["dep", "lock"]);
    assert_eq!(lock(&world.env)["version"], "1:2.10-3");
}

#[test]
fn ranges_see_the_release_and_pins_the_package() {
    let world = world(&suite("x"));
    for (wanted, got) in [("=2.12-1", "2.12-1"), ("^2.11", "2.12-1"), ("~2.10", "1:2.10-3")] {
        profile(&world.env, &world.upstream, wanted);
        world.env.ok(["dep", "lock"]);
        assert_eq!(lock(&world.env)["version"], got, "{wanted}");
    }
    profile(&world.env, &world.upstream, "=2.12-9");
    let outcome = world.env.infra(["dep", "lock"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("newest  1:2.10-3, 2.12-1"), "{}", outcome.stderr);
}

#[test]
fn an_index_that_was_changed() {
    let world = world(&suite("x"));
    let index = FakeUpstream::apt_file("stable", "InRelease");
    // Somewhere in the signed text.
    world.upstream.fault_always(&index, Fault::Tamper(200));
    refused(&world, 3, &["is not vouched for", "nothing of this repository was used"]);
    world.upstream.heal();
    world.env.ok(["dep", "lock"]);
}

#[test]
fn a_key_that_is_not_trusted() {
    let world = world(&suite("x"));
    world.upstream.apt(&suite("x"), &AptKey::new());
    refused(&world, 3, &["which is none of the 1 trusted keys", "`signed-by`"]);
    world.upstream.apt(&suite("x").detached(), &AptKey::new());
    refused(&world, 3, &["which is none of the 1 trusted keys"]);
}

#[test]
fn no_signature_at_all() {
    let world = world(&suite("x").detached());
    world.upstream.remove(&FakeUpstream::apt_file("stable", "Release.gpg"));
    refused(&world, 3, &["it is not signed"]);
    world.upstream.remove(&FakeUpstream::apt_file("stable", "Release"));
    refused(&world, 1, &["does not exist", "check the suite"]);
    world.env.write("profiles/files/archive.asc", "no key");
    refused(&world, 1, &["there is no key", "archive.asc"]);
}

#[test]
fn an_index_past_its_date() {
    let world = world(&suite("x").valid_until("Sat, 18 Jan 2025 10:00:00 UTC"));
    let until = "was valid until Sat, 18 Jan 2025 10:00:00 UTC";
    refused(&world, 1, &[until, "the mirror is stale"]);
    world.upstream.apt(&suite("x").valid_until("Fri, 18 Jan 2199 10:00:00 UTC"), &world.key);
    world.env.ok(["dep", "lock"]);
}

#[test]
fn another_suite_under_this_name() {
    let world = world(&suite("x"));
    let other = AptSuite::new("oldstable").package("hello", "1-1", "amd64", &Tree::new());
    world.upstream.apt(&other, &world.key);
    let index = FakeUpstream::apt_file("stable", "InRelease");
    let other = world.upstream.url(&FakeUpstream::apt_file("oldstable", "InRelease"));
    world.upstream.fault_always(&index, Fault::Redirect(other));
    refused(&world, 1, &["not of `stable`"]);
}

#[test]
fn a_list_that_the_index_does_not_name() {
    let world = world(&suite("x"));
    let list = FakeUpstream::apt_file("stable", "main/binary-amd64/Packages.xz");
    world.upstream.fault_always(&list, Fault::Tamper(30));
    refused(&world, 3, &["sha256 mismatch", "Packages.xz", "expected", "received"]);
    // What was wrong is not believed to be unchanged.
    world.upstream.heal();
    world.env.ok(["dep", "lock"]);
}

#[test]
fn a_package_that_the_list_does_not_name() {
    let world = world(&suite("x"));
    let file = "/debian/pool/main/h/hello/hello_2.10-3_amd64.deb";
    world.upstream.fault_always(file, Fault::Tamper(300));
    refused(&world, 3, &["`hello`", "expected", "received"]);
    world.upstream.heal();
    world.env.ok(["dep", "lock"]);

    // After locking, it must stay what it was.
    std::fs::remove_dir_all(world.env.store()).expect("a fresh store");
    world.upstream.fault_always(file, Fault::Tamper(300));
    let outcome = world.env.infra(["dep", "sync"]);
    assert_eq!(outcome.code, Some(3), "{}", outcome.stderr);
}

#[test]
fn a_package_for_every_machine() {
    let world = world(&suite("x"));
    let text = world.env.read("profiles/dev.toml").replace("deb:hello", "deb:hello-data");
    world.env.write("profiles/dev.toml", text);
    let outcome = world.env.ok(["dep", "lock"]);
    assert!(outcome.stderr.contains("offers no command"), "{}", outcome.stderr);
    let dep = lock(&world.env);
    for platform in ["x86_64-linux", "aarch64-linux"] {
        let row = &dep["platforms"][platform]["artifact"];
        assert_eq!(*row, "pool/main/h/hello-data/hello-data_9-1_all.deb", "{platform}");
    }
}

#[test]
fn unknown_packages_and_other_machines() {
    let world = world(&suite("x"));
    let text = world.env.read("profiles/dev.toml").replace("deb:hello", "deb:nope");
    world.env.write("profiles/dev.toml", &text);
    refused(&world, 1, &["there is no package for `hello` (deb:nope)"]);
    world.env.write("profiles/dev.toml", text.replace("deb:nope", "deb:Nope"));
    refused(&world, 2, &["is not a name that deb has"]);
}

#[test]
fn a_closure_brings_what_a_package_depends_on() {
    let suite = suite("hello")
        .package(
            "libgreet1",
            "1.0-1",
            "amd64",
            &Tree::new().file("usr/lib/x86_64-linux-gnu/libgreet.so.1", "one"),
        )
        .fields("Depends: libc6, greet-data | nothing\n")
        .package(
            "libgreet1",
            "1.0-1",
            "arm64",
            &Tree::new().file("usr/lib/aarch64-linux-gnu/libgreet.so.1", "one"),
        )
        .fields("Depends: libc6, greet-data\n")
        .package("greet-words", "2", "all", &Tree::new().file("usr/share/greet/words", "hi\n"))
        .fields("Provides: greet-data\n")
        .package("greeter", "3.0-1", "amd64", &tool(Platform::X86_64Linux, "hello from a closure"))
        .fields(
            "Pre-Depends: libgreet1 (>= 1.0)\nDepends: libc6 (>= 2.30), debconf | debconf-2.0\n",
        )
        .package("greeter", "3.0-1", "arm64", &tool(Platform::Aarch64Linux, "hello"))
        .fields("Depends: libgreet1\n")
        .package("broken", "1", "amd64", &Tree::new().file("x", "x"))
        .fields("Depends: libgreet1 (>= 9)\n")
        .package("broken", "1", "arm64", &Tree::new().file("x", "x"));
    let world = world(&suite);
    let env = &world.env;
    let with = |dep: &str| {
        let text = env.read("profiles/dev.toml");
        let line = text.lines().find(|l| l.starts_with("hello = ")).expect("dep").to_owned();
        let new = format!("hello = {{ from = \"deb:{dep}\", closure = true }}");
        env.write("profiles/dev.toml", text.replace(&line, &new));
    };
    with("greeter");
    env.ok(["dep", "lock"]);
    let row = lock(env)["platforms"]["x86_64-linux"].clone();
    let more: Vec<_> =
        row["with"].as_array().expect("with").iter().map(|a| a["artifact"].clone()).collect();
    assert_eq!(
        more,
        [
            "pool/main/g/greet-words/greet-words_2_all.deb",
            "pool/main/l/libgreet1/libgreet1_1.0-1_amd64.deb"
        ]
    );
    assert_eq!(row["linking"], "origin");
    let text = env.read("dep.lock.json");
    env.ok(["dep", "lock"]);
    assert_eq!(env.read("dep.lock.json"), text, "nothing moves");
    env.ok(["dep", "sync"]);
    let tree = env.ok(["dep", "path", "hello"]).stdout;
    let tree = std::path::Path::new(tree.trim());
    assert_eq!(std::fs::read_to_string(tree.join("usr/share/greet/words")).expect("read"), "hi\n");
    let exported = env.ok(["export", "dotslash", "--out", "out"]);
    let said = exported.stderr + &exported.stdout;
    assert!(said.contains("3 files"), "{said}");

    env.ok(["dep", "add", "deb:greeter", "--name", "added", "--closure", "--profile", "dev"]);
    assert!(env.read("profiles/dev.toml").contains("closure = true"));
    let all: serde_json::Value = serde_json::from_str(&env.read("dep.lock.json")).expect("json");
    let added = &all["deps"]["added"]["platforms"]["x86_64-linux"];
    assert_eq!(added["with"], row["with"]);
    env.ok(["dep", "remove", "added"]);

    // A library that changes under the same version is told as such.
    let lib = env.read("dep.lock.json");
    assert!(lib.contains("libgreet1_1.0-1_amd64.deb"));
    std::fs::remove_file(env.project().join("dep.lock.json")).expect("remove");
    with("broken");
    refused(&world, 1, &["`broken` depends on `libgreet1 (>= 9)`"]);
}

/// Files of the metadata cache, by whether they are what a list told.
fn kept(env: &TestEnv, told: bool) -> Vec<std::path::PathBuf> {
    let mut out = Vec::new();
    for folder in std::fs::read_dir(env.store().join("index")).expect("index") {
        for file in std::fs::read_dir(folder.expect("folder").path()).expect("files") {
            let path = file.expect("file").path();
            let bytes = std::fs::read(&path).expect("read");
            let line = bytes.split(|b| *b == b'\n').nth(1).unwrap_or_default();
            if line.starts_with(b"deb-versions ") == told {
                out.push(path);
            }
        }
    }
    out
}

#[test]
fn what_a_list_told_is_not_looked_up_again() {
    let world = world(&suite("x"));
    let (env, upstream) = (&world.env, &world.upstream);
    env.ok(["dep", "lock"]);
    let first = env.ok(["dep", "outdated"]).stdout;
    // Only the signed index is asked for, and no list is read: there is none any more.
    let list = FakeUpstream::apt_file("stable", "main/binary-amd64/Packages.xz");
    for path in kept(env, false) {
        std::fs::remove_file(path).expect("remove");
    }
    upstream.remove(&list).forget();
    assert_eq!(env.ok(["dep", "outdated"]).stdout, first);
    let asked: Vec<_> = upstream.requests().into_iter().map(|r| r.path).collect();
    assert_eq!(asked, [FakeUpstream::apt_file("stable", "InRelease")]);

    // What is damaged, or about another list, is not believed.
    let told = kept(env, true);
    assert!(!told.is_empty());
    let damage = |by: &dyn Fn(Vec<u8>) -> Vec<u8>| {
        for path in kept(env, true) {
            let bytes = std::fs::read(&path).expect("read");
            std::fs::write(&path, by(bytes)).expect("write");
        }
    };
    let whole: Vec<_> = told.iter().map(|path| std::fs::read(path).expect("read")).collect();
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 1].to_vec();
    let other = |bytes: Vec<u8>| {
        String::from_utf8(bytes).expect("text").replace("2.10-3", "2.99-1").into_bytes()
    };
    for by in [&cut as &dyn Fn(Vec<u8>) -> Vec<u8>, &other] {
        damage(by);
        let outcome = env.infra(["dep", "outdated"]);
        assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
        for (path, bytes) in told.iter().zip(&whole) {
            std::fs::write(path, bytes).expect("write");
        }
    }
    damage(&cut);
    upstream.apt(&suite("x"), &world.key);
    assert_eq!(env.ok(["dep", "outdated"]).stdout, first, "made anew from the list");
    let again: Vec<_> = told.iter().map(|path| std::fs::read(path).expect("read")).collect();
    assert_eq!(again, whole);

    // Another list is another answer.
    let newer = tool(Platform::X86_64Linux, "newer");
    upstream.apt(&suite("x").package("hello", "1:3.0-1", "amd64", &newer), &world.key);
    let moved = env.ok(["dep", "outdated"]).stdout;
    assert!(moved.contains("1:3.0-1"), "{moved}");
}
