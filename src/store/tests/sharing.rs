//! Sharing bytes, keeping by name, and why an object stays.

use super::*;
use crate::base::Quiet;
use crate::store::{GcOptions, OptimiseOptions, RootKind};

fn inode(path: &Path) -> u64 {
    fs::lstat(path).expect("lstat").ino()
}

fn tool(object: &ObjectPath) -> PathBuf {
    object.path().join("bin/tool")
}

#[test]
fn the_same_bytes_are_stored_once_and_every_object_still_verifies() {
    let f = Fixture::new();
    let objects = ["a-1", "b-1", "c-1"].map(|name| f.object(name, "the same bytes"));
    let other = f.object("d-1", "other bytes!!!");
    let dry = OptimiseOptions { dry_run: true, ..OptimiseOptions::default() };
    let planned = f.store.optimise(&dry, &Quiet).expect("dry run");
    assert_ne!(inode(&tool(&objects[0])), inode(&tool(&objects[1])), "nothing was changed");

    let done = f.store.optimise(&OptimiseOptions::default(), &Quiet).expect("optimise");
    assert_eq!((done.replaced, done.saved_bytes), (2, 28));
    assert_eq!((planned.replaced, planned.saved_bytes), (done.replaced, done.saved_bytes));
    assert_eq!(inode(&tool(&objects[0])), inode(&tool(&objects[1])));
    assert_eq!(inode(&tool(&objects[0])), inode(&tool(&objects[2])));
    assert_ne!(inode(&tool(&objects[0])), inode(&tool(&other)));
    for object in &objects {
        let level = CheckLevel::Full;
        f.store.check(object, level).expect("verifies");
        let known = Registration::load(&f.store.layout, object.name().digest());
        let known = known.expect("load").expect("registered");
        let now = stamp::Stamp::of_tree(object.path()).expect("stamp");
        assert_eq!(now, known.stamp, "the next check is quick");
        let meta = fs::lstat(&object.path().join("bin")).expect("lstat");
        assert_eq!((meta.mode() & 0o777, meta.mtime()), (0o555, 1), "sealed again");
    }
    let again = f.store.optimise(&OptimiseOptions::default(), &Quiet).expect("again");
    assert_eq!((again.replaced, again.saved_bytes, again.shared_bytes), (0, 0, 28));
    f.assert_clean();
}

#[test]
fn a_changed_object_neither_gives_nor_takes_bytes() {
    let f = Fixture::new();
    let (good, bad) = (f.object("a-1", "the same bytes"), f.object("b-1", "the same bytes"));
    tamper(&tool(&bad));
    let done = f.store.optimise(&OptimiseOptions::default(), &Quiet).expect("optimise");
    assert_eq!((done.replaced, done.skipped), (0, vec![bad.name().to_string()]));
    f.store.check(&good, CheckLevel::Full).expect("untouched");
}

#[test]
fn modes_are_part_of_what_must_be_the_same() {
    let f = Fixture::new();
    let plain = tempfile::tempdir().expect("tempdir");
    write(&plain.path().join("bin/tool"), "the same bytes", 0o644);
    f.store.add_directory(plain.path(), "a-1", &BTreeSet::new(), None, "a").expect("add");
    f.object("b-1", "the same bytes");
    let done = f.store.optimise(&OptimiseOptions::default(), &Quiet).expect("optimise");
    assert_eq!(done.replaced, 0);
}

#[test]
fn a_collected_object_does_not_take_shared_bytes_along() {
    let f = Fixture::new();
    let (kept, gone) = (f.object("a-1", "the same bytes"), f.object("b-1", "the same bytes"));
    f.store.optimise(&OptimiseOptions::default(), &Quiet).expect("optimise");
    f.store.pin("mine", kept.name()).expect("pin");
    let report = f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(report.objects.len(), 1);
    assert!(!fs::exists(gone.path()).expect("exists"));
    f.store.check(&kept, CheckLevel::Full).expect("still whole");
}

#[test]
fn a_pin_keeps_its_object_and_what_it_refers_to() {
    let f = Fixture::new();
    let (low, loose) = (f.object("low-1", "low"), f.object("loose-1", "loose"));
    let high = f.linked("high-1", &low);
    assert_eq!(f.store.pin("release", high.name()).expect("pin"), None);
    let kept = f.store.why(low.name()).expect("why");
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].root.kind, RootKind::Pin("release".to_owned()));
    assert_eq!(kept[0].chain, [high.name().clone(), low.name().clone()]);
    assert_eq!(f.store.why(loose.name()).expect("why"), []);

    f.store.gc(&GcOptions::default()).expect("gc");
    assert!(f.store.get(low.name()).expect("get").is_some());
    assert!(f.store.get(loose.name()).expect("get").is_none());

    assert_eq!(f.store.pin("release", low.name()).expect("move"), Some(high.name().clone()));
    f.store.gc(&GcOptions::default()).expect("gc");
    assert!(f.store.get(high.name()).expect("get").is_none(), "the pin moved away");
    assert_eq!(f.store.unpin("release").expect("unpin"), *low.name());
    assert!(matches!(f.store.unpin("release"), Err(Error::NoPin { .. })));
    f.store.gc(&GcOptions::default()).expect("gc");
    assert_eq!(f.list("store"), Vec::<String>::new());
}

#[test]
fn a_pin_that_cannot_be_read_stops_the_collector() {
    let f = Fixture::new();
    let object = f.object("a-1", "a");
    f.store.pin("ok", object.name()).expect("pin");
    fs::symlink(Path::new("nowhere"), &f.store.layout.pins().join("odd")).expect("link");
    assert!(matches!(f.store.gc(&GcOptions::default()), Err(Error::UnreadableRoot { .. })));
    assert!(f.store.get(object.name()).expect("get").is_some());
}

#[test]
fn names_and_digests_find_objects() {
    let f = Fixture::new();
    let (a, b) = (f.object("a-1", "a"), f.object("b-1", "b"));
    assert_eq!(f.store.find("a-1").expect("name"), *a.name());
    assert_eq!(f.store.find(&b.name().to_string()).expect("whole"), *b.name());
    assert_eq!(f.store.find(&b.name().to_string()[..12]).expect("start"), *b.name());
    assert!(matches!(f.store.find("c-1"), Err(Error::NoObject { .. })));
    assert!(matches!(f.store.find(""), Err(Error::NoObject { .. })));
    let twin = f.object("a-1", "another a");
    assert_ne!(twin.name(), a.name());
    assert!(
        matches!(f.store.find("a-1"), Err(Error::Ambiguous { objects, .. }) if objects.len() == 2)
    );
    for bad in ["", ".x", "a/b", "a b", "ä"] {
        assert!(matches!(f.store.pin(bad, a.name()), Err(Error::PinName { .. })), "{bad}");
    }
}
