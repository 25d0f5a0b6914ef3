//! Permissions that are taken away in the middle of a command: it waits at one of its points,
//! directories become read-only for it, it goes on.
//!
//! It ends well or says what, where and what to do; when the permissions are back nothing is half
//! written and the same command succeeds. Done as another user than root, whom modes mean nothing.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::filesystems::Mortal;
use crate::crashes::fixture::{Prepared, Upstream};
use crate::crashes::kills::say;
use crate::crashes::points::{CASES, Case, command, stdin};
use crate::crashes::pool::each;
use crate::crashes::survival::{Undisturbed, survives};
use crate::support::{TestEnv, finish, wait_for};

/// The commands: those that write into the store, the lock, an environment, a cache.
const COMMANDS: [&str; 8] = [
    "dep lock",
    "dep sync",
    "env build again",
    "store gc",
    "store optimise",
    "cache push",
    "cache pull",
    "store import",
];

/// What is taken, below the environment's root: staging, the store, the project, the cache.
const PLACES: [&[&str]; 4] = [
    &["store/tmp"],
    &["store", "store/store", "store/meta", "store/artifacts", "store/roots"],
    &["project", "project/.infra/env"],
    &["cache", "cache/nar", "cache/tmp"],
];

/// Takes the right to write from directories, and gives it back when dropped.
struct Taken(Vec<(PathBuf, std::fs::Permissions)>);

impl Taken {
    fn from(root: &Path, places: &[&str]) -> Self {
        let mut taken = Vec::new();
        for path in places.iter().map(|place| root.join(place)) {
            let Ok(meta) = std::fs::metadata(&path) else { continue };
            std::fs::set_permissions(&path, PermissionsExt::from_mode(0o500)).expect("chmod");
            taken.push((path, meta.permissions()));
        }
        Self(taken)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        for (path, permissions) in &self.0 {
            // What the command removed needs nothing back.
            let _ = std::fs::set_permissions(path, permissions.clone());
        }
    }
}

/// Runs a command with each kind of place taken at each of its points; gives how many runs there
/// were and how many of them failed. `None` where nobody can become another user.
fn disturb(case: &Case) -> Option<(u32, u32)> {
    let up = Upstream::start();
    let env = (case.prepare)(&up);
    let mortal = Mortal::of(&env)?;
    let mut prepared = Prepared::new(env);
    prepared.settles(case);
    let undisturbed = Undisturbed::of(case, &prepared);
    let (mut runs, mut failures) = (0, 0);
    for (index, point) in case.passes.iter().enumerate() {
        for (nth, places) in PLACES.iter().enumerate() {
            // Every second, another half for each point; all with `FAULT_PLACES`.
            if std::env::var_os("FAULT_PLACES").is_none() && (index + nth) % 2 == 1 {
                continue;
            }
            let env = prepared.restore();
            let Some(failed) = at(case, env, &mortal, point, places) else { continue };
            runs += 1;
            failures += u32::from(failed);
            let what = format!("{} without {places:?} from {point} on", case.name);
            survives(case, &what, env, &undisturbed, runs % 2 == 0);
        }
    }
    Some((runs, failures))
}

/// One run; whether it failed, and `None` when there was nothing to take.
fn at(case: &Case, env: &TestEnv, mortal: &Mortal, point: &str, places: &[&str]) -> Option<bool> {
    let what = format!("{} without {places:?} from {point} on", case.name);
    let pause = env.home().join("pause");
    std::fs::create_dir(&pause).expect("create");
    std::fs::set_permissions(&pause, PermissionsExt::from_mode(0o777)).expect("chmod");
    let marker = pause.join("here");
    let mut command = mortal.command(env, command(env, case));
    command.env("INFRA_INTERRUPT_AT", format!("{point}@{}", marker.display()));
    if let Some(file) = stdin(env) {
        command.stdin(file);
    }
    let mut child = command.spawn().expect("start");
    wait_for(&what, || {
        let ended = child.try_wait().expect("ask").is_some();
        (marker.exists() || ended).then_some(())
    });
    assert!(marker.exists(), "{what}: it never came there: {}", finish(child).stderr);
    let taken = Taken::from(env.root(), places);
    // Without the directory no later passage waits.
    std::fs::rename(&pause, env.home().join("paused")).expect("go on");
    let outcome = finish(child);
    let is_something = !taken.0.is_empty();
    drop(taken);
    if outcome.code != Some(0) {
        let said = outcome.stderr.to_lowercase();
        assert_eq!(outcome.code, Some(1), "{what}: {}", outcome.stderr);
        assert!(!said.contains("panicked"), "{what}: {said}");
        assert!(said.contains("permission denied"), "{what}: no reason: {}", outcome.stderr);
        assert!(said.contains("hint: "), "{what}: no next step: {}", outcome.stderr);
        let root = env.root().canonicalize().expect("root");
        let is_named = outcome.stderr.contains(&*root.to_string_lossy());
        assert!(is_named, "{what}: no path: {}", outcome.stderr);
    }
    is_something.then_some(outcome.code != Some(0))
}

#[test]
fn permissions_are_taken_in_the_middle() {
    let cases: Vec<&Case> = CASES.iter().filter(|case| COMMANDS.contains(&case.name)).collect();
    assert_eq!(cases.len(), COMMANDS.len());
    let done: Vec<_> =
        cases.iter().map(|case| case.name).zip(each(&cases, 0, |case| disturb(case))).collect();
    let failed: Vec<_> = done.iter().filter(|(_, it)| it.is_none()).map(|(n, _)| *n).collect();
    let counts: Vec<_> = done.iter().filter_map(|(_, it)| *it).collect();
    let (runs, failures) =
        counts.iter().flatten().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    say(&format!(
        "{runs:4} runs without a permission from the middle on, {failures} ended with an error, {} \
         commands with a violation",
        failed.len()
    ));
    assert!(failed.is_empty(), "violations in {failed:?}");
    // Nobody could become another user: said by now, and a failure in CI.
    if counts.iter().all(Option::is_some) {
        assert!(runs > 40 && failures > 20, "{runs} runs, {failures} failures: too few were hit");
    }
}
