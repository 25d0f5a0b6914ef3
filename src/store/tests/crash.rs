//! Processes that die in the middle: whatever is left, the next command finishes the work.

use super::*;
use crate::base::interrupt;

/// Adds, builds and collects; an object that nothing keeps is there before.
fn work(store: &Store) -> Result<(ObjectPath, ObjectPath)> {
    let from = tempfile::tempdir().expect("tempdir");
    let add = |name: &str| {
        write(&from.path().join("bin/tool"), name, 0o755);
        store.add_directory(from.path(), name, &BTreeSet::new(), None, name)
    };
    add("unused-1")?;
    let tool = add("tool-1")?;
    let target = PathBuf::from(format!("../{}/bin/tool", tool.name()));
    let references = BTreeSet::from([tool.name().clone()]);
    let env =
        store.add_built("env", &references, &mut |dir| fs::symlink(&target, &dir.join("tool")))?;
    let link = store.root().with_extension("link");
    fs::replace_symlink(env.path(), &link)?;
    store.add_root(&link)?;
    store.gc(&GcOptions::default())?;
    Ok((tool, env))
}

/// The whole work; as a child of the test below it dies at the point that it is told.
#[test]
fn child() {
    let told = |key: &str| std::env::args().find_map(|a| a.strip_prefix(key).map(str::to_owned));
    let f = Fixture::new();
    let store = match (told("die-at="), told("store=")) {
        (Some(point), Some(root)) => {
            interrupt::arm(&point);
            store_at(Path::new(&root))
        }
        _ => f.store.clone(),
    };
    let (tool, env) = work(&store).expect("work");
    store.check(&tool, CheckLevel::Quick).expect("tool");
    store.check(&env, CheckLevel::Quick).expect("env");
}

#[test]
fn killed_anywhere_and_repeated_is_whole() {
    let points =
        interrupt::POINTS.iter().filter(|p| p.starts_with("object.") || p.starts_with("gc."));
    let mut seen = 0;
    for point in points {
        let f = Fixture::new();
        #[allow(clippy::disallowed_methods, reason = "a test starts itself")]
        let died = std::process::Command::new(std::env::current_exe().expect("exe"))
            .args(["--exact", "store::tests::crash::child", &format!("die-at={point}")])
            .arg(format!("store={}", f.store.root().display()))
            .output()
            .expect("child");
        let signal = std::os::unix::process::ExitStatusExt::signal(&died.status);
        assert_eq!(signal, Some(libc::SIGABRT), "{point} was not reached");
        seen += 1;

        let report = f.store.verify(CheckLevel::Full, &|_| {}).expect("verify");
        assert_eq!(report.damaged, [], "{point}: what is registered is whole");
        let (tool, env) = work(&f.store).unwrap_or_else(|e| panic!("{point}: {e}"));
        f.store.check(&tool, CheckLevel::Quick).expect("tool");
        f.store.check(&env, CheckLevel::Full).expect("env");
        assert_eq!(f.list("store").len(), 2, "{point}: the unused object is gone");
        f.assert_clean();
    }
    assert_eq!(seen, 5);
}
