//! Adding: what is registered, and what is left when nothing is.

use super::*;
use crate::base::TreeHash;
use crate::nar;

fn none() -> BTreeSet<RelPath> {
    BTreeSet::new()
}

/// Every entry of a tree: path, mode, mtime.
pub(super) fn entries(root: &Path) -> Vec<(String, u32, i64)> {
    fn walk(root: &Path, path: &Path, out: &mut Vec<(String, u32, i64)>) {
        let meta = fs::lstat(path).expect("lstat");
        let shown = path.strip_prefix(root).expect("inside").display().to_string();
        out.push((shown, meta.mode(), meta.mtime()));
        if meta.is_dir() {
            for name in fs::read_dir_names(path).expect("list") {
                walk(root, &path.join(name), out);
            }
        }
    }
    let mut out = Vec::new();
    walk(root, root, &mut out);
    out
}

#[test]
fn a_directory_becomes_a_sealed_object() {
    let f = Fixture::new();
    write(&f.path("src/bin/tool"), "#!", 0o700);
    write(&f.path("src/share/readme"), "text", 0o666);
    write(&f.path("src/share/script"), "text", 0o600);
    fs::symlink(Path::new("../bin/tool"), &f.path("src/share/link")).expect("link");
    let commands = BTreeSet::from([RelPath::new("share/script").expect("path")]);
    let added = f.store.add_directory(&f.path("src"), "x-1.0", &commands, None, "x 1.0");
    let object = added.expect("add");

    assert_eq!(f.store.get(object.name()).expect("get"), Some(object.clone()));
    assert_eq!(nar::hash_path(object.path()).expect("hash").0, *object.tree());
    let entry = |path: &str, mode| (path.to_owned(), mode, 1);
    assert_eq!(
        entries(object.path()),
        [
            entry("", 0o040_555),
            entry("bin", 0o040_555),
            entry("bin/tool", 0o100_555),
            entry("share", 0o040_555),
            entry("share/link", 0o120_777),
            entry("share/readme", 0o100_444),
            entry("share/script", 0o100_555),
        ]
    );
    f.store.check(&object, CheckLevel::Quick).expect("quick");
    f.store.check(&object, CheckLevel::Full).expect("full");
    let known: Vec<_> = f.store.objects().expect("objects").collect::<Result<_>>().expect("good");
    assert_eq!(known[0].origin, Origin::Directory { shown: "x 1.0".to_owned() });
    f.assert_clean();
}

#[test]
fn the_umask_changes_nothing() {
    // The umask is of the whole process: a child of this test binary has its own.
    const CHILDREN: [&str; 2] = [
        "store::tests::adding::a_directory_becomes_a_sealed_object",
        "store::tests::unpacking::an_artifact_is_unpacked_compared_and_registered",
    ];
    let this = std::env::current_exe().expect("exe");
    for umask in ["000", "027", "077"] {
        #[allow(clippy::disallowed_methods, reason = "a test starts itself")]
        let status = std::process::Command::new("sh")
            .args(["-c", "umask \"$0\" && exec \"$@\"", umask])
            .arg(&this)
            .arg("--exact")
            .args(CHILDREN)
            .output()
            .expect("sh");
        let out = String::from_utf8_lossy(&status.stdout);
        assert!(status.status.success() && out.contains("2 passed"), "umask {umask}: {out}");
    }
}

#[test]
fn another_tree_than_the_locked_one_leaves_nothing() {
    let f = Fixture::new();
    write(&f.path("src/a"), "a", 0o644);
    let wrong = TreeHash::new([9; 32]);
    let shown = "x 1.0 (x86_64-linux)";
    let refused = f.store.add_directory(&f.path("src"), "x-1.0", &none(), Some(&wrong), shown);
    let error = refused.expect_err("mismatch");
    assert!(matches!(&error, Error::TreeMismatch { expected, .. } if *expected == wrong));
    assert_eq!(error.to_string(), "tree hash mismatch for x 1.0 (x86_64-linux)");
    assert_eq!(crate::base::Diagnose::kind(&error), crate::base::Kind::Integrity);
    let details = crate::base::Diagnose::details(&error);
    assert_eq!(details[0], format!("expected  {wrong}  from dep.lock.json"));
    assert!(details[1].starts_with("received  sha256-"), "{details:?}");
    assert_eq!(f.list("store"), Vec::<String>::new());
    f.assert_clean();
}

#[test]
fn a_build_that_fails_leaves_nothing() {
    let f = Fixture::new();
    let failed = f.store.add_built("env", &BTreeSet::new(), &mut |dir| {
        write(&dir.join("half"), "made", 0o644);
        fs::chmod(dir, 0o555)?;
        fs::read(&dir.join("missing")).map(drop)
    });
    assert!(matches!(failed, Err(Error::Fs(e)) if e.is_not_found()));
    assert_eq!(f.list("store"), Vec::<String>::new());
    f.assert_clean();
}

#[test]
fn a_registration_that_cannot_be_written_leaves_no_tree() {
    let f = Fixture::new();
    let meta = f.store.root().join("meta");
    let failed = f.store.add_built("env", &BTreeSet::new(), &mut |dir| {
        write(&dir.join("a"), "a", 0o644);
        fs::remove_tree(&meta)
    });
    assert!(matches!(failed, Err(Error::Fs(_))), "{failed:?}");
    f.assert_clean();
}

#[test]
fn what_a_killed_process_left_is_replaced() {
    let f = Fixture::new();
    let object = f.object("x-1.0", "good");
    fs::remove_file_if_exists(&f.store.layout.registration(object.name().digest())).expect("rm");
    tamper(&object.path().join("bin/tool"));
    assert_eq!(f.store.get(object.name()).expect("get"), None, "unregistered does not exist");
    assert_eq!(f.object("x-1.0", "good"), object);
    f.store.check(&object, CheckLevel::Full).expect("good again");
    f.assert_clean();
}

#[test]
fn a_damaged_registration_counts_as_none_and_is_replaced() {
    let f = Fixture::new();
    let object = f.object("x-1.0", "good");
    let path = f.store.layout.registration(object.name().digest());
    fs::write_atomic(&path, b"{").expect("write");
    assert_eq!(f.store.get(object.name()).expect("get"), None);
    assert_eq!(f.object("x-1.0", "good"), object);
    assert_eq!(f.store.get(object.name()).expect("get"), Some(object));
    f.assert_clean();
}

#[test]
fn many_at_once_make_one_object() {
    let f = Fixture::new();
    write(&f.path("src/a"), &"a".repeat(100_000), 0o644);
    let added: BTreeSet<ObjectPath> = std::thread::scope(|scope| {
        let add =
            || f.store.add_directory(&f.path("src"), "x-1.0", &none(), None, "x").expect("add");
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(add)).collect();
        threads.into_iter().map(|t| t.join().expect("join")).collect()
    });
    assert_eq!(added.len(), 1);
    assert_eq!(f.list("store").len(), 1);
    f.assert_clean();
    f.store.check(added.first().expect("one"), CheckLevel::Quick).expect("stamp is of the last");
}

#[test]
fn refuses_what_no_object_may_hold() {
    let f = Fixture::new();
    write(&f.path("special/a"), "a", 0o644);
    let _socket = std::os::unix::net::UnixListener::bind(f.path("special/s")).expect("socket");
    let add = |from: &str| f.store.add_directory(&f.path(from), "x", &none(), None, "x 1");
    assert!(
        matches!(add("special"), Err(Error::SpecialFile { path, .. }) if path == Path::new("s"))
    );

    write(&f.path("link/a"), "a", 0o644);
    fs::symlink(Path::new("../special/a"), &f.path("link/out")).expect("link");
    assert!(matches!(add("link"), Err(Error::LinkLeaves { .. })));

    assert!(matches!(add("special/a"), Err(Error::NotADirectory { .. })));
    assert!(matches!(add("."), Err(Error::ContainsStore { .. })), "would copy itself");

    let command = BTreeSet::from([RelPath::new("missing").expect("path")]);
    fs::remove_file_if_exists(&f.path("link/out")).expect("rm");
    let refused = f.store.add_directory(&f.path("link"), "x", &command, None, "x 1");
    assert!(matches!(refused, Err(Error::NoSuchCommand { .. })));
    f.assert_clean();
}

#[test]
fn a_command_behind_a_link_makes_nothing_outside_executable() {
    let f = Fixture::new();
    write(&f.path("victim/tool"), "a", 0o644);
    write(&f.path("src/a"), "a", 0o644);
    fs::symlink(&f.path("victim"), &f.path("src/bin")).expect("link");
    let command = BTreeSet::from([RelPath::new("bin/tool").expect("path")]);
    let refused = f.store.add_directory(&f.path("src"), "x", &command, None, "x 1");
    assert!(matches!(refused, Err(Error::NoSuchCommand { .. })));
    assert_eq!(fs::lstat(&f.path("victim/tool")).expect("lstat").mode() & 0o777, 0o644);
}

#[test]
fn built_trees_link_to_declared_references_only() {
    let f = Fixture::new();
    let tool = f.object("tool-1", "one");
    let env = f.linked("env", &tool);
    let through = fs::read_to_string(&env.path().join("tool")).expect("follow the link");
    assert_eq!(through, "one");
    let target = PathBuf::from(format!("../{}/bin/tool", tool.name()));
    let build = &mut |dir: &Path| fs::symlink(&target, &dir.join("tool"));
    let refused = f.store.add_built("env2", &BTreeSet::new(), build);
    assert!(matches!(refused, Err(Error::LinkLeaves { .. })));

    let absent = Fixture::new();
    let refused = absent.store.add_built("env", &BTreeSet::from([tool.name().clone()]), build);
    assert!(matches!(refused, Err(Error::MissingReference { .. })));
}

#[test]
fn a_moved_store_works() {
    let f = Fixture::new();
    let tool = f.object("tool-1", "one");
    let env = f.linked("env", &tool);
    fs::rename(f.store.root(), &f.path("elsewhere")).expect("move");
    let moved = store_at(&f.path("elsewhere"));
    for object in [&tool, &env] {
        let found = moved.get(object.name()).expect("get").expect("there");
        assert!(found.path().starts_with(f.path("elsewhere")));
        moved.check(&found, CheckLevel::Quick).expect("quick");
    }
    let found = moved.get(env.name()).expect("get").expect("there");
    assert_eq!(fs::read_to_string(&found.path().join("tool")).expect("follow"), "one");
}

#[test]
fn a_store_of_a_later_layout_is_left_alone() {
    let f = Fixture::new();
    f.object("x-1", "x");
    fs::write_atomic(&f.store.root().join("version"), b"2\n").expect("write");
    let refused = f.store.add_built("y", &BTreeSet::new(), &mut |_| Ok(()));
    assert!(matches!(refused, Err(Error::Newer { known: 1, .. })));
    assert!(f.store.gc(&GcOptions::default()).is_err());
    assert_eq!(f.list("store").len(), 1);
}

#[test]
fn a_store_without_write_permission_can_be_read() {
    use crate::base::{Diagnose as _, Kind};
    let f = Fixture::new();
    let object = f.object("x-1", "x");
    let dirs = ["", "store", "meta", "tmp", "locks", "roots"];
    let each =
        |mode| dirs.iter().for_each(|d| fs::chmod(&f.store.root().join(d), mode).expect("chmod"));
    fs::chmod(&f.store.root().join("gc.lock"), 0o444).expect("chmod");
    each(0o555);
    let found = f.store.get(object.name()).expect("get").expect("there");
    f.store.check(&found, CheckLevel::Quick).expect("quick");
    f.store.check(&found, CheckLevel::Full).expect("full");
    let added = f.store.add_built("y", &BTreeSet::new(), &mut |_| Ok(()));
    each(0o755);
    // Permissions do not bind root.
    if !rustix::process::geteuid().is_root() {
        let error = added.expect_err("read-only");
        assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
    }
    let refused = fs::Error::Io {
        action: "create",
        path: object.path().to_owned(),
        source: std::io::ErrorKind::ReadOnlyFilesystem.into(),
    };
    let error = Error::writing(f.store.root(), refused);
    assert!(matches!(error, Error::ReadOnly { .. }));
    assert_eq!(error.kind(), Kind::User);
    assert!(!error.hints().is_empty());
}
