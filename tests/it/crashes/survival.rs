//! What must hold whenever a command was cut short: killed, or by a power cut.
//!
//! Before anything else: registered objects verify, what environments point at is registered, lock
//! and profiles have their old or their new bytes. After the same command again: the disk is as
//! after an undisturbed run. After a collection: nothing temporary is left.

use std::collections::BTreeMap;

use super::fixture::{self, Prepared, assert_same, state, success};
use super::points::{Case, run};
use crate::support::TestEnv;

/// What a run that nobody disturbs makes.
pub(crate) struct Undisturbed {
    /// The texts before it.
    before: BTreeMap<String, String>,
    /// The texts after it.
    after: BTreeMap<String, String>,
    /// Everything after it.
    done: BTreeMap<String, String>,
    /// Everything after a collection that follows it.
    collected: BTreeMap<String, String>,
}

impl Undisturbed {
    /// Runs a case from its beginning to its end.
    pub(crate) fn of(case: &Case, prepared: &Prepared) -> Self {
        let env = prepared.restore();
        let before = texts(env);
        success(case.name, &run(env, case));
        let (after, done) = (texts(env), state(env));
        env.ok(["store", "gc"]);
        Self { before, after, done, collected: state(env) }
    }
}

/// Lock and profiles, by path.
fn texts(env: &TestEnv) -> BTreeMap<String, String> {
    let all = fixture::walk(&env.project(), false);
    all.into_iter().filter(|(p, _)| p == "dep.lock.json" || p.starts_with("profiles/")).collect()
}

/// What must hold after `case` was cut short in `env`, and after it was run again.
pub(crate) fn survives(
    case: &Case,
    what: &str,
    env: &TestEnv,
    want: &Undisturbed,
    collect_first: bool,
) {
    let Undisturbed { before, after, done, collected } = want;
    // A repair begins with damage, and takes it away before it brings back what was there.
    if case.name != "store repair" {
        success(&format!("{what}; then store verify"), &env.infra(["store", "verify"]));
        usable(what, env);
    }
    for (path, found) in texts(env) {
        let known = [before.get(&path), after.get(&path)];
        let is_whole = path.ends_with(".tmp") || known.contains(&Some(&found));
        assert!(is_whole, "{what}: {path} is neither old nor new");
    }
    for path in before.keys().filter(|path| after.contains_key(*path)) {
        assert!(env.project().join(path).exists(), "{what}: {path} is lost");
    }
    if collect_first {
        success(&format!("{what}; then store gc"), &env.infra(["store", "gc"]));
    }
    // Killed after its last step, a command may say that there is nothing left for it to do.
    let is_done = [done, collected].contains(&&state(env));
    let again = run(env, case);
    if !(is_done && matches!(again.code, Some(1 | 2))) {
        success(&format!("{what}; then the same again"), &again);
    }
    success(&format!("{what}; again; then store verify"), &env.infra(["store", "verify"]));
    usable(what, env);
    success(&format!("{what}; again; then store gc"), &env.infra(["store", "gc"]));
    let left = std::fs::read_dir(env.store().join("tmp")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "{what}: left in tmp");
    let left = fixture::temporary(env.root());
    assert!(left.is_empty(), "{what}: {left:?}");
    assert_same(what, collected, &state(env));
}

/// What every environment of the project points at is a registered object.
pub(crate) fn usable(what: &str, env: &TestEnv) {
    let dir = env.project().join(".infra/env");
    let Ok(entries) = std::fs::read_dir(&dir) else { return };
    for entry in entries {
        let path = entry.expect("entry").path();
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        if name.contains('@') || name.starts_with('.') {
            continue;
        }
        let target = std::fs::canonicalize(&path)
            .unwrap_or_else(|e| panic!("{what}: {name} leads nowhere: {e}"));
        let object = target.file_name().expect("name").to_string_lossy().into_owned();
        let digest = &object[..32];
        let meta = env.store().join("meta").join(format!("{digest}.json"));
        assert!(meta.exists(), "{what}: {name} points at {object}, which is not registered");
    }
}
