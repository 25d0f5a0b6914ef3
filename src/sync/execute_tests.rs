//! Tests of carrying out plans, with fakes for everything outside.

use super::super::fakes::{File, TRUE_BASE, World, dep, elf, file, wishes};
use super::super::plan::plan;
use super::super::resolve::Mode;
use super::*;
use crate::base::{Diagnose as _, Kind};
use crate::fs;

const LINUX: Platform = Platform::X86_64Linux;

/// A world whose lock was made elsewhere: nothing is cached here.
struct Locked {
    world: World,
    requirements: Requirements,
    lock: Lock,
}

fn locked(names: &[&str]) -> Locked {
    let world = World::new();
    let packages: Vec<_> = names.iter().map(|n| (*n, format!("pypi:{n}"))).collect();
    for name in names {
        world.publish(name, "1.0.0", LINUX, file(name, "1.0.0", LINUX));
    }
    let list: Vec<_> = packages.iter().map(|(n, from)| (*n, from.as_str(), "*")).collect();
    let mut requirements = wishes(&list);
    requirements.platforms = [LINUX].into();
    let elsewhere = World::new();
    for name in names {
        elsewhere.publish(name, "1.0.0", LINUX, file(name, "1.0.0", LINUX));
    }
    let lock = elsewhere.resolve(&requirements, None, &Mode::Keep).expect("resolve");
    Locked { world, requirements, lock }
}

impl Locked {
    fn plan(&self) -> Plan {
        let wanted = self.lock.deps.keys().cloned().collect();
        plan(&self.lock, &wanted, LINUX, &self.world.store).expect("plan")
    }

    fn sync(&self) -> Result<BTreeMap<DepName, ObjectPath>> {
        let plan = self.plan();
        self.world.run(async |context: &Context<'_>| {
            execute(context, &self.lock, &self.requirements, &plan).await
        })
    }

    fn pin(&self, name: &str) -> &Pin {
        self.lock.deps[&dep(name)].platforms[&LINUX].pin().expect("pin")
    }

    fn artifact(&self, name: &str) -> &Artifact {
        self.pin(name).artifact.as_ref().expect("artifact")
    }
}

#[test]
fn fetches_then_has_nothing_to_do() {
    let locked = locked(&["a", "b", "c"]);
    assert!(objects(&locked.world.store, &locked.plan()).expect("look").is_none());
    let done = locked.sync().expect("sync");
    assert_eq!(done.len(), 3);
    let program = fs::read(&done[&dep("a")].path().join("bin/a")).expect("read");
    assert_eq!(program, elf(LINUX, "1.0.0"));
    assert_eq!(locked.world.traffic().0.len(), 3);

    let plan = locked.plan();
    assert!(plan.is_done());
    assert_eq!(objects(&locked.world.store, &plan).expect("look"), Some(done.clone()));
    assert_eq!(locked.sync().expect("sync"), done);
    assert_eq!(locked.world.traffic(), (vec![], vec![]));
}

#[test]
fn offline_names_everything_that_is_missing() {
    let mut locked = locked(&["a", "b"]);
    locked.world.offline = true;
    let error = locked.sync().expect_err("refused");
    let said = error.to_string();
    let (count, rest) = said.split_once(" (").expect("a size");
    assert_eq!(count, "2 artifacts");
    assert!(rest.ends_with("KiB) must be fetched, but the network is not to be used"), "{said}");
    let details = error.details();
    for (line, dep) in details.iter().zip(["a", "b"]) {
        let want = format!(
            "`{dep}` 1.0.0 (x86_64-linux) needs `{dep}-1.0.0-x86_64-linux.tar` from pypi:{dep}, "
        );
        assert!(line.starts_with(&want), "{line}");
    }
    assert_eq!(details.len(), 2);
    locked.world.offline = false;
    locked.sync().expect("sync");
    locked.world.offline = true;
    locked.sync().expect("what is there is enough");
}

#[test]
fn a_cached_artifact_is_unpacked_without_the_network() {
    let mut locked = locked(&["a"]);
    let done = locked.sync().expect("sync");
    let object = &done[&dep("a")];
    // Damage it, so that the store lets go of it.
    fs::chmod(&object.path().join("bin"), 0o755).expect("chmod");
    fs::remove_file_if_exists(&object.path().join("bin/a")).expect("remove");
    assert!(locked.world.store.remove_damaged(object.name()).expect("remove"));
    assert!(matches!(locked.plan().steps[..], [Step::Unpack { .. }]));
    locked.world.traffic();
    locked.world.offline = true;
    assert_eq!(locked.sync().expect("sync"), done);
    assert!(locked.world.traffic().0.is_empty());
}

#[test]
fn the_next_location_is_tried() {
    let locked = locked(&["a"]);
    let name = &locked.artifact("a").file;
    locked.world.source.mirrors.lock().expect("lock").extend([
        "http://gone.mirror.invalid".to_owned(),
        "http://lying.mirror.invalid".to_owned(),
    ]);
    locked.world.serve(&format!("http://lying.mirror.invalid/{name}"), b"something else");
    locked.sync().expect("sync");
    let (fetched, _) = locked.world.traffic();
    assert_eq!(fetched.last(), Some(&format!("{TRUE_BASE}/{name}")));
    let warnings = locked.world.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("answered 404"), "{warnings:?}");
    assert!(warnings[1].contains("sha256 mismatch"), "{warnings:?}");
}

#[test]
fn when_all_lie_it_is_an_integrity_error_else_the_failure() {
    let locked = locked(&["a"]);
    let name = locked.artifact("a").file.clone();
    locked.world.serve(&format!("{TRUE_BASE}/{name}"), b"something else");
    let error = locked.sync().expect_err("refused");
    assert_eq!(error.kind(), Kind::Integrity);
    assert!(error.details().iter().any(|d| d.contains(TRUE_BASE)), "{:?}", error.details());
    assert!(locked.world.store.get(&locked.pin("a").object).expect("get").is_none());

    let gone = "http://gone.mirror.invalid".to_owned();
    locked.world.source.mirrors.lock().expect("lock").push(gone);
    let error = locked.sync().expect_err("refused");
    assert_eq!(error.kind(), Kind::User);
    assert_eq!(error.to_string(), "cannot fetch `a` 1.0.0 (x86_64-linux)");
    assert!(error.details().iter().any(|d| d.contains("sha256 mismatch")), "{error:?}");
}

#[test]
fn a_part_of_other_bytes_is_started_over() {
    let locked = locked(&["a"]);
    let partial =
        locked.world.store.artifacts().partial(&locked.artifact("a").integrity).expect("partial");
    fs::write_atomic(&partial, b"bytes of another mirror").expect("write");
    locked.sync().expect("sync");
    assert_eq!(locked.world.traffic().0.len(), 2, "once resumed, once from the start");
}

#[test]
fn one_failure_keeps_what_was_done() {
    let locked = locked(&["a", "b"]);
    let name = locked.artifact("b").file.clone();
    locked.world.server.files.lock().expect("lock").remove(&format!("{TRUE_BASE}/{name}"));
    let error = locked.sync().expect_err("refused");
    assert_eq!(error.to_string(), "cannot fetch `b` 1.0.0 (x86_64-linux)");
    assert!(locked.world.store.get(&locked.pin("a").object).expect("get").is_some());
    let bytes = file("b", "1.0.0", LINUX).bytes;
    locked.world.serve(&format!("{TRUE_BASE}/{name}"), &bytes);
    locked.world.traffic();
    locked.sync().expect("sync");
    assert_eq!(locked.world.traffic().0.len(), 1, "only what was missing");
}

#[test]
fn two_deps_of_one_artifact_share_the_download() {
    let world = World::new();
    let shared = File { name: "shared.tar".to_owned(), ..file("x", "1.0.0", LINUX) };
    for package in ["p", "q"] {
        world.publish(package, "1.0.0", LINUX, shared.clone());
    }
    let mut requirements = wishes(&[("p", "pypi:p", "*"), ("q", "pypi:q", "*")]);
    requirements.platforms = [LINUX].into();
    let lock = world.resolve(&requirements, None, &Mode::Keep).expect("resolve");
    assert_eq!(world.traffic().0.len(), 1);
    let locked = Locked { world, requirements, lock };
    assert_eq!(locked.sync().expect("sync").len(), 2);
    assert_eq!(locked.world.traffic().0.len(), 0);
}

#[test]
fn a_tree_that_is_not_the_locked_one_is_refused() {
    let mut locked = locked(&["a"]);
    let row = locked.lock.deps.get_mut(&dep("a")).expect("dep").platforms.get_mut(&LINUX);
    let Some(crate::lock::Row::Pinned(pin)) = row else { panic!("row") };
    pin.tree = crate::base::TreeHash::new([7; 32]);
    pin.object = crate::lock::object_name(&pin.tree, &dep("a"), &"1.0.0".parse().expect("version"))
        .expect("object");
    let error = locked.sync().expect_err("refused");
    assert_eq!(error.kind(), Kind::Integrity);
}

#[test]
fn a_single_file_becomes_the_same_object_in_lock_and_store() {
    let world = World::new();
    let tool = File {
        name: "tool-1.0.0-linux-amd64".to_owned(),
        bytes: elf(LINUX, "single"),
        ..file("tool", "1.0.0", LINUX)
    };
    world.publish("tool", "1.0.0", LINUX, tool);
    let mut requirements = wishes(&[("tool", "pypi:tool", "*")]);
    requirements.platforms = [LINUX].into();
    let lock = world.resolve(&requirements, None, &Mode::Keep).expect("resolve");
    let locked = Locked { world, requirements, lock };
    let done = locked.sync().expect("sync");
    let program = fs::read(&done[&dep("tool")].path().join("tool")).expect("read");
    assert_eq!(program, elf(LINUX, "single"));
}

#[test]
fn a_directory_is_copied_and_compared() {
    let world = World::new();
    let top = world.directory("tools");
    fs::write_atomic(&top.join("go"), b"#!/bin/sh\n").expect("write");
    fs::chmod(&top.join("go"), 0o755).expect("chmod");
    let mut requirements = wishes(&[("tools", "path:tools", "*")]);
    requirements.platforms = [LINUX].into();
    let lock = world.resolve(&requirements, None, &Mode::Keep).expect("resolve");
    let fresh = World::new();
    let there = fresh.directory("tools");
    fs::write_atomic(&there.join("go"), b"#!/bin/sh\n").expect("write");
    fs::chmod(&there.join("go"), 0o755).expect("chmod");
    let locked = Locked { world: fresh, requirements, lock };
    fs::write_atomic(&there.join("more"), b"x").expect("write");
    assert_eq!(locked.sync().expect_err("refused").kind(), Kind::Integrity);
    fs::remove_file_if_exists(&there.join("more")).expect("remove");
    assert_eq!(locked.sync().expect("sync").len(), 1);
}

#[test]
fn sixteen_syncs_at_once_download_once() {
    let locked = locked(&["a"]);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..16).map(|_| scope.spawn(|| locked.sync())).collect();
        for one in all {
            one.join().expect("thread").expect("sync");
        }
    });
    assert_eq!(locked.world.traffic().0.len(), 1);
}
