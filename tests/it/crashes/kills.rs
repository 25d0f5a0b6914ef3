//! Kills: every point × every command that passes it, at each passage, and at random moments.
//!
//! One test, so that the kills are counted together: at least [`LEAST`], none of which leaves
//! anything that [`survives`] or [`moments`] does not allow. The commands are killed side by side.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use infra::base::interrupt::POINTS;

use super::fixture::{Prepared, Upstream};
use super::moments;
use super::points::{CASES, Case, command};
use super::pool::each;
use super::survival::{Undisturbed, survives};
use crate::support::{Outcome, TestEnv, finish};

/// Kills in one run, at least.
const LEAST: u32 = 500;

fn at(env: &TestEnv, case: &Case, point: &str) -> Outcome {
    let mut command = command(env, case);
    command.env("INFRA_INTERRUPT_AT", point);
    finish(command.spawn().expect("start"))
}

/// Kills a command at each passage of each point; gives how often.
fn at_every_point(case: &Case) -> u32 {
    let up = Upstream::start();
    let prepared = Prepared::of(case, &up);
    let undisturbed = Undisturbed::of(case, &prepared);
    let mut passed = BTreeSet::new();
    let mut kills = 0;
    for point in POINTS {
        for nth in 1_u32.. {
            let env = prepared.restore();
            let what = format!("{} killed at {point}, passage {nth}", case.name);
            let killed = at(env, case, &format!("{point}:{nth}"));
            if killed.code == Some(0) {
                break;
            }
            assert_eq!(killed.signal, Some(libc::SIGABRT), "{what}: {}", killed.stderr);
            passed.insert(*point);
            kills += 1;
            survives(case, &what, env, &undisturbed, nth % 2 == 0);
        }
    }
    let want: BTreeSet<_> = case.passes.iter().copied().collect();
    assert_eq!(passed, want, "the points that `{}` passes", case.name);
    kills
}

/// Past the harness, which would keep it to itself.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[test]
fn every_point_is_passed_by_some_command() {
    let passed: BTreeSet<_> = CASES.iter().flat_map(|case| case.passes.iter().copied()).collect();
    // Only a bucket takes files in parts: `tests/real/s3.rs` kills there.
    let all: BTreeSet<_> = POINTS.iter().copied().filter(|point| *point != "push.part").collect();
    assert_eq!(passed, all);
}

#[test]
fn five_hundred_kills() {
    let cases = CASES.iter().map(|case| {
        let work: Box<dyn Fn() -> u32 + Sync> = Box::new(|| at_every_point(case));
        (case.name.to_owned(), work)
    });
    let moments = moments::COMMANDS.iter().enumerate().map(|(index, args)| {
        let work: Box<dyn Fn() -> u32 + Sync> = Box::new(move || moments::kill(index));
        (format!("{}, at random", args.join(" ")), work)
    });
    // The longest first.
    let jobs: Vec<_> = moments.chain(cases).collect();
    // One more than cores: each waits for the disk now and then.
    let kills = each(&jobs, 1, |(name, work)| {
        let kills = catch_unwind(AssertUnwindSafe(work)).ok();
        match kills {
            Some(kills) => say(&format!("{kills:4} kills  {name}")),
            None => say(&format!("a violation: {name}")),
        }
        kills
    });
    let done: Vec<_> =
        jobs.iter().map(|(name, _)| name).zip(kills.into_iter().map(Option::flatten)).collect();
    let failed: Vec<_> = done.iter().filter(|(_, kills)| kills.is_none()).map(|(n, _)| n).collect();
    let kills: u32 = done.iter().filter_map(|(_, kills)| *kills).sum();
    say(&format!("{kills:4} kills in all, {} commands with a violation", failed.len()));
    assert!(failed.is_empty(), "violations in {failed:?}");
    assert!(kills >= LEAST, "{kills} kills are fewer than {LEAST}");
}
