//! `closure = true` with the packages that this machine's apt is configured for: a dynamic program
//! that finds its libraries in the store.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::world::Project;

/// Whether apt is configured here at all.
fn has_apt() -> bool {
    let at = Path::new("/etc/apt");
    at.join("sources.list").exists() || at.join("sources.list.d").exists()
}

#[test]
fn a_program_runs_with_libraries_of_the_store() {
    if !has_apt() || !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        eprintln!("passed over: apt is not configured on this machine");
        return;
    }
    let project = Project::bare();
    project.env.write(
        "profiles/dev.toml",
        "platforms = [\"x86_64-linux\", \"aarch64-linux\"]\n\n[dep]\nredis-tools = { from = \
         \"deb:redis-tools\", closure = true }\n",
    );
    project.ok("dep lock");
    let text = project.env.read("dep.lock.json");
    let lock: Value = serde_json::from_str(&text).expect("json");
    let row = &lock["deps"]["redis-tools"]["platforms"]["x86_64-linux"];
    let with = row["with"].as_array().expect("with");
    let has = |name: &str| {
        with.iter().any(|a| a["artifact"].as_str().is_some_and(|file| file.contains(name)))
    };
    assert!(has("/libjemalloc2_") && has("/libssl3") && has("/liblzf1_"), "{with:?}");
    assert!(!has("/libc6_"), "{with:?}");
    // What is left is what libc brings.
    const LIBC: [&str; 7] = [
        "ld-linux-x86-64.so.2",
        "libc.so.6",
        "libdl.so.2",
        "libm.so.6",
        "libpthread.so.0",
        "libresolv.so.2",
        "librt.so.1",
    ];
    for library in row["needs"]["libraries"].as_array().expect("libraries") {
        assert!(LIBC.contains(&library.as_str().expect("text")), "{library}");
    }

    // From the lock alone, elsewhere, the same tree.
    project.ok("dep sync");
    let said = project.ok("env exec dev --pure -- redis-cli --version").stdout;
    assert!(said.starts_with("redis-cli "), "{said}");
    let tree = project.ok("dep path redis-tools").stdout;
    let tree = Path::new(tree.trim());
    let program = tree.join(row["bin"]["redis-cli"].as_str().expect("command"));
    let loaded = Command::new(&program)
        .env_clear()
        .env("LD_TRACE_LOADED_OBJECTS", "1")
        .output()
        .expect("run");
    let loaded = String::from_utf8_lossy(&loaded.stdout).into_owned();
    let mut ours = 0;
    for line in loaded.lines().map(str::trim) {
        let Some((name, place)) = line.split_once(" => ") else { continue };
        let place = place.split(" (").next().unwrap_or_default();
        if LIBC.contains(&name) {
            assert!(!Path::new(place).starts_with(tree), "{line}");
        } else {
            assert!(Path::new(place).starts_with(tree), "{line}");
            ours += 1;
        }
    }
    assert!(ours >= 5, "{loaded}");
    project.ok("dep lock");
    assert_eq!(project.env.read("dep.lock.json"), text, "locking again changes no byte");
    project.ok("dep sync --offline");
}
