//! Many deps over every source, locked for six platforms on this machine.
//!
//! `everything.toml` says which; those whose services cannot be reached come from servers of the
//! test's own ([`crate::hub`]). What the registries have changes, so nothing here depends on a
//! version, but for one that is held back to be let go.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::hub::Hub;
use crate::world::{Project, platform, repository};

/// The profile; without `deb:` where there is no apt to ask.
pub fn profile() -> String {
    let text = std::fs::read_to_string(repository().join("tests/real/everything.toml"));
    let has_apt = ["/etc/apt/sources.list", "/etc/apt/sources.list.d"]
        .iter()
        .any(|path| std::fs::metadata(path).is_ok());
    let lines = text.expect("everything.toml");
    let kept = lines.lines().filter(|line| has_apt || !line.contains("\"deb:"));
    kept.fold(String::new(), |all, line| all + line + "\n")
}

fn lock(project: &Project) -> Value {
    serde_json::from_str(&project.env.read("dep.lock.json")).expect("a lock")
}

/// How many rows a lock has.
fn rows(lock: &Value) -> usize {
    let deps = lock["deps"].as_object().expect("deps").values();
    deps.map(|dep| dep["platforms"].as_object().map_or(0, serde_json::Map::len)).sum()
}

/// Each row is complete, or says why there is none; gives how many are pinned.
fn complete(lock: &Value, platforms: usize) -> usize {
    let mut pinned = 0;
    for (name, dep) in lock["deps"].as_object().expect("deps") {
        let rows = dep["platforms"].as_object().expect("rows");
        // A toolchain is wanted where builds run, and the profile says so.
        assert_eq!(rows.len(), if name == "go" { 2 } else { platforms }, "{name}");
        for (platform, row) in rows {
            if let Some(reason) = row["unavailable"].as_str() {
                assert!(!reason.trim().is_empty(), "{name} {platform}");
                continue;
            }
            // What is built has no artifact.
            let is_built = dep["build"].is_object();
            let fetched = &["artifact", "integrity"][usize::from(is_built) * 2..];
            for key in fetched.iter().chain(&["tree", "object"]) {
                assert!(
                    row[*key].as_str().is_some_and(|t| !t.is_empty()),
                    "{name} {platform} {key}"
                );
            }
            assert!(row["verified"].as_array().is_some_and(|v| !v.is_empty()), "{name} {platform}");
            pinned += 1;
        }
    }
    pinned
}

#[test]
fn locks_for_six_platforms_and_moves_only_what_is_asked() {
    let profile = profile();
    let head = profile.split("[dep]").next().expect("platforms");
    let hub = Hub::start(head);
    let mut project = Project::bare();
    project.env.set("GITHUB_API_URL", hub.upstream.github_url());
    project.env.write("profiles/base.toml", profile.clone() + &hub.lines());
    project.ok("dep lock");
    let first = project.env.read("dep.lock.json");
    let locked = lock(&project);
    let deps = locked["deps"].as_object().expect("deps");
    assert!(deps.len() >= 27, "{} deps", deps.len());
    let sources: BTreeSet<&str> =
        deps.values().filter_map(|d| d["source"].as_str()?.split(':').next()).collect();
    for source in ["pypi", "npm", "go", "github", "aqua", "crate"] {
        assert!(sources.contains(source), "{source}");
    }
    // What the same program is served as does not change what it is.
    for name in ["hub-server", "aqua-server", "crate-server"] {
        let rows = deps[name]["platforms"].as_object().expect("rows");
        assert!(rows.values().all(|row| row["tree"].is_string()), "{name}: {rows:?}");
    }
    let pinned = complete(&locked, 6);
    assert!(pinned >= deps.len() * 4, "{pinned} rows of {} deps", deps.len());

    // Nothing changed: no byte, and nobody is asked.
    project.ok("dep lock --offline");
    assert_eq!(project.env.read("dep.lock.json"), first);
    project.ok("dep lock --check");

    project.ok("dep sync");
    for (command, words) in [
        ("uv", "uv "),
        ("ruff", "ruff "),
        ("esbuild", "."),
        ("biome", "Version: "),
        ("nats-server", "nats-server: v"),
        ("node", "v"),
        ("deno", "deno "),
        ("cmake", "cmake version "),
        ("ninja", "1."),
        ("shfmt", "v"),
        ("gofumpt", "v0.8.0"),
        ("hub-server", "nats-server: v"),
        ("aqua-server", "nats-server: v"),
        ("crate-server", "nats-server: v"),
        ("image-server", "nats-server: v"),
        ("redis-cli", "redis-cli "),
    ] {
        // One that needs apt is left out where there is none.
        let dep = if command == "redis-cli" { "redis-tools" } else { command };
        let row = deps.get(dep).map(|dep| &dep["platforms"][platform()]);
        if row.is_none_or(|row| row["unavailable"].is_string()) {
            assert!(["redis-cli", "image-server"].contains(&command) || row.is_some(), "{command}");
            continue;
        }
        let said = project.ok(&format!("env exec base -- {command} --version")).stdout;
        assert!(said.contains(words), "{command}: {said}");
    }
    let doctor: Value =
        serde_json::from_str(&project.infra("doctor --json").stdout).expect("findings");
    for finding in doctor.as_array().expect("list").iter().filter(|f| f["level"] == "wrong") {
        // A distribution's programs may lean on what is not installed here; nothing else may.
        let found = finding["found"].as_str().expect("text");
        assert!(["`jq`", "`ripgrep`", "`hello`"].iter().any(|n| found.contains(n)), "{finding}");
    }
    let purity = project.json("dep audit --purity --json");
    assert_eq!(purity.as_array().map(Vec::len), Some(rows(&locked)));

    // One entry is let go; every other keeps its bytes.
    let text = project.env.read("profiles/base.toml");
    project.env.write("profiles/base.toml", text.replace("\"<1.13\"", "\"*\""));
    project.ok("dep update ninja");
    let moved = lock(&project);
    for (name, dep) in moved["deps"].as_object().expect("deps") {
        assert_eq!(*dep == deps[name], name != "ninja", "{name}");
    }
}
