//! Damage: found quickly, named precisely, taken out of the way.

use std::sync::Mutex;

use super::*;

#[test]
fn a_hidden_change_is_found_by_a_quick_check() {
    let f = Fixture::new();
    let object = f.object("tool-1", "one");
    tamper(&object.path().join("bin/tool"));
    let error = f.store.check(&object, CheckLevel::Quick).expect_err("changed");
    let Error::Damaged { expected, actual, .. } = &error else { panic!("{error}") };
    assert_eq!(expected, object.tree());
    assert_ne!(actual, expected);
    let details = crate::base::Diagnose::details(&error).join("\n");
    assert!(details.contains(&expected.to_string()) && details.contains(&actual.to_string()));
    assert!(crate::base::Diagnose::hints(&error)[0].0.contains("infra store repair"));
}

#[test]
fn added_removed_and_renamed_entries_are_found() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 4] = [
        ("an added file", |o| write(&o.join("bin/new"), "x", 0o444)),
        ("a removed file", |o| fs::remove_file_if_exists(&o.join("bin/tool")).expect("rm")),
        ("a renamed file", |o| {
            fs::rename(&o.join("bin/tool"), &o.join("bin/tool2")).expect("mv");
        }),
        ("a mode", |o| fs::chmod(&o.join("bin/tool"), 0o444).expect("chmod")),
    ];
    for (what, change) in changes {
        let f = Fixture::new();
        let object = f.object("tool-1", "one");
        fs::chmod(&object.path().join("bin"), 0o755).expect("chmod");
        change(object.path());
        let found = f.store.check(&object, CheckLevel::Quick);
        assert!(matches!(found, Err(Error::Damaged { .. })), "{what}: {found:?}");
    }
}

#[test]
fn a_touched_but_equal_object_is_good_and_sealed_again() {
    let f = Fixture::new();
    let object = f.object("tool-1", "one");
    let stamp = || {
        let known = Registration::load(&f.store.layout, object.name().digest());
        known.expect("load").expect("there").stamp
    };
    let before = stamp();
    fs::chmod(&object.path().join("bin/tool"), 0o755).expect("chmod");
    f.store.check(&object, CheckLevel::Quick).expect("the bytes are right");
    assert_ne!(stamp(), before, "refreshed");
    assert_eq!(fs::lstat(&object.path().join("bin/tool")).expect("lstat").mode() & 0o777, 0o555);
    let refreshed = stamp();
    f.store.check(&object, CheckLevel::Quick).expect("quick now");
    assert_eq!(stamp(), refreshed);
}

#[test]
fn verification_lists_all_damage_and_repair_clears_it() {
    let f = Fixture::new();
    let good = f.object("good-1", "good");
    let changed = f.object("changed-1", "changed");
    let missing = f.object("missing-1", "missing");
    let unregistered = f.object("edited-1", "edited");
    tamper(&changed.path().join("bin/tool"));
    fs::remove_tree(missing.path()).expect("rm");
    let meta = f.store.layout.registration(unregistered.name().digest());
    fs::write_atomic(&meta, b"{\"version\": 1}").expect("write");
    let artifact = Integrity::sha256_of(b"artifact");
    let partial = f.store.artifacts().partial(&artifact).expect("partial");
    fs::write_atomic(&partial, b"artifact").expect("write");
    let cached = f.store.artifacts().admit(&partial, &artifact, &artifact, "x", "here");
    let cached = cached.expect("admit");
    tamper(cached.path());

    let last = Mutex::new((0, 0));
    let seen = |p: Progress| {
        let mut last = last.lock().expect("lock");
        *last = (last.0.max(p.done), p.total);
    };
    let report = f.store.verify(CheckLevel::Full, &seen).expect("verify");
    assert_eq!(*last.lock().expect("lock"), (4, 4));
    assert_eq!((report.objects, report.artifacts), (3, 1));
    let subjects: BTreeSet<String> = report.damaged.iter().map(Damage::subject).collect();
    let expected = [
        changed.name().to_string(),
        missing.name().to_string(),
        unregistered.name().digest().to_string(),
        cached.path().display().to_string(),
    ];
    assert_eq!(subjects, expected.into());
    assert!(report.damaged.iter().any(|d| matches!(d, Damage::Missing { .. })));
    assert!(report.damaged.iter().any(|d| matches!(d, Damage::Changed { .. })));

    let quick = f.store.verify(CheckLevel::Quick, &|_| {}).expect("verify");
    assert_eq!(quick.damaged.len(), 3, "artifacts are hashed by a full verification only");

    let done = f.store.repair(&report).expect("repair");
    let refetch: BTreeSet<_> = done.refetch.iter().map(|r| r.object.clone()).collect();
    assert_eq!(refetch, BTreeSet::from([changed.name().clone(), missing.name().clone()]));
    assert_eq!(done.artifacts, [cached.path()]);
    assert_eq!(done.registrations, [unregistered.name().digest()]);
    assert!(f.store.get(changed.name()).expect("get").is_none());
    assert_eq!(f.store.verify(CheckLevel::Full, &|_| {}).expect("verify").damaged, []);
    assert_eq!(f.store.repair(&report).expect("again"), RepairReport::default());

    assert_eq!(f.object("changed-1", "changed"), changed);
    assert_eq!(f.object("edited-1", "edited"), unregistered);
    f.store.check(&good, CheckLevel::Full).expect("untouched");
}

#[test]
fn a_good_object_is_never_removed() {
    let f = Fixture::new();
    let object = f.object("tool-1", "one");
    assert!(!f.store.remove_damaged(object.name()).expect("refused"));
    f.store.check(&object, CheckLevel::Full).expect("there");
}

#[test]
fn a_store_that_is_not_there_is_empty() {
    let f = Fixture::new();
    let info = f.store.info().expect("info");
    assert_eq!((info.objects, info.artifacts, info.link_roots), (0, 0, 0));
    assert!(info.total > 0);
    assert_eq!(f.store.verify(CheckLevel::Full, &|_| {}).expect("verify"), VerifyReport::default());
    assert_eq!(f.store.gc(&GcOptions::default()).expect("gc"), GcReport::default());
    assert_eq!(f.store.roots().expect("roots"), []);
    assert!(!fs::exists(f.store.root()).expect("exists"), "looking creates nothing");
}
