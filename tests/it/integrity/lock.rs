//! The lock: a changed hash is found, whichever of them it is.

use std::collections::BTreeSet;

use infra::base::{ObjectName, TreeHash};

use super::{names_both, nothing_of, refused};
use crate::crashes::fixture::{self, Upstream, success};
use crate::support::TestEnv;

/// The same text with one base-64 character in the middle changed to another.
fn changed(value: &str) -> String {
    let mut bytes = value.as_bytes().to_vec();
    // Behind `sha256-` in a hash; in an object's name within its digest.
    bytes[12] = if bytes[12] == b'a' { b'b' } else { b'a' };
    String::from_utf8(bytes).expect("text")
}

fn edit(env: &TestEnv, from: &str, to: &str) {
    let lock = env.read("dep.lock.json");
    assert_eq!(lock.matches(from).count(), 1, "{from} once in\n{lock}");
    env.write("dep.lock.json", lock.replace(from, to));
}

fn locked(up: &Upstream) -> TestEnv {
    let env = up.project();
    env.ok(["dep", "lock"]);
    env
}

#[test]
fn a_changed_integrity() {
    let up = Upstream::start();
    for dep in ["tool", "hello", "extra"] {
        let what = format!("the integrity of {dep}");
        let env = locked(&up);
        let before = env.read("dep.lock.json");
        let old = fixture::locked(&env, dep, "integrity");
        edit(&env, &old, &changed(&old));
        for command in [&["dep", "sync"][..], &["run"], &["env", "exec", "dev", "--", "tool"]] {
            let outcome = env.infra(command);
            refused(&what, &outcome, &[&format!("`{dep}`"), &changed(&old), &old]);
            names_both(&what, &outcome);
        }
        let version = ["1.0.0", "2.0.0", "3.0.0"].map(|v| format!("{dep}-{v}"));
        version.iter().for_each(|suffix| nothing_of(&what, &env, suffix));
        env.write("dep.lock.json", before);
        success(&what, &env.infra(["env", "exec", "dev", "--", "tool"]));
    }
}

#[test]
fn a_changed_tree_or_object() {
    let up = Upstream::start();
    let env = locked(&up);
    let before = env.read("dep.lock.json");
    for dep in ["tool", "hello", "extra"] {
        for field in ["tree", "object"] {
            let what = format!("the {field} of {dep}");
            let old = fixture::locked(&env, dep, field);
            edit(&env, &old, &changed(&old));
            for command in [&["dep", "sync"][..], &["run"], &["dep", "verify"], &["dep", "lock"]] {
                let outcome = env.infra(command);
                refused(&what, &outcome, &[&format!("`{dep}`")]);
            }
            env.write("dep.lock.json", &before);
        }
    }
    success("the lock as it was", &env.infra(["dep", "sync"]));
}

/// Whoever changes a tree hash and the name that follows from it is found by unpacking.
#[test]
fn a_tree_and_object_that_agree_with_each_other() {
    let up = Upstream::start();
    let env = locked(&up);
    let (tree, object) =
        (fixture::locked(&env, "tool", "tree"), fixture::locked(&env, "tool", "object"));
    let other: TreeHash = changed(&tree).parse().expect("a hash");
    let name = ObjectName::for_tree(&other, &BTreeSet::new(), "tool-1.0.0").expect("a name");
    edit(&env, &tree, &changed(&tree));
    edit(&env, &object, &name.to_string());
    let outcome = env.infra(["dep", "sync"]);
    refused("another tree", &outcome, &["`tool` 1.0.0", &tree, &changed(&tree)]);
    names_both("another tree", &outcome);
    nothing_of("another tree", &env, "tool-1.0.0");
}

/// The lock of a project directory: its bytes are not what was locked.
#[test]
fn a_directory_of_the_project_that_changed() {
    let up = Upstream::start();
    let env = locked(&up);
    env.write("tools/share/text", "other text\n");
    // Locking added the directory as it was: the store still has what the lock says.
    success("what was locked is there", &env.infra(["dep", "sync"]));
    env.ok(["store", "gc"]);
    let outcome = env.infra(["dep", "sync"]);
    refused("the directory", &outcome, &["`local`", &fixture::locked(&env, "local", "tree")]);
    names_both("the directory", &outcome);
    success("locking again", &env.infra(["dep", "lock"]));
    success("syncing", &env.infra(["dep", "sync"]));
}
