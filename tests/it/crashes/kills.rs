//! `kill -9` at moments that a seeded generator chooses, while a slow upstream makes them many.
//!
//! Each round begins where the last was killed, as for a user whose machine fails again and again;
//! every few rounds one run may finish.

use std::time::{Duration, Instant};

use super::fixture::{self, Upstream, assert_same, state, success};
use crate::support::{TestEnv, finish};
use crate::upstream::Fault;

/// SplitMix64: enough to choose moments, the same on every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

/// Starts a command and kills it after `delay`, unless it ended before.
fn kill_after(env: &TestEnv, args: &[&str], delay: Duration) -> bool {
    let mut child = env.command(args).spawn().expect("start");
    let end = Instant::now() + delay;
    while Instant::now() < end && child.try_wait().expect("wait").is_none() {
        std::thread::sleep(Duration::from_micros(300));
    }
    let _ = child.kill();
    finish(child).signal == Some(libc::SIGKILL)
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

#[test]
fn killed_thirty_times_at_any_moment() {
    let up = Upstream::start();
    let commands: [&[&str]; 3] =
        [&["dep", "lock"], &["dep", "sync"], &["env", "build", "dev", "--jobs", "4"]];
    // Undisturbed: what it ends as, and how long each step takes.
    let calm = up.project();
    let times = commands.map(|args| duration_of(&calm, args));
    let lock = calm.read("dep.lock.json");
    calm.ok(["store", "gc", "--artifacts"]);
    let want = state(&calm);

    let mut random = Random(0x1f4a);
    let (mut killed, mut round) = (0, 0_u64);
    let env = up.project();
    for (args, time) in commands.iter().zip(times) {
        for _ in 0..10 {
            round += 1;
            // One download stops in the middle until its client is gone.
            let slow = [
                crate::upstream::FakeUpstream::pypi_file(&fixture::tool_wheel("1.0.0")),
                fixture::extra_archive(infra::base::Platform::host()),
            ];
            let path = &slow[usize::try_from(random.below(2)).expect("small")];
            if round.is_multiple_of(3) {
                up.fault(path, Fault::Stall(usize::try_from(random.below(400)).expect("small")), 1);
            }
            let delay = Duration::from_micros(random.below(time.as_micros().max(1) as u64 + 2000));
            let what = format!("`{}` killed after {delay:?}, round {round}", args.join(" "));
            killed += usize::from(kill_after(&env, args, delay));
            up.heal();
            invariants(&what, &env, &[None, Some(lock.clone())]);
            if args[0] == "dep" && round.is_multiple_of(4) {
                success(&format!("{what}; then store gc"), &env.infra(["store", "gc"]));
            }
        }
        success(&args.join(" "), &env.infra(*args));
    }
    assert!(killed >= 10, "only {killed} of {round} were killed in time: choose other moments");
    env.ok(["store", "gc", "--artifacts"]);
    let left = fixture::temporary(&env.project());
    assert!(left.is_empty(), "{left:?}");
    assert_same("after all the kills", &want, &state(&env));
}
