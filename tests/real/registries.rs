//! Locking with the real registries, as they are configured here.

use serde_json::{Map, Value};

use crate::world::{Project, committed_lock, platform};

/// What this repository's profiles declare, sorted.
const PLATFORMS: [&str; 5] =
    ["aarch64-darwin", "aarch64-linux", "x86_64-darwin", "x86_64-linux", "x86_64-windows"];

fn deps(lock: &str) -> Map<String, Value> {
    let lock: Value = serde_json::from_str(lock).expect("JSON");
    lock["deps"].as_object().expect("deps").clone()
}

/// Every platform has everything that makes it reproducible, or the reason why it is not there.
/// Gives the platforms that are pinned.
fn pinned(name: &str, dep: &Value) -> Vec<String> {
    let platforms = dep["platforms"].as_object().expect("platforms");
    assert!(platforms.keys().eq(PLATFORMS), "{name}: {:?}", platforms.keys());
    let mut pinned = Vec::new();
    for (platform, row) in platforms {
        let text = |key: &str| row[key].as_str().unwrap_or_default();
        if !text("unavailable").is_empty() {
            assert_eq!(row.as_object().expect("row").len(), 1, "{name} {platform}: {row}");
            continue;
        }
        let version = dep["version"].as_str().expect("version");
        let complete = ["sha256-", "sha512-"].iter().any(|a| text("integrity").starts_with(a))
            && text("tree").starts_with("sha256-")
            && text("object").ends_with(&format!("-{name}-{version}"))
            && !text("artifact").is_empty()
            && row["size"].as_u64() > Some(0)
            && row["bin"].as_object().is_some_and(|b| !b.is_empty());
        assert!(complete, "{name} {platform}: {row}");
        pinned.push(platform.clone());
    }
    pinned
}

#[test]
fn an_empty_lock_becomes_complete_and_stays() {
    let project = Project::new();
    let lock = project.env.project().join("dep.lock.json");
    std::fs::remove_file(&lock).expect("remove");
    assert_ne!(project.infra("dep lock --check").code, Some(0));
    project.ok("dep lock");
    let made = project.env.read("dep.lock.json");
    let (new, old) = (deps(&made), deps(&committed_lock()));
    assert!(new.keys().eq(old.keys()), "{:?}", new.keys());
    for (name, dep) in &new {
        let platforms = pinned(name, dep);
        if dep["version"] == old[name]["version"] {
            assert_eq!(dep, &old[name], "{name}");
        } else {
            // A release since: which platforms it is for is its makers' business, but for ours.
            assert!(platforms.contains(&platform()), "{name}: {platforms:?}");
        }
        assert_eq!(dep["source"], old[name]["source"]);
    }

    project.ok("dep lock");
    assert_eq!(project.env.read("dep.lock.json"), made, "locking again changes no byte");
    project.ok("dep lock --check");
}

#[test]
fn the_committed_lock_is_current() {
    let project = Project::new();
    project.ok("dep lock --check");
    project.ok("dep lock");
    assert_eq!(project.env.read("dep.lock.json"), committed_lock(), "nothing moved");
    project.ok("dep verify");
}

#[test]
fn npm_programs_lock_for_every_platform_sync_and_run() {
    let project = Project::bare();
    let platforms = PLATFORMS.map(|p| format!("\"{p}\"")).join(", ");
    project.env.write(
        "profiles/dev.toml",
        format!(
            "platforms = [{platforms}]\n\n[dep]\nbiome = {{ from = \"npm:@biomejs/biome\", version \
             = \"=2.0.0\" }}\nesbuild = {{ from = \"npm:esbuild\", version = \"=0.25.0\" }}\n"
        ),
    );
    project.ok("dep lock");
    let made = project.env.read("dep.lock.json");
    for (name, dep) in deps(&made) {
        assert_eq!(pinned(&name, &dep), PLATFORMS, "{name} is published for all of them");
        for row in dep["platforms"].as_object().expect("rows").values() {
            let integrity = row["integrity"].as_str().expect("integrity");
            assert!(integrity.starts_with("sha512-"), "npm's own hash: {integrity}");
        }
    }
    project.ok("dep lock");
    assert_eq!(project.env.read("dep.lock.json"), made, "locking again changes no byte");

    project.ok("dep sync");
    assert_eq!(project.ok("env exec dev --pure -- esbuild --version").stdout.trim(), "0.25.0");
    let biome = project.ok("env exec dev --pure -- biome --version").stdout;
    assert_eq!(biome.trim(), "Version: 2.0.0");
    project.env.write("a.ts", "const n: number = 1 + 1; console.log(n);\n");
    let made = project.ok("env exec dev --pure -- esbuild a.ts").stdout;
    assert!(made.contains("const n = 1 + 1;"), "{made}");
    // Once here, nothing needs the network.
    project.ok("dep sync --offline");
}
