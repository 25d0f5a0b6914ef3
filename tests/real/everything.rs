//! Many deps over every source that is reachable, locked for six platforms on this machine.
//!
//! `everything.toml` says which. What the registries have changes, so nothing here depends on a
//! version, but for one that is held back to be let go.

use serde_json::Value;

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

/// Each row is complete, or says why there is none; gives how many are pinned.
fn complete(lock: &Value, platforms: usize) -> usize {
    let mut pinned = 0;
    for (name, dep) in lock["deps"].as_object().expect("deps") {
        let rows = dep["platforms"].as_object().expect("rows");
        assert_eq!(rows.len(), platforms, "{name}");
        for (platform, row) in rows {
            if let Some(reason) = row["unavailable"].as_str() {
                assert!(!reason.trim().is_empty(), "{name} {platform}");
                continue;
            }
            for key in ["artifact", "integrity", "tree", "object"] {
                assert!(
                    row[key].as_str().is_some_and(|t| !t.is_empty()),
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
    let project = Project::bare();
    project.env.write("profiles/base.toml", profile());
    project.ok("dep lock");
    let first = project.env.read("dep.lock.json");
    let locked = lock(&project);
    let deps = locked["deps"].as_object().expect("deps");
    assert!(deps.len() >= 23, "{} deps", deps.len());
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
    ] {
        if deps[command]["platforms"][platform()]["unavailable"].is_string() {
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
    assert_eq!(purity.as_array().map(Vec::len), Some(deps.len() * 6));

    // One entry is let go; every other keeps its bytes.
    let text = project.env.read("profiles/base.toml");
    project.env.write("profiles/base.toml", text.replace("\"<1.13\"", "\"*\""));
    project.ok("dep update ninja");
    let moved = lock(&project);
    for (name, dep) in moved["deps"].as_object().expect("deps") {
        assert_eq!(*dep == deps[name], name != "ninja", "{name}");
    }
}
