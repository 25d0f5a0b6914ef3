//! Reads and writes of files that do a part of what they are asked for, and writes that are
//! interrupted between: every one of every command. Nobody may notice.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::tools::{outcome, skip};
use crate::crashes::fixture::{Prepared, Upstream, success};
use crate::crashes::kills::say;
use crate::crashes::points::{CASES, Case, built, command, stdin};
use crate::crashes::pool::each;
use crate::crashes::survival::{Undisturbed, survives};

/// The library that does it, built for this test; `None` where there is no C compiler.
fn library(into: &Path) -> Option<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/machine/short.c");
    let built = into.join("short.so");
    let mut compile = Command::new("cc");
    compile.args(["-O1", "-shared", "-fPIC", "-o"]).arg(&built).arg(source);
    let compiled = compile.output();
    if !compiled.as_ref().is_ok_and(|out| out.status.success()) {
        skip(&format!("no library that shortens calls can be built: {compiled:?}"));
        return None;
    }
    Some(built)
}

/// Shortened and interrupted calls, as the library counted them.
fn counted(log: &Path) -> (u64, u64) {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let sum = |nth: usize| {
        let numbers = text.lines().filter_map(|line| line.split(' ').nth(nth)?.parse::<u64>().ok());
        numbers.sum()
    };
    (sum(0), sum(1))
}

fn disturb(case: &Case, library: &Path, log: &Path) {
    let up = Upstream::start();
    let prepared = Prepared::of(case, &up);
    let undisturbed = Undisturbed::of(case, &prepared);
    let env = prepared.restore();
    let what = format!("{} with short reads and writes", case.name);
    let mut shortened = command(env, case);
    shortened.env("LD_PRELOAD", library).env("SHORTENED", log);
    if let Some(file) = stdin(env) {
        shortened.stdin(file);
    }
    success(&what, &outcome(&mut shortened));
    survives(case, &what, env, &undisturbed, false);
}

#[test]
fn short_reads_and_writes_are_not_noticed() {
    let place = tempfile::tempdir().expect("tempdir");
    let Some(library) = library(place.path()) else { return };
    let done = each(CASES, 0, |case| {
        let log = place.path().join(format!("log-{}", case.name.replace(' ', "-")));
        disturb(case, &library, &log);
        counted(&log)
    });
    let done: Vec<_> = done.into_iter().flatten().collect();
    let (short, interrupted) = done.iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    say(&format!(
        "{short:4} reads and writes cut short, {interrupted} interrupted, in {} commands",
        done.len()
    ));
    assert_eq!(done.len(), CASES.len());
    // A command that becomes another program, or is only a rename, counts nothing.
    assert!(done.iter().filter(|it| it.0 > 0).count() + 2 >= CASES.len(), "{done:?}");
    assert!(short > 500 && interrupted > 50, "{short} and {interrupted}: too few were hit");
}

/// What is exported is the same file, whatever each write of it does.
#[test]
fn an_export_is_the_same_bytes() {
    let place = tempfile::tempdir().expect("tempdir");
    let Some(library) = library(place.path()) else { return };
    let up = Upstream::start();
    let env = built(&up);
    let export = |name: &str, with: bool| {
        let file = place.path().join(name);
        let mut command = env.command(["store", "export", "dev"]);
        command.stdout(std::fs::File::create(&file).expect("create"));
        if with {
            command.env("LD_PRELOAD", &library).env("SHORTENED", place.path().join("log"));
        }
        success("store export", &crate::support::finish(command.spawn().expect("start")));
        std::fs::read(file).expect("read")
    };
    let plain = export("plain", false);
    assert!(!plain.is_empty());
    assert!(export("short", true) == plain, "another file than without short writes");
    assert!(counted(&place.path().join("log")).0 > 0);
}
