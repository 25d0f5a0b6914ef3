//! Single system calls that fail, as a bad disk, a full one, a quota or a limit makes them fail.
//!
//! Each command is recorded once, to know which calls are about its own files; then it is run again
//! and again with one of these failing. Interrupted calls must not be noticed at all.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::tools::{has_strace, outcome, strace};
use crate::crashes::fixture::{Prepared, Upstream, success};
use crate::crashes::kills::say;
use crate::crashes::points::{CASES, Case, command, stdin};
use crate::crashes::pool::each;
use crate::crashes::survival::{Undisturbed, survives};

/// A group of system calls, an error, and how the system words it.
struct Fault {
    calls: &'static str,
    error: &'static str,
    said: &'static str,
}

const WRITE: &str = "write,writev,pwrite64,copy_file_range";
const SYNC: &str = "fsync,fdatasync,syncfs";
const RENAME: &str = "rename,renameat,renameat2";
const READ: &str = "read,pread64";
const OPEN: &str = "open,openat";
const LINK: &str = "link,linkat,symlink,symlinkat";

const EIO: &str = "input/output error";
const ENOSPC: &str = "no space left on device";

const FAULTS: &[Fault] = &[
    Fault { calls: WRITE, error: "EIO", said: EIO },
    Fault { calls: WRITE, error: "ENOSPC", said: ENOSPC },
    Fault { calls: WRITE, error: "EDQUOT", said: "quota exceeded" },
    Fault { calls: SYNC, error: "EIO", said: EIO },
    Fault { calls: SYNC, error: "ENOSPC", said: ENOSPC },
    Fault { calls: RENAME, error: "EIO", said: EIO },
    Fault { calls: RENAME, error: "ENOSPC", said: ENOSPC },
    Fault { calls: READ, error: "EIO", said: EIO },
    Fault { calls: OPEN, error: "EIO", said: EIO },
    Fault { calls: OPEN, error: "EMFILE", said: "too many open files" },
    Fault { calls: OPEN, error: "EACCES", said: "permission denied" },
    Fault { calls: LINK, error: "EIO", said: EIO },
    Fault { calls: "mkdir,mkdirat", error: "ENOSPC", said: ENOSPC },
    Fault { calls: "mkdir,mkdirat", error: "EROFS", said: "read-only" },
    Fault { calls: "unlink,unlinkat,rmdir", error: "EIO", said: EIO },
    Fault { calls: "chmod,fchmod,fchmodat,utimensat", error: "EIO", said: EIO },
    Fault { calls: "getdents64", error: "EIO", said: EIO },
];

/// What a signal in the wrong moment does; not noticed.
const INTERRUPTED: [&str; 3] = [WRITE, READ, "flock"];

/// The commands: those that write into the store, the lock, an environment, a cache.
const COMMANDS: [&str; 7] =
    ["dep lock", "dep sync", "env build", "store gc", "cache push", "cache pull", "store import"];

/// Places of one group of calls at which it fails, for each command; `FAULT_PLACES` asks for more.
const PLACES: usize = 2;

/// A line of a record: thread, call, whether it is about our files, whether it was made to fail.
fn calls<'a>(
    record: &'a str,
    root: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str, bool, bool)> {
    record.lines().filter_map(move |line| {
        let (thread, rest) = line.split_once(' ')?;
        let (name, args) = rest.trim_start().split_once('(')?;
        Some((thread, name, args.contains(root), args.contains("(INJECTED)")))
    })
}

/// For a group of calls: the numbers, counted for each thread as strace counts, at which a thread
/// made such a call on our files.
fn places(record: &str, root: &str, group: &str) -> Vec<u32> {
    let names: BTreeSet<&str> = group.split(',').collect();
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (thread, name, ours, _) in calls(record, root) {
        if names.contains(name) {
            let count = counts.entry(thread).or_default();
            *count += 1;
            found.extend(ours.then_some(*count));
        }
    }
    let found: Vec<u32> = found.into_iter().collect();
    // Spread over all of them, first and last among them.
    let wanted = std::env::var("FAULT_PLACES").ok().and_then(|n| n.parse().ok());
    let wanted: usize = wanted.unwrap_or(PLACES).max(2);
    let last = found.len().saturating_sub(1);
    let chosen = (0..wanted).map(|n| n * last / (wanted - 1));
    let chosen: BTreeSet<u32> = chosen.filter_map(|at| found.get(at).copied()).collect();
    chosen.into_iter().collect()
}

/// Whether calls failed, and only ones on our files. Threads may take turns in another way than when
/// it was recorded, and the runtime's own descriptors never fail like this.
fn hits_ours_alone(record: &str, root: &str) -> bool {
    let mut hits = calls(record, root).filter(|(.., injected)| *injected).peekable();
    hits.peek().is_some() && hits.all(|(_, _, ours, _)| ours)
}

fn traced(case: &Case, prepared: &Prepared, log: &Path, option: &str) -> crate::support::Outcome {
    let mut traced = strace(&command(&prepared.env, case), log, &["-e", option]);
    if let Some(file) = stdin(&prepared.env) {
        traced.stdin(file);
    }
    outcome(&mut traced)
}

/// Runs a command with every fault; gives how many runs there were and how many of them failed.
fn disturb(case: &Case) -> (u32, u32) {
    let up = Upstream::start();
    let prepared = Prepared::of(case, &up);
    let undisturbed = Undisturbed::of(case, &prepared);
    let root = prepared.env.root().canonicalize().expect("root");
    let root = root.to_str().expect("text");
    let log = tempfile::NamedTempFile::new().expect("log");
    let read = || std::fs::read_to_string(log.path()).expect("log");

    let mut groups: BTreeSet<&str> = FAULTS.iter().map(|fault| fault.calls).collect();
    groups.extend(INTERRUPTED);
    let all: Vec<&str> = groups.iter().copied().collect();
    prepared.restore();
    success(case.name, &traced(case, &prepared, log.path(), &format!("trace={}", all.join(","))));
    let record = read();
    let (mut runs, mut failures) = (0, 0);
    for fault in FAULTS {
        let Fault { calls: group, error, said } = fault;
        for at in places(&record, root, group) {
            prepared.restore();
            let option = format!("inject={group}:error={error}:when={at}");
            let failed = traced(case, &prepared, log.path(), &option);
            let record = read();
            if !hits_ours_alone(&record, root) {
                continue;
            }
            runs += 1;
            let what = format!("{} with {option}", case.name);
            let text = failed.stderr.to_lowercase();
            assert!(!text.contains("panicked"), "{what}: {text}");
            if failed.code != Some(0) {
                failures += 1;
                assert_eq!(failed.code, Some(1), "{what}: {}", failed.stderr);
                assert!(text.contains(said), "{what}: no reason: {}", failed.stderr);
                assert!(text.contains("hint: "), "{what}: no next step: {}", failed.stderr);
                assert!(failed.stderr.contains(root), "{what}: no path: {}", failed.stderr);
            }
            survives(case, &what, &prepared.env, &undisturbed, runs % 2 == 0);
        }
    }
    for group in INTERRUPTED {
        for at in places(&record, root, group) {
            prepared.restore();
            let option = format!("inject={group}:error=EINTR:when={at}");
            let what = format!("{} with {option}", case.name);
            let interrupted = traced(case, &prepared, log.path(), &option);
            if !hits_ours_alone(&read(), root) {
                continue;
            }
            success(&what, &interrupted);
            runs += 1;
            survives(case, &what, &prepared.env, &undisturbed, false);
        }
    }
    (runs, failures)
}

#[test]
fn calls_that_fail() {
    if !has_strace() {
        return;
    }
    let cases: Vec<&Case> = CASES.iter().filter(|case| COMMANDS.contains(&case.name)).collect();
    assert_eq!(cases.len(), COMMANDS.len());
    let done: Vec<_> =
        cases.iter().map(|case| case.name).zip(each(&cases, 0, |case| disturb(case))).collect();
    let failed: Vec<_> = done.iter().filter(|(_, it)| it.is_none()).map(|(n, _)| *n).collect();
    let (runs, failures) =
        done.iter().filter_map(|(_, it)| *it).fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
    say(&format!(
        "{runs:4} runs with a failing call, {failures} ended with an error, {} commands with a violation",
        failed.len()
    ));
    assert!(failed.is_empty(), "violations in {failed:?}");
    assert!(runs > 60 && failures > 30, "{runs} runs, {failures} failures: too few were hit");
}
