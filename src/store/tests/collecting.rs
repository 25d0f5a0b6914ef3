//! Collection: what stays, what goes, and when nothing goes.

use super::*;

fn names(report: &GcReport) -> BTreeSet<ObjectName> {
    report.objects.iter().filter_map(|o| o.object.clone()).collect()
}

fn set<'a>(objects: impl IntoIterator<Item = &'a ObjectPath>) -> BTreeSet<ObjectName> {
    objects.into_iter().map(|o| o.name().clone()).collect()
}

#[test]
fn roots_keep_objects_and_their_references() {
    let f = Fixture::new();
    let (tool, unused) = (f.object("tool-1", "one"), f.object("unused-1", "two"));
    let env = f.linked("env", &tool);
    // As profiles do it: a link to the link of a generation, which points to the object.
    fs::symlink(env.path(), &f.path("test-1")).expect("link");
    fs::symlink(Path::new("test-1"), &f.path("test")).expect("link");
    f.store.add_root(&f.path("test")).expect("root");
    f.store.add_root(&f.path("test")).expect("idempotent");
    assert_eq!(f.list("roots").len(), 1);

    let dry = GcOptions { dry_run: true, ..GcOptions::default() };
    let plan = f.store.gc(&dry).expect("plan");
    assert_eq!(names(&plan), set([&unused]));
    assert!(f.store.get(unused.name()).expect("get").is_some(), "a plan removes nothing");

    let done = f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(GcReport { dry_run: true, ..done.clone() }, plan, "the plan is what was done");
    assert_eq!(done.kept, 2);
    assert!(done.freed > 0);
    assert!(f.store.get(unused.name()).expect("get").is_none());
    f.store.check(&tool, CheckLevel::Quick).expect("kept");
    f.store.check(&env, CheckLevel::Quick).expect("kept");
    f.assert_clean();

    fs::remove_file_if_exists(&f.path("test")).expect("rm");
    assert_eq!(f.store.roots().expect("roots"), []);
    assert_eq!(f.list("roots"), Vec::<String>::new(), "pruned");
    let done = f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(names(&done), set([&tool, &env]));
    assert_eq!(f.list("store"), Vec::<String>::new());
}

#[test]
fn a_root_keeps_its_object_though_the_store_moved() {
    let f = Fixture::new();
    let object = f.object("tool-1", "one");
    fs::symlink(object.path(), &f.path("link")).expect("link");
    f.store.add_root(&f.path("link")).expect("root");
    fs::rename(f.store.root(), &f.path("elsewhere")).expect("move");
    let moved = store_at(&f.path("elsewhere"));
    assert_eq!(moved.gc(&GcOptions::default()).expect("gc").objects, []);
    assert!(moved.get(object.name()).expect("get").is_some());
}

#[test]
fn a_running_process_keeps_what_it_holds() {
    let f = Fixture::new();
    let (tool, other) = (f.object("tool-1", "one"), f.object("other-1", "two"));
    let env = f.linked("env", &tool);
    let lease = f.store.hold(&set([&env]), "infra run").expect("hold");
    let roots = f.store.roots().expect("roots");
    assert!(matches!(&roots[0].kind, RootKind::Process { pid, purpose, .. }
            if *pid == std::process::id() && purpose == "infra run"));
    let done = f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(names(&done), set([&other]));
    drop(lease);
    assert_eq!(f.list("roots"), Vec::<String>::new());
    let done = f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(names(&done), set([&tool, &env]));
}

#[test]
fn the_lease_of_a_dead_process_keeps_nothing_and_is_swept() {
    let f = Fixture::new();
    let object = f.object("tool-1", "one");
    let lease = f.store.hold(&set([&object]), "infra run").expect("hold");
    // A process that is killed runs no destructor: the files stay, the kernel drops the lock.
    let roots = f.store.root().join("roots");
    let copies: Vec<_> = fs::read_dir_names(&roots).expect("list");
    let kept: Vec<_> =
        copies.iter().map(|n| (roots.join(n), fs::read(&roots.join(n)).expect("read"))).collect();
    drop(lease);
    for (path, bytes) in &kept {
        fs::write_atomic(path, bytes).expect("write");
    }
    assert_eq!(f.list("roots").len(), 2);
    let done = f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(names(&done), set([&object]));
    assert_eq!(f.list("roots"), Vec::<String>::new());
}

#[test]
fn an_unreadable_root_stops_everything() {
    use crate::base::Diagnose as _;
    let f = Fixture::new();
    let object = f.object("tool-1", "one");
    let entry = f.store.root().join("roots/strange");
    write(&entry, "from a later version", 0o644);
    let error = f.store.gc(&GcOptions::default()).expect_err("fails closed");
    assert!(error.to_string().contains("roots/strange"), "{error}");
    assert!(error.hints().iter().any(|h| h.0 == "nothing was removed"));
    assert!(f.store.get(object.name()).expect("get").is_some());

    fs::remove_file_if_exists(&entry).expect("rm");
    write(&f.path("no-link"), "a file where a link was", 0o644);
    f.store.add_root(&f.path("no-link")).expect("root");
    assert!(matches!(f.store.gc(&GcOptions::default()), Err(Error::UnreadableRoot { .. })));
    assert!(f.store.get(object.name()).expect("get").is_some());
}

#[test]
fn a_reachable_object_with_a_damaged_registration_stops_everything() {
    let f = Fixture::new();
    let tool = f.object("tool-1", "one");
    let env = f.linked("env", &tool);
    let lease = f.store.hold(&set([&env]), "test").expect("hold");
    let path = f.store.layout.registration(env.name().digest());
    fs::write_atomic(&path, b"{}").expect("write");
    assert!(matches!(f.store.gc(&GcOptions::default()), Err(Error::BadRegistration { .. })));
    assert!(f.store.get(tool.name()).expect("get").is_some(), "its references are unknown");
    drop(lease);
    f.store.gc(&GcOptions::default()).expect("nothing reaches it now");
    assert_eq!(f.list("store"), Vec::<String>::new());
    f.assert_clean();
}

#[test]
fn leftovers_of_dead_processes_are_swept_and_others_are_not() {
    let f = Fixture::new();
    let object = f.object("tool-1", "one");
    fs::remove_file_if_exists(&f.store.layout.registration(object.name().digest())).expect("rm");
    let tmp = f.store.temp_dir().expect("tmp");
    // No process has so high a number (the kernel's limit is 2^22).
    let (dead, live) = ("work.4194399-0".to_owned(), format!("work.{}-0", std::process::id()));
    // Nobody stages while we collect, whatever the pid says.
    let staged = format!("add.{}-0", std::process::id());
    for name in [dead.as_str(), live.as_str(), staged.as_str(), "unknown"] {
        write(&tmp.join(name).join("deep/file"), "x", 0o444);
        fs::chmod(&tmp.join(name).join("deep"), 0o555).expect("chmod");
    }
    write(&f.store.root().join("store/not-ours"), "x", 0o644);
    f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(f.list("tmp"), ["unknown".to_owned(), live]);
    assert_eq!(f.list("store"), ["not-ours"]);
    assert_eq!(f.list("locks"), Vec::<String>::new());
}

#[test]
fn modules_that_a_dead_process_fetched_are_swept() {
    let f = Fixture::new();
    let go = f.store.artifacts().go().expect("go");
    let partial = go.join("modules/partial");
    let (dead, live) = ("module.4194399-0", format!("module.{}-0", std::process::id()));
    for name in [dead, live.as_str(), "unknown"] {
        write(&partial.join(name).join("file"), "half", 0o644);
    }
    let kept = go.join("modules/example.com/a/@v/v1.0.0.mod");
    write(&kept, "module example.com/a", 0o644);
    f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(fs::read_dir_names(&partial).expect("names"), [live.as_str(), "unknown"]);
    assert!(fs::exists(&kept).expect("look"), "a whole module stays");
    f.store.gc(&GcOptions { artifacts: true, ..GcOptions::default() }).expect("gc");
    assert!(!fs::exists(&kept).expect("look"));
}

#[test]
fn young_objects_stay_when_asked() {
    let f = Fixture::new();
    let object = f.object("tool-1", "one");
    let older_than = |age| GcOptions { older_than: Some(age), ..GcOptions::default() };
    let done = f.store.gc(&older_than(Duration::from_secs(3600))).expect("gc");
    assert_eq!(done.objects, []);
    let mut known = registration::Registration::load(&f.store.layout, object.name().digest())
        .expect("load")
        .expect("there");
    known.made_older(7200);
    known.store(&f.store.layout).expect("store");
    let done = f.store.gc(&older_than(Duration::from_secs(3600))).expect("gc");
    assert_eq!(names(&done), set([&object]));
}

#[test]
fn a_bound_removes_the_oldest_unused_first_and_artifacts_last() {
    let f = Fixture::new();
    let objects = [f.object("a-1", "one"), f.object("b-1", "two"), f.object("c-1", "three")];
    for (i, object) in objects.iter().enumerate() {
        let mut known = registration::Registration::load(&f.store.layout, object.name().digest())
            .expect("load")
            .expect("there");
        known.added = 1000 - i as u64;
        known.store(&f.store.layout).expect("store");
    }
    let artifact = Integrity::sha256_of(b"artifact");
    let partial = f.store.artifacts().partial(&artifact).expect("partial");
    fs::write_atomic(&partial, b"artifact").expect("write");
    f.store.artifacts().admit(&partial, &artifact, &artifact, "x", "here").expect("admit");

    let info = f.store.info().expect("info");
    assert_eq!((info.objects, info.artifacts, info.artifact_bytes), (3, 1, 8));
    let all = info.object_bytes + info.artifact_bytes;
    let bound = |bytes| GcOptions { max_size: Some(bytes), dry_run: true, ..GcOptions::default() };
    assert_eq!(f.store.gc(&bound(all)).expect("plan").objects, []);
    let plan = f.store.gc(&bound(all - 1)).expect("plan");
    assert_eq!(names(&plan), set([&objects[2]]), "the oldest");
    let plan = f.store.gc(&bound(0)).expect("plan");
    assert_eq!((plan.objects.len(), plan.artifacts.len(), plan.remaining), (3, 1, 0));

    let done = f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(done.artifacts, [], "only when asked");
    let done = f.store.gc(&GcOptions { artifacts: true, ..GcOptions::default() }).expect("gc");
    assert_eq!(done.artifacts.len(), 1);
    assert_eq!(f.list("artifacts/sha256"), Vec::<String>::new());
}

#[test]
fn collection_waits_for_a_pause_to_end() {
    let f = Fixture::new();
    f.object("tool-1", "one");
    let quick = Store::new(f.store.root().into(), f.path("root/artifacts"), Duration::ZERO);
    let pause = quick.pause_gc(&crate::base::Quiet).expect("pause");
    let dry = GcOptions { dry_run: true, ..GcOptions::default() };
    assert_eq!(quick.gc(&dry).expect("a plan need not wait").objects.len(), 1);
    let refused = quick.gc(&GcOptions::default());
    assert!(matches!(refused, Err(Error::Fs(fs::Error::Locked { .. }))));
    assert_eq!(f.list("store").len(), 1);
    drop(pause);
    assert_eq!(quick.gc(&GcOptions::default()).expect("gc").objects.len(), 1);
}

#[test]
fn adding_and_collecting_at_once_lose_nothing_held() {
    let f = Fixture::new();
    let held = f.object("held-1", "held");
    let _lease = f.store.hold(&set([&held]), "test").expect("hold");
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let f = &f;
            scope.spawn(move || {
                for round in 0..5 {
                    f.object("x-1", &format!("{}", (worker + round) % 3));
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..10 {
                f.store.gc(&GcOptions::default()).expect("gc");
            }
        });
    });
    f.store.check(&held, CheckLevel::Full).expect("held");
    let report = f.store.verify(CheckLevel::Full, &|_| {}).expect("verify");
    assert_eq!(report.damaged, []);
    f.store.gc(&GcOptions::default()).expect("gc");
    f.assert_clean();
}
