//! `go:` with the commands that this project's users run, each built twice: they have hundreds of
//! modules and take minutes, so that they are built only where `REAL_GO_COMMANDS` names them
//! (`all`, or names with commas). What they gave is in `docs/technical/source-go.md`.

use std::path::Path;
use std::time::Instant;

use crate::go::{self, built, lock_as_somebody, project};

/// This host, and one that shares neither system nor processor.
const PLATFORMS: [&str; 2] = ["x86_64-linux", "aarch64-darwin"];

/// Name, package, version, what it is asked for its version, and what it must say.
const COMMANDS: [(&str, &str, &str, &str, &str); 4] = [
    ("nats", "github.com/nats-io/natscli/nats", "0.5.0", "--version", "0.5.0"),
    ("ko", "github.com/google/ko", "0.19.1", "version", "v0.19.1"),
    ("mox", "github.com/mjl-/mox", "0.0.15", "version", "v0.0.15"),
    ("bento", "github.com/warpstreamlabs/bento/cmd/bento", "1.10.0", "--version", "Version:"),
];

fn size(path: &Path) -> u64 {
    let meta = path.symlink_metadata().expect("metadata");
    if !meta.is_dir() {
        return meta.len();
    }
    std::fs::read_dir(path).expect("list").map(|e| size(&e.expect("entry").path())).sum()
}

#[test]
fn commands_that_people_run() {
    let wanted = std::env::var("REAL_GO_COMMANDS").unwrap_or_default();
    let wanted: Vec<&str> = wanted.split(',').filter(|name| !name.is_empty()).collect();
    if wanted.is_empty() {
        eprintln!("passed over: REAL_GO_COMMANDS names none");
        return;
    }
    for name in &wanted {
        assert!(*name == "all" || COMMANDS.iter().any(|one| one.0 == *name), "no command `{name}`");
    }
    for (name, package, version, ask, says) in COMMANDS {
        if !wanted.contains(&name) && wanted != ["all"] {
            continue;
        }
        // One of them for every platform.
        let platforms = if name == "nats" { &go::PLATFORMS[..] } else { &PLATFORMS[..] };
        let first = project("store", name, package, version, platforms);
        let began = Instant::now();
        first.ok("dep lock");
        let took = began.elapsed();
        let want = built(&first, name);
        let said = first.ok(&format!("env exec dev --pure -- {name} {ask}"));
        assert!((said.stdout.clone() + &said.stderr).contains(says), "{}", said.stdout);
        let tree = first.ok(&format!("dep path {name}")).stdout;
        let bytes = size(&Path::new(tree.trim()).join("bin").join(name));
        let modules = want["build"]["sums"].as_array().map_or(0, Vec::len);
        eprintln!("{name} {version}: {} s, {bytes} bytes, {modules} sums", took.as_secs());

        let second = project("another store", name, package, version, platforms);
        let outcome = lock_as_somebody(&second);
        assert_eq!(outcome.code, Some(0), "{name}: {}", outcome.stderr);
        assert_eq!(built(&second, name), want, "{name}");
        for platform in platforms {
            eprintln!("{name} {platform} {}", want["platforms"][*platform]["tree"]);
        }
    }
}
