//! Power cuts: what was not synced is gone, or there without what came before it.
//!
//! 1. A command runs under strace, which records what it does to files ([`trace`]).
//! 2. The record is replayed on a model of the disk ([`disk`]) up to a cut.
//! 3. Everything that a later sync made durable stays; of the rest nothing, everything, or a random
//!    subset in any order: the filesystem may write back what it likes. A rename is one step.
//! 4. The disk that is left is put in place, and [`survives`] says what must hold.
//!
//! The states are chosen by a seed that is printed with each failure. `POWERCUTS` in the environment
//! asks for more of them.

mod disk;
mod trace;

use self::disk::{Disk, Keep, State};
use self::trace::Event;
use super::tools::{has_strace, outcome, strace};
use crate::crashes::fixture::{self, Prepared, Upstream};
use crate::crashes::kills::say;
use crate::crashes::points::{CASES, Case, command, stdin};
use crate::crashes::pool::each;
use crate::crashes::random::Random;
use crate::crashes::survival::{Undisturbed, survives};

/// States for each command, unless `POWERCUTS` says otherwise.
const STATES: u64 = 12;
const SEED: u64 = 0x70c7;

/// What is recorded.
const TRACED: &str = "trace=open,openat,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,\
    symlink,symlinkat,unlink,unlinkat,rmdir,write,writev,pwrite64,pwritev,read,lseek,ftruncate,\
    truncate,fsync,fdatasync,syncfs,sync,chmod,fchmod,fchmodat,copy_file_range,sendfile,ioctl";

fn record(case: &Case, prepared: &Prepared) -> (State, Vec<Event>) {
    let env = prepared.restore();
    let before = State::read(env.root());
    let log = tempfile::NamedTempFile::new().expect("log");
    let plain = command(env, case);
    let mut traced = strace(&plain, log.path(), &["-xx", "-s", "16777216", "-e", TRACED]);
    if let Some(file) = stdin(env) {
        traced.stdin(file);
    }
    fixture::success(case.name, &outcome(&mut traced));
    (before, trace::read(&std::fs::read(log.path()).expect("log")))
}

/// Cuts the power in a command again and again; gives how often.
fn cut(case: &Case, states: u64) -> u64 {
    let up = Upstream::start();
    let prepared = Prepared::of(case, &up);
    let undisturbed = Undisturbed::of(case, &prepared);
    let (before, events) = record(case, &prepared);
    let root = prepared.env.root().canonicalize().expect("root");
    let disk = Disk::replay(before, &root, &prepared.env.project(), &events);
    let same = disk.is_as(prepared.env.root());
    assert!(same.is_ok(), "{}: the model is not what happened: {same:?}", case.name);
    let seed = case.name.bytes().fold(SEED, |seed, b| seed.wrapping_mul(31) + u64::from(b));
    let mut random = Random(seed);
    let moments = disk.moments();
    assert!(!moments.is_empty(), "{}: nothing was written", case.name);
    for state in 0..states {
        let spread = state * moments.len() as u64 / states;
        let wide = (moments.len() as u64).div_ceil(states);
        let at = usize::try_from(spread + random.below(wide)).expect("small");
        let at = moments[at.min(moments.len() - 1)];
        let keep = match state % 4 {
            0 => Keep::Nothing,
            1 => Keep::Everything,
            _ => Keep::Some(random.next()),
        };
        fixture::clear(prepared.env.root());
        disk.after(at, &keep).write(prepared.env.root());
        let what = format!("{}: power cut at {at} of {}, {keep:?}", case.name, disk.len());
        survives(case, &what, &prepared.env, &undisturbed, state % 2 == 0);
    }
    states
}

#[test]
fn what_was_not_synced_is_lost() {
    if !has_strace() {
        return;
    }
    let states = std::env::var("POWERCUTS").ok().and_then(|n| n.parse().ok()).unwrap_or(STATES);
    let cuts = each(CASES, 1, |case| cut(case, states));
    let done: Vec<_> = CASES.iter().map(|case| case.name).zip(cuts).collect();
    let failed: Vec<_> = done.iter().filter(|(_, cuts)| cuts.is_none()).map(|(n, _)| *n).collect();
    let cuts: u64 = done.iter().filter_map(|(_, cuts)| *cuts).sum();
    say(&format!(
        "{cuts:4} power cuts in {} commands, {} with a violation",
        CASES.len(),
        failed.len()
    ));
    assert!(failed.is_empty(), "violations in {failed:?}");
}
