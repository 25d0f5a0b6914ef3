//! `kill -9` at moments that a seeded generator chooses, while a slow upstream makes them many.
//!
//! Each run begins where the last was killed, as for a user whose machine fails again and again. One
//! that gets to its end is compared with an undisturbed one; the next begins with a new project.

use std::time::{Duration, Instant};

use super::fixture::{self, Prepared, Upstream, assert_same, state, success};
use super::random::Random;
use crate::support::{TestEnv, finish};
use crate::upstream::Fault;

/// Starts a command and kills it after `delay`; how long it took when it ended before that.
fn kill_after(env: &TestEnv, args: &[&str], delay: Duration) -> Option<Duration> {
    let start = Instant::now();
    let mut child = env.command(args).spawn().expect("start");
    while start.elapsed() < delay && child.try_wait().expect("wait").is_none() {
        std::thread::sleep(Duration::from_micros(300));
    }
    let _ = child.kill();
    let outcome = finish(child);
    if outcome.signal == Some(libc::SIGKILL) {
        return None;
    }
    success(&args.join(" "), &outcome);
    Some(start.elapsed())
}

/// How long an undisturbed run takes; a kill within this time hits something.
fn duration_of(env: &TestEnv, args: &[&str]) -> Duration {
    let start = Instant::now();
    success(&args.join(" "), &env.infra(args));
    start.elapsed()
}

fn invariants(what: &str, env: &TestEnv, locks: &[Option<String>]) {
    success(&format!("{what}; then store verify"), &env.infra(["store", "verify"]));
    let lock = std::fs::read_to_string(env.project().join("dep.lock.json")).ok();
    assert!(locks.contains(&lock), "{what}: the lock is neither old nor new");
    for name in ["base", "dev", "test", "prod"] {
        assert!(env.project().join(format!("profiles/{name}.toml")).exists(), "{what}: {name}");
    }
}

/// The commands that are killed, each after those before it.
pub(super) const COMMANDS: [&[&str]; 3] =
    [&["dep", "lock"], &["dep", "sync"], &["env", "build", "dev"]];
/// How often each command is killed, unless `KILLS` in the environment says so.
const KILLS: u32 = 55;
/// How often each command is started for one kill, at most.
const STARTS: u32 = 20;

/// Kills one of the commands at random moments; gives how often.
pub(super) fn kill(index: usize) -> u32 {
    let wanted = std::env::var("KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS);
    let args = COMMANDS[index];
    let up = Upstream::start();
    let calm = up.project();
    for args in &COMMANDS[..index] {
        calm.ok(*args);
    }
    let prepared = Prepared::new(calm);
    let env = &prepared.env;
    let mut random = Random(0x1f4a + index as u64);
    let mut usual = duration_of(env, args);
    let lock = env.read("dep.lock.json");
    env.ok(["store", "gc", "--artifacts"]);
    let want = state(env);
    let end = || {
        env.ok(["store", "gc", "--artifacts"]);
        assert_same(&args.join(" "), &want, &state(env));
    };
    prepared.restore();
    let (mut kills, mut starts) = (0, 0);
    while kills < wanted {
        starts += 1;
        assert!(starts <= wanted * STARTS, "only {kills} of {starts} were killed in time");
        if starts % 3 == 0 {
            // A download that stops in the middle until its client is gone.
            let host = infra::base::Platform::host();
            let files = [
                crate::upstream::FakeUpstream::pypi_file(&fixture::tool_wheel("1.0.0")),
                fixture::extra_archive(host),
            ];
            let file = &files[usize::try_from(random.below(2)).expect("small")];
            let sent = usize::try_from(random.below(400)).expect("small");
            up.fault(file, Fault::Stall(sent), 1);
        }
        let micros = u64::try_from(usual.as_micros()).unwrap_or(u64::MAX).max(1000);
        let delay = Duration::from_micros(random.below(micros));
        let what = format!("`{}` killed after {delay:?}, start {starts}", args.join(" "));
        let ended = kill_after(env, args, delay);
        up.heal();
        invariants(&what, env, &[None, Some(lock.clone())]);
        match ended {
            None => {
                kills += 1;
                if kills % 4 == 0 {
                    success(&format!("{what}; then gc"), &env.infra(["store", "gc"]));
                }
            }
            Some(took) => {
                usual = took;
                end();
                prepared.restore();
            }
        }
    }
    success(&args.join(" "), &env.infra(args));
    end();
    let left = fixture::temporary(&env.project());
    assert!(left.is_empty(), "{left:?}");
    kills
}
