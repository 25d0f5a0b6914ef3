//! The room as a whole, on a real store: resolve, build, switch, use, roll back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::activate::{Format, Purity};
use super::ports::InUse;
use super::testing::{PLATFORM, lock, profile};
use super::*;
use crate::base::{DepName, Diagnose as _, Kind, Quiet, RelPath};
use crate::config::Environ;
use crate::fs;
use crate::lock::model::Pin;
use crate::store::{GcOptions, ObjectPath, Store};

const WAIT: Duration = Duration::from_secs(30);

/// A project, and a store at a place of its own.
struct World {
    _dir: tempfile::TempDir,
    project: PathBuf,
    store: Store,
    objects: BTreeMap<DepName, ObjectPath>,
    pins: Vec<(&'static str, Pin)>,
}

impl World {
    /// `below` makes the paths of two worlds differ in length.
    fn new(below: &str) -> Self {
        let dir = tempfile::tempdir().expect("tempdir");
        let root = fs::canonicalize(dir.path()).expect("resolve").join(below);
        let project = root.join("project");
        fs::create_dir_all(&project.join("profiles")).expect("mkdir");
        let write = |path: &str, text: &str| {
            fs::write_atomic(&project.join(path), text.as_bytes()).expect("write");
        };
        write("profiles/dev.toml", "[dep]\n");
        write("dep.lock.json", "{}\n");
        write("nats.conf", "port: 4222\n");
        let store = Store::new(root.join("st"), root.join("st/artifacts"), WAIT);
        let mut world = Self {
            _dir: dir,
            project,
            store,
            objects: BTreeMap::new(),
            pins: super::testing::pins().to_vec(),
        };
        for index in 0..world.pins.len() {
            world.add_dep(index, "1");
        }
        world
    }

    /// Puts a dep into the store and its pin into the lock.
    fn add_dep(&mut self, index: usize, says: &str) {
        let (name, pin) = &mut self.pins[index];
        let tree = self.project.join("tree");
        fs::remove_tree(&tree).expect("remove");
        for path in pin.bin.values() {
            let file = path.under(&tree);
            fs::create_dir_all(file.parent().expect("parent")).expect("mkdir");
            fs::write_atomic(&file, format!("{name} {says}").as_bytes()).expect("write");
        }
        let executables: BTreeSet<_> = pin.bin.values().cloned().collect();
        let object = self
            .store
            .add_directory(&tree, &format!("{name}-1.0"), &executables, None, name)
            .expect("add");
        fs::remove_tree(&tree).expect("remove");
        (pin.tree, pin.object) = (*object.tree(), object.name().clone());
        self.objects.insert(name.parse().expect("name"), object);
    }

    fn resolved(&self) -> Resolved {
        resolve(&profile(), &lock(&self.pins), PLATFORM, &|_| None).expect("resolve")
    }

    fn build(&self) -> ObjectPath {
        let files = build::read_files(&self.project, &profile().etc).expect("files");
        build::build(&self.store, &self.resolved(), &self.objects, files).expect("build")
    }

    fn inputs(&self) -> Inputs {
        let profile = profile();
        let lock = self.project.join("dep.lock.json");
        Inputs::collect(&self.project, &profile.files, &lock, &profile.etc, PLATFORM)
            .expect("inputs")
    }

    fn generations(&self) -> Generations {
        Generations::new(&self.project, &"dev".parse().expect("name"))
    }

    fn with_change<T>(&self, run: impl FnOnce(&Change<'_>) -> T) -> T {
        let inputs = self.inputs();
        let now = Timestamp::UNIX_EPOCH;
        run(&Change { inputs: &inputs, now, wait: WAIT, reporter: &Quiet })
    }

    fn sync(&self) -> Switched {
        let object = self.build();
        self.with_change(|change| self.generations().switch(&self.store, &object, change))
            .expect("switch")
    }

    fn collect(&self) {
        self.store.gc(&GcOptions::default()).expect("gc");
    }
}

/// The warm path: everything `env print` does when nothing changed.
fn print(world: &World, format: Format, environ: &Environ) -> Vec<u8> {
    let fresh = world.generations().fresh(&world.store, PLATFORM).expect("inputs");
    let current = fresh.expect("nothing to do");
    let manifest = current.manifest().expect("manifest");
    let data = values::data_dir(&manifest, &world.project);
    let ports = ports::assign(&data, &manifest.ports, InUse::Keep, WAIT).expect("ports");
    let place = Place {
        project: &world.project,
        object: &current.path,
        digest: &current.record.as_ref().expect("record").digest,
        generation: current.number,
        ports: &ports,
    };
    let values = Values::new(&manifest, &place).expect("values");
    let activation = Activation::new(&values, environ, Purity::Inherit);
    activate::render(format, &activation).expect("render")
}

#[test]
fn two_places_give_one_digest() {
    let (one, two) = (World::new("a"), World::new("somewhere/else/entirely"));
    let (a, b) = (one.build(), two.build());
    assert_eq!(a.name(), b.name());
    assert_eq!(a.tree(), b.tree());
    assert_eq!(a.name().name(), "env-dev");
    fs::write_atomic(&two.project.join("nats.conf"), b"port: 4223\n").expect("write");
    assert_ne!(two.build().tree(), a.tree(), "a file's bytes count");
}

#[test]
fn nothing_of_the_host_is_in_the_object() {
    let world = World::new("a");
    let object = world.build();
    let text = fs::read_to_string(&object.path().join("env.json")).expect("read");
    for host in [&world.project, world.store.root()] {
        assert!(!text.contains(host.to_str().expect("text")), "{text}");
    }
    for command in fs::read_dir_names(&object.path().join("bin")).expect("list") {
        let target = fs::read_link(&object.path().join("bin").join(command)).expect("link");
        assert!(target.starts_with("../.."), "{}", target.display());
    }
}

#[test]
fn the_whole_way_and_the_collector_keeps_it() {
    let mut world = World::new("a");
    let first = world.sync();
    assert!(first.changed());
    assert!(!world.sync().changed(), "idempotent");
    world.collect();

    let current = world.generations().require().expect("current");
    let registered = current.registered(&world.store).expect("read").expect("kept");
    assert_eq!(registered.tree(), &first.generation.record.as_ref().expect("record").digest);
    let manifest = current.manifest().expect("manifest");
    let program = program::find(&current.path, &manifest, "nats-server").expect("program");
    assert_eq!(program, world.objects["nats"].path().join("bin/nats-server"));
    assert_eq!(fs::read(&program).expect("read"), b"nats 1");

    world.add_dep(0, "2");
    let second = world.sync();
    assert_eq!((second.previous, second.generation.number), (Some(1), 2));
    world.collect();
    let back = world.with_change(|change| world.generations().rollback(&world.store, None, change));
    let back = back.expect("its objects were kept");
    let program = program::find(&back.path, &manifest, "nats-server").expect("program");
    assert_eq!(fs::read(&program).expect("read"), b"nats 1");

    let again = world.with_change(|change| {
        world.generations().rollback(&world.store, Some(2), change).expect("forward");
        world.generations().prune(1, change.wait, change.reporter)
    });
    assert_eq!(again.expect("prune"), [1]);
    world.collect();
    assert!(!fs::exists(&back.path).expect("look"), "forgotten, so collected");
    assert!(world.generations().require().expect("current").path.is_dir());
}

#[test]
fn a_service_is_expanded_for_this_host() {
    let world = World::new("a");
    let current = world.sync().generation;
    let mut manifest = current.manifest().expect("manifest");
    let ports = BTreeMap::from([("nats".to_owned(), 4222)]);
    let place = Place {
        project: &world.project,
        object: &current.path,
        digest: &current.record.as_ref().expect("record").digest,
        generation: current.number,
        ports: &ports,
    };
    let values = Values::new(&manifest, &place).expect("values");
    let mut service = manifest.services["nats"].clone();
    service.cwd = Some("${data}/nats".parse().expect("template"));
    service.env.insert("URL".to_owned(), "${env.NATS_URL}".parse().expect("template"));
    let expanded = ServiceValues::new(&service, &manifest, &values, &place).expect("expand");
    assert_eq!(expanded.program, world.objects["nats"].path().join("bin/nats-server"));
    let conf = current.path.join("etc/nats.conf");
    assert_eq!(expanded.args, ["--config", conf.to_str().expect("text")]);
    assert_eq!(fs::read(&conf).expect("read"), b"port: 4222\n");
    assert_eq!(expanded.env["URL"], "nats://127.0.0.1:4222");
    assert_eq!(expanded.cwd, world.project.join(".data/nats"));
    assert_eq!(expanded.ports, ports);
    let probe = service::ProbeValues::Tcp("127.0.0.1:4222".to_owned());
    let ready = service::ReadyValues { probe, timeout: Duration::from_secs(30) };
    assert_eq!(expanded.ready, Some(ready));

    manifest.commands.clear();
    let error = ServiceValues::new(&service, &manifest, &values, &place).expect_err("no command");
    assert!(matches!(error, Error::NoCommand { .. }), "{error}");
}

#[test]
fn what_has_to_be_done_first_is_seen() {
    let world = World::new("a");
    let fresh = || world.generations().fresh(&world.store, PLATFORM).expect("read").is_some();
    assert!(!fresh(), "never built");
    let first = world.sync();
    assert!(fresh());
    let conf = world.project.join("nats.conf");
    fs::write_atomic(&conf, b"port: 1\n").expect("write");
    assert!(!fresh(), "a file changed");
    fs::write_atomic(&conf, b"port: 4222\n").expect("write");
    assert!(fresh(), "and back");
    let other = Store::new(world.project.join("st2"), world.project.join("st2/a"), WAIT);
    let elsewhere = world.generations().fresh(&other, PLATFORM).expect("read");
    assert_eq!(elsewhere, None, "another store has no such object");
    fs::remove_file_if_exists(&first.generation.link).expect("remove");
    assert!(!fresh(), "damaged");
    assert_eq!(world.sync().generation.number, 1);
    assert!(fresh(), "mended");
    fs::remove_tree(&first.generation.path).expect("remove");
    assert!(!fresh(), "its object is gone");
}

#[test]
fn a_generation_whose_object_is_gone_is_no_target() {
    let mut world = World::new("a");
    let first = world.sync();
    world.add_dep(0, "2");
    world.sync();
    fs::remove_tree(&first.generation.path).expect("remove");
    let error = world
        .with_change(|change| world.generations().rollback(&world.store, None, change))
        .expect_err("gone");
    assert!(matches!(error, Error::GenerationGone { number: 1, .. }), "{error}");
    assert_eq!(world.generations().require().expect("current").number, 2);
}

#[test]
fn only_the_locks_own_objects_are_taken() {
    let mut world = World::new("a");
    let resolved = world.resolved();
    let build = |objects: &BTreeMap<DepName, ObjectPath>, resolved: &Resolved| {
        build::build(&world.store, resolved, objects, BTreeMap::new()).expect_err("refused")
    };
    let mut swapped = world.objects.clone();
    swapped.insert("nats".parse().expect("name"), world.objects["tool"].clone());
    let error = build(&swapped, &resolved);
    assert!(matches!(error, Error::WrongObject { .. }));
    assert_eq!(error.kind(), Kind::Integrity);
    swapped.remove("nats");
    assert!(matches!(build(&swapped, &resolved), Error::MissingObject { .. }));

    let tool = &mut world.pins[1].1;
    let path = tool.bin.values_mut().next().expect("path");
    *path = RelPath::new("bin/other").expect("path");
    let error = build(&world.objects, &world.resolved());
    assert!(matches!(error, Error::CommandMissing { .. }), "{error}");
}

#[test]
fn every_format_prints_and_prints_the_same_again() {
    let world = World::new("a");
    world.sync();
    let environ = Environ::from_vars([("PATH", "/usr/bin")]);
    for (name, format) in Format::ALL {
        let printed = print(&world, format, &environ);
        assert!(!printed.is_empty(), "{name}");
        let path = String::from_utf8(print(&world, Format::Json, &environ)).expect("text");
        let path: BTreeMap<String, String> = serde_json::from_str(&path).expect("json");
        let inside = Environ::from_vars([("PATH", path["PATH"].as_str())]);
        assert_eq!(print(&world, format, &inside), printed, "{name} inside itself");
    }
    fs::write_atomic(&world.project.join("dep.lock.json"), b"{ }\n").expect("write");
    let current = world.generations().require().expect("current");
    assert!(!current.is_current(&world.project, PLATFORM).expect("read"), "the lock changed");
}

#[test]
fn the_warm_path_writes_nothing() {
    let world = World::new("a");
    world.sync();
    let listing = |dir: &Path| -> Vec<_> {
        fs::read_dir_names(dir)
            .expect("list")
            .into_iter()
            .map(|name| {
                let meta = fs::lstat(&dir.join(&name)).expect("look");
                (name, meta.modified().expect("time"))
            })
            .collect()
    };
    let dirs = [world.project.clone(), world.project.join(".infra/env"), world.store.root().into()];
    let before: Vec<_> = dirs.iter().map(|dir| listing(dir)).collect();
    print(&world, Format::Bash, &Environ::default());
    let after: Vec<_> = dirs.iter().map(|dir| listing(dir)).collect();
    assert_eq!(before, after);
}
