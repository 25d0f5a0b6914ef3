//! Push and pull against S3 servers that are not ours, killed in the middle and gone on with.

mod servers;

use std::fs::File;
use std::io::Read as _;
use std::process::Command;

use crate::support::{Outcome, finish};
use crate::world::Project;
use servers::S3;

/// Runs a command that must be killed at a point.
fn killed(project: &Project, point: &str, words: &str) {
    let ended = at(project, point, words);
    assert_eq!(ended.signal, Some(libc::SIGABRT), "{words} at {point}: {}", ended.stderr);
}

fn at(project: &Project, point: &str, words: &str) -> Outcome {
    let mut command = project.env.command(words.split(' '));
    command.env("INFRA_INTERRUPT_AT", point);
    finish(command.spawn().expect("start"))
}

#[test]
fn node_killed_resumed_and_pulled() {
    let Some(s3) = S3::node() else { return };
    killed_resumed_and_pulled(&s3);
    large_files_go_in_parts(&s3);
}

#[test]
fn seaweed_killed_resumed_and_pulled() {
    let s3 = S3::seaweed();
    killed_resumed_and_pulled(&s3);
    large_files_go_in_parts(&s3);
}

fn killed_resumed_and_pulled(s3: &S3) {
    let mut project = Project::new();
    s3.open_for(&mut project);
    let cache = "s3://builds/some/place";
    assert_eq!(project.infra(&format!("cache info {cache}")).code, Some(1));
    project.ok(&format!("cache init {cache}"));
    project.ok("env build dev");
    for point in ["push.nar:1", "push.nar:2", "push.narinfo:1"] {
        killed(&project, point, &format!("cache push --to {cache} dev"));
        let half = project.json(&format!("cache verify --at {cache} --json"));
        assert!(half["objects"].as_u64().is_some_and(|n| n < 4), "{point}: {half}");
    }
    let pushed = project.json(&format!("cache push --to {cache} --json dev"));
    assert!(pushed["present"].as_u64().is_some_and(|n| n > 0), "it goes on: {pushed}");
    let verified = project.json(&format!("cache verify --at {cache} --json"));
    assert_eq!((&verified["objects"], &verified["unnamed"]), (&4.into(), &0.into()), "{verified}");
    let info = project.json(&format!("cache info {cache} --json"));
    assert_eq!(info["objects"], 4, "{info}");

    let store = project.env.root().join("store-s3");
    let at_store = format!("--store {}", store.display());
    killed(&project, "object.renamed:2", &format!("{at_store} cache pull --from {cache}"));
    project.ok(&format!("{at_store} store verify"));
    project.ok(&format!("{at_store} --cache {cache} dep sync"));
    project.ok(&format!("{at_store} store verify"));
    let gone = project.json(&format!(
        "cache gc --at {cache} --keep dep.lock.json --older-than 0s --dry-run --json"
    ));
    assert!(gone["kept"].as_u64().is_some_and(|n| n >= 3), "{gone}");
    let _ = Command::new("chmod").arg("-R").arg("u+w").arg(&store).status();
}

/// 40 MiB that no compression makes smaller: three parts.
fn large_files_go_in_parts(s3: &S3) {
    let mut project = Project::bare();
    let store = project.env.root().join("store-large");
    project.env.set("INFRA_STORE", store.to_str().expect("UTF-8"));
    s3.open_for(&mut project);
    let mut bytes = vec![0; 40 << 20];
    File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("bytes");
    project.env.write("large/bin/data", &bytes);
    project.env.write("profiles/dev.toml", "[dep]\nlarge = { from = \"path:large\" }\n");
    project.ok("dep lock");
    let object = project.ok("env build dev").stdout;
    let object = object.trim_end().rsplit('/').next().expect("name").to_owned();
    let cache = "s3://builds/large";
    project.ok(&format!("cache init {cache}"));
    let push = format!("cache push --to {cache} --json dev");
    killed(&project, "push.part:2", &push);
    let half = project.json(&format!("cache verify --at {cache} --json"));
    assert_eq!(half["objects"], 0, "{half}");
    if s3.lists_uploads {
        // Two parts are there: no second one is sent, and so the point is not come to.
        let done = at(&project, "push.part:2", &push);
        assert_eq!(done.code, Some(0), "parts are sent twice: {}", done.stderr);
    } else {
        project.ok(&push);
    }
    let whole = project.json(&format!("cache verify --at {cache} --json"));
    assert_eq!((&whole["objects"], &whole["unnamed"]), (&2.into(), &0.into()), "{whole}");

    let elsewhere = project.env.root().join("store-pulled");
    let pull =
        format!("--store {} cache pull --unsigned --from {cache} {object}", elsewhere.display());
    killed(&project, "download.part:2", &pull);
    project.ok(&pull);
    project.ok(&format!("--store {} store verify", elsewhere.display()));
    for store in [store, elsewhere] {
        let _ = Command::new("chmod").arg("-R").arg("u+w").arg(&store).status();
    }
}
